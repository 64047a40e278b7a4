"""A million cells: seconds, not minutes, and memory in proportion to the grid."""

from __future__ import annotations

import time
import tracemalloc
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from catalogue.fragment import (
    Axis,
    Block,
    Column,
    Field,
    Fragment,
    Histogram,
    Magnitude,
    RawCells,
    Table,
    Tally,
)
from catalogue.leaves import LeafSet
from catalogue.models import CellKeys, Dominance, Frequency, Limits, Profile, PTableSpec
from policies.plan import Atom, AtomKind, Box, CellQuery, GridAxis, GridBlock, KeyColumn
from policies.protect import protect, ptable_of
from policies.protect.dense import decimals
from tests.support.cell_queries import NOISE, PAY, PAY_GRID

SIDE = 1000
CELLS = SIDE * SIDE
PROFILE = Profile(
    profile="p",
    title="P",
    version="1",
    frequency=Frequency(minimum_frequency=10),
    cell_keys=CellKeys(counts=PTableSpec(maximum_noise=2, variance=1.05, smallest_published=1)),
    dominance=Dominance(p_percent=Decimal(10)),
)
ATOMS = (
    Atom(AtomKind.UNITS, "a0", "s0", "t0"),
    Atom(AtomKind.SUM, "a1", "s1", "t1", decimals=2, count="t0"),
    Atom(AtomKind.QUANTILE, "a2", "s2", "t2", quantile=Decimal("0.5"), decimals=2, count="t0"),
)


def axis(name: str) -> GridAxis:
    codes = tuple(f"{name}{i:04}" for i in range(SIDE))
    parts = tuple(LeafSet.of([i], SIDE) for i in range(SIDE))
    return GridAxis(name, (name,), (codes,), parts, (False,) * SIDE)


def big_query() -> CellQuery:
    axes = (axis("area"), axis("occupation"))
    asked = tuple(Axis(Column(Field(a.dimension), a.values[0]), tuple(range(SIDE)), SIDE) for a in axes)  # type: ignore[arg-type]
    statistics = (Tally("t0", measure=PAY), Magnitude("t1", PAY), Histogram("t2", PAY, PAY_GRID))
    fragment = Fragment(
        Table("duckdb", "people", "people"), (), None, Field("key"), None, None, None, (), (Block(asked),),
        statistics,
    )  # fmt: skip
    keys = tuple(KeyColumn(a.dimension, "VARCHAR", a.dimension) for a in axes)
    return CellQuery("cells0", "people", "p", Box(), keys, (GridBlock(axes),), ATOMS, fragment)


def full_cells() -> RawCells:
    rng = np.random.default_rng(1)
    cell, n, key = rng.permutation(CELLS), rng.integers(0, 100, CELLS), rng.integers(0, 10**8, CELLS)
    shown = np.zeros(CELLS, dtype=np.bool_)
    place = {"block": np.zeros(CELLS, np.int32), "p0": (cell // SIDE).astype(np.int32),
             "p1": (cell % SIDE).astype(np.int32)}  # fmt: skip
    columns = {"t0_n": n, "t0_key": key, "t1_n": n, "t1_key": key, "t1_present": n}
    amounts = {
        "t1_sum": n * 50_000,
        "t1_top1": np.minimum(n, 1) * 60_000,
        "t1_top2": np.minimum(n, 1) * 55_000,
    }
    money = {name: decimals(values, shown, 2) for name, values in amounts.items()}
    twice = {name: np.repeat(values, 2) for name, values in place.items()}
    bins = {"bin": np.tile(np.array([40, 60], np.int32), CELLS), "n": np.repeat(n, 2)}
    return RawCells(pa.table({**place, **columns, **money}), {"t2": pa.table({**twice, **bins})}, "snapshot")


@pytest.mark.slow
@pytest.mark.parametrize("dense_cells", [CELLS, CELLS - 1], ids=["dense", "sparse"])
def test_a_million_cells_with_a_count_a_sum_and_a_median(dense_cells: int) -> None:
    profile = PROFILE.model_copy(update={"limits": Limits(dense_cells=dense_cells)})
    query, raw, ptable = big_query(), full_cells(), ptable_of(profile)
    tracemalloc.start()
    started = time.perf_counter()
    cells = protect(query, raw, [], profile, NOISE, ptable)
    seconds = time.perf_counter() - started
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert cells.sparse == (dense_cells < CELLS)
    assert (cells.table.num_rows == CELLS) != cells.sparse
    assert seconds < 60
    assert peak < 600 * CELLS
