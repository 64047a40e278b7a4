"""What a hub needs for a million cells, in a process of its own so that its peak memory is its own.

Nothing is asked of anybody: tables as four nodes would give them are made here, read and put together as the hub does.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa

from bench.timing import peak_mebibytes
from catalogue.catalogue import BoundDataset
from catalogue.leaves import LeafSet
from examples.four_nations.layout import NATIONS
from federation.client.display import STATUS_SUFFIX
from federation.configuration import read_configuration
from federation.holders.reading import read_cells
from federation.masked.masks import Purpose, Seat, unmasked
from federation.wire.exchange_key import ExchangeKey
from policies.cell_question import CellQuestion
from policies.cell_sql import CellSQL, cell_sql
from policies.compiler import compile_query
from policies.context import Context
from policies.parts import Combination, combine
from policies.plan import Box, CellQuery
from policies.protect.joint import joint_cells

ROOT = Path(__file__).resolve().parent.parent
SQL = "SELECT lad_res, soc, qualification, COUNT(*) FROM people GROUP BY ALL"


def main(mode: str) -> None:
    """Prints cells, seconds and by how many MiB the process grew at most, as JSON."""
    query, dataset = _query(SQL)
    work = _parts(query, dataset) if mode == "parts" else _joint(query)
    before = peak_mebibytes()
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    print(json.dumps({"cells": query.size, "seconds": seconds, "mebibytes": peak_mebibytes() - before}))


def _query(sql: str) -> tuple[CellQuery, BoundDataset]:
    catalogue = read_configuration(ROOT / "examples" / "labour_market").catalogue
    dataset = catalogue.datasets["people"]
    profile = catalogue.profiles[dataset.document.profile]
    limits = profile.limits.model_copy(update={"maximum_cells": 5_000_000})
    profiles = {**catalogue.profiles, profile.profile: profile.model_copy(update={"limits": limits})}
    agreement = catalogue.agreements["local_labour_market"].model_copy(update={"jurisdiction": None})
    context = Context(
        replace(catalogue, profiles=profiles),
        "greater_manchester",
        agreement,
        agreement.purposes[0],
        date(2026, 3, 31),
    )
    (query,) = compile_query(sql, context).queries
    return query, dataset


def _parts(query: CellQuery, dataset: BoundDataset) -> Callable[[], object]:
    codelist = dataset.dimension_of("lad_res")
    assert codelist is not None
    assert codelist.codelist is not None
    codes = [str(code)[0] for code in codelist.codelist.levels[-1].codes]
    held = {
        node: LeafSet.of([i for i, code in enumerate(codes) if code == nation.code[0]], len(codes))
        for node, nation in NATIONS.items()
    }
    combination = Combination.of(query, dataset)
    asked: dict[str, tuple[CellQuestion, CellSQL, pa.Table]] = {}
    for node, leaves in held.items():
        question = combination.question(Box.of({"lad_res": leaves}))
        assert question is not None
        written = cell_sql(question, dataset, "people")
        asked[node] = question, written, _table(question, written)

    def work() -> object:
        given = {
            node: read_cells(table, written, question, query, sparse=False)
            for node, (question, written, table) in asked.items()
        }
        return combine(combination, "lad_res", held, given, "", sparse=False)

    return work


def _table(question: CellQuestion, written: CellSQL) -> pa.Table:
    """A figure in two cells of three, the others withheld."""
    values = [list(axis.parts) for axis in written.axes]
    shape = [len(each) for each in values]
    index = np.indices(shape).reshape(len(shape), -1)
    size = index.shape[1]
    hidden = np.arange(size) % 3 == 0
    columns = {
        axis.name: pa.array(each).take(pa.array(index[position]))
        for position, (axis, each) in enumerate(zip(written.axes, values, strict=True))
    }
    figures = pa.array(np.arange(size) % 900 + 10, mask=hidden)
    for atom in question.atoms:
        columns[atom.column] = figures
        columns[atom.column + STATUS_SUFFIX] = pa.array(np.where(hidden, "[c]", ""))
    return pa.table(columns)


def _joint(query: CellQuery) -> Callable[[], object]:
    catalogue = read_configuration(ROOT / "examples" / "labour_market").catalogue
    profile = catalogue.profiles[query.profile]
    may = np.arange(query.size) % 3 != 0
    keys = [ExchangeKey.generate() for _ in NATIONS]
    seats = [Seat(key, [each.public for each in keys], i, b"session") for i, key in enumerate(keys)]
    masked = [seat.masked(np.arange(int(may.sum())) % 900, Purpose.VALUES) for seat in seats]

    def work() -> object:
        total = np.zeros(may.size, dtype=np.int64)
        total[may] = unmasked(masked)
        return joint_cells(query, total, may, profile, "")

    return work


if __name__ == "__main__":
    main(sys.argv[1])
