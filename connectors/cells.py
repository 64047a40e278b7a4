"""Results as Arrow: numbers in units of their last place become decimals without copying or rounding."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from connectors.expressions import WEIGHT_DECIMALS
from connectors.render import OutputColumn, Program


def as_decimal(column: pa.ChunkedArray, scale: int) -> pa.ChunkedArray:
    """Read whole numbers of 10^-scale, 128 bits wide, as decimals with that scale; decimals stay as they are.

    >>> as_decimal(pa.chunked_array([pa.array([12345], pa.decimal128(38, 0))]), 2)[0].as_py()
    Decimal('123.45')
    """
    type_ = pa.decimal128(38, scale)
    if column.type == type_:
        return column
    chunks = [
        pa.Array.from_buffers(type_, len(chunk), chunk.buffers(), chunk.null_count, chunk.offset)
        for chunk in column.chunks
    ]
    return pa.chunked_array(chunks, type_)


def from_text(column: pa.ChunkedArray, scale: int) -> pa.ChunkedArray:
    """Numbers that came as text, for want of a type wide enough, as decimals.

    >>> from_text(pa.chunked_array([["-1.50", None]]), 2)[0].as_py()
    Decimal('-1.50')
    """
    return column.cast(pa.decimal128(38, scale))


def _read(column: pa.ChunkedArray, how: OutputColumn) -> pa.ChunkedArray:
    if how.scale is None:
        return column.cast(pa.int64())
    if how.double:
        return pc.divide(column.cast(pa.float64()), float(10**how.scale))
    return as_decimal(column, how.scale)


def read_cells(table: pa.Table, program: Program) -> pa.Table:
    """The cells in the form that RawCells promises."""
    keys = ["block", *(f"p{i}" for i in range(program.width))]
    columns = [table[name].cast(pa.int32()) for name in keys]
    columns += [_read(table[how.name], how) for how in program.columns]
    return pa.table(columns, [*keys, *(how.name for how in program.columns)])


def read_histogram(table: pa.Table, weighted: bool) -> pa.Table:
    """A histogram in long form: block, p0.., bin, n and, where weighted, w."""
    columns = {name: table[name] for name in table.column_names}
    columns = {name: c if name in ("n", "w") else c.cast(pa.int32()) for name, c in columns.items()}
    if weighted:
        columns["w"] = as_decimal(columns["w"], WEIGHT_DECIMALS)
    return pa.table(columns)
