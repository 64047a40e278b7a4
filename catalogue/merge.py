"""Raw cells of two parts of a population as those of the whole: every statistic says how it combines.

Exact where no unit (and no second unit or holding, where the fragment counts them) has rows in both parts:
then contributors add up, record keys add up modulo RECORD_KEY_MODULUS, and the largest totals of the whole are
among the largest of the parts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalogue.fragment import RECORD_KEY_MODULUS, Fragment, Histogram, Magnitude, RawCells

Combine = Callable[[pa.ChunkedArray, pa.ChunkedArray], pa.ChunkedArray]


def merge(a: RawCells, b: RawCells, fragment: Fragment) -> RawCells:
    """The raw cells of the union of two disjoint parts, both answers to ``fragment``. Associative.

    The snapshot names both, ``a``'s first; equal snapshots (parts of one source) stay one.
    """
    keys = [name for name in a.cells.column_names if name == "block" or _is_part(name)]
    cells = _merge_cells(a.cells, b.cells, keys, fragment)
    histograms = {
        statistic.id: _merge_histogram(a.histograms[statistic.id], b.histograms[statistic.id])
        for statistic in fragment.statistics
        if isinstance(statistic, Histogram)
    }
    snapshot = a.snapshot if a.snapshot == b.snapshot else f"{a.snapshot}+{b.snapshot}"
    return RawCells(cells, histograms, snapshot)


def _is_part(name: str) -> bool:
    return name[:1] == "p" and name[1:].isdigit()


def _merge_cells(a: pa.Table, b: pa.Table, keys: list[str], fragment: Fragment) -> pa.Table:
    """Line both up on the union of their cells, then combine column by column."""
    cells, (left, right) = _align([a, b], keys)
    columns = {name: cells[name] for name in keys}
    for statistic in fragment.statistics:
        if isinstance(statistic, Histogram):
            continue
        for suffix in _SUFFIXES:
            name = f"{statistic.id}_{suffix}"
            if name in a.column_names:
                combine = _COMBINE.get(suffix, _sum)
                columns[name] = combine(_take(a[name], left), _take(b[name], right))
                if suffix == "second" and fragment.enough_second_units is not None:
                    columns[name] = _least(columns[name], fragment.enough_second_units)
        if isinstance(statistic, Magnitude):
            names = [f"{statistic.id}_top{rank}" for rank in range(1, statistic.top + 1)]
            tops = [*(_take(a[n], left) for n in names), *(_take(b[n], right) for n in names)]
            columns.update(zip(names, _largest(tops, len(names)), strict=True))
    return pa.table({name: columns[name] for name in a.column_names})


def _align(tables: Sequence[pa.Table], keys: list[str]) -> tuple[pa.Table, list[pa.Array]]:
    """The union of the tables' cells, and for each table the row that holds each cell (null for none).

    Arrow's joins do not match null with null, so parts beyond a block's axes count as -1 meanwhile.
    """
    numbered = []
    for table in tables:
        plain = {name: pc.fill_null(table[name], -1) for name in keys}
        numbered.append(pa.table({**plain, "row": np.arange(table.num_rows)}))
    cells = pa.concat_tables([t.select(keys) for t in numbered]).group_by(keys).aggregate([])
    order = cells.append_column("cell", pa.array(np.arange(cells.num_rows)))
    rows = []
    for table in numbered:
        joined = order.join(table, keys, join_type="left outer").sort_by("cell")
        rows.append(joined["row"].combine_chunks())
    shown = {
        name: pc.if_else(pc.less(cells[name], 0), pa.scalar(None, cells[name].type), cells[name])
        for name in keys
    }
    return pa.table(shown), rows


def _take(column: pa.ChunkedArray, rows: pa.Array) -> pa.ChunkedArray:
    return pa.chunked_array([column.combine_chunks().take(rows)], column.type)


def _sum(a: pa.ChunkedArray, b: pa.ChunkedArray) -> pa.ChunkedArray:
    type_ = a.type
    zero = pa.scalar(0, pa.int64()).cast(type_)
    if pa.types.is_decimal(type_):  # Arrow gives a sum one digit more than 128 bits hold
        a, b = (column.cast(pa.decimal256(38, type_.scale)) for column in (a, b))
        zero = zero.cast(pa.decimal256(38, type_.scale))
    return pc.add(pc.fill_null(a, zero), pc.fill_null(b, zero)).cast(type_)


def _key(a: pa.ChunkedArray, b: pa.ChunkedArray) -> pa.ChunkedArray:
    total = _sum(a, b).to_numpy() % RECORD_KEY_MODULUS
    return pa.chunked_array([pa.array(total, pa.int64())])


def _least(a: pa.ChunkedArray, b: pa.ChunkedArray | int) -> pa.ChunkedArray:
    return pc.min_element_wise(a, b)


def _greatest(a: pa.ChunkedArray, b: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.max_element_wise(a, b)


_COMBINE: dict[str, Combine] = {"key": _key, "low": _least, "high": _greatest}
_SUFFIXES = ("n", "key", "second", "present", "sum", "sumsq", "low", "high", "w", "w2", "wsum", "wsumsq")


def _largest(columns: list[pa.ChunkedArray], k: int) -> list[pa.ChunkedArray]:
    """The k largest of several columns, row by row: each time the two compared swap, as in a bubble sort."""
    zero = pa.scalar(0, pa.int64()).cast(columns[0].type)
    ranked = [pc.fill_null(column, zero) for column in columns]
    for rank in range(k):
        for other in range(rank + 1, len(ranked)):
            high = pc.max_element_wise(ranked[rank], ranked[other])
            ranked[other] = pc.min_element_wise(ranked[rank], ranked[other])
            ranked[rank] = high
    return ranked[:k]


def _merge_histogram(a: pa.Table, b: pa.Table) -> pa.Table:
    keys = [name for name in a.column_names if name not in ("n", "w")]
    sums = [(name, "sum") for name in a.column_names if name in ("n", "w")]
    merged = pa.concat_tables([a, b]).group_by(keys).aggregate(sums)
    return pa.table({
        name: merged[name if name in keys else f"{name}_sum"].cast(a.schema.field(name).type)
        for name in a.column_names
    })  # fmt: skip
