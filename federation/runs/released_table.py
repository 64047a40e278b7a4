"""The table that is released: beside each column its status as a mark, and in words what the table cannot say."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from federation.client.display import STATUS_SUFFIX
from federation.runs.answering import Answer
from policies.cells import Status

_MARKS = pa.array([status.mark for status in Status])
_NOT_APPLICABLE = pa.scalar(int(Status.NOT_APPLICABLE), pa.int8())
LARGELY_WITHHELD = 0.5


def released_table(answer: Answer) -> pa.Table:
    """The presented values, each column followed by its status: empty, or a mark such as ``[c]``.

    What came of dividing by zero is no number: it is left empty, as not applicable.
    """
    presented = answer.presented.table
    columns: dict[str, pa.ChunkedArray] = {}
    nothing: dict[str, pa.ChunkedArray] = {}
    for output in answer.plan.presentation.columns:
        column = _hugeint(presented.column(output.name))
        if pa.types.is_floating(column.type):
            nothing[output.name] = pc.fill_null(pc.invert(pc.is_finite(column)), False)
            column = pc.if_else(nothing[output.name], pa.scalar(None, column.type), column)
        columns[output.name] = column
    for output in answer.plan.presentation.columns:
        status = presented.column(output.status_name).cast(pa.int8())
        if output.name in nothing:
            status = pc.if_else(nothing[output.name], _NOT_APPLICABLE, status)
        columns[_free(output.name + STATUS_SUFFIX, columns)] = pc.take(_MARKS, status)
    names = [output.name for output in answer.plan.presentation.columns]
    statuses = [name for name in columns if name not in names]
    order = [name for pair in zip(names, statuses, strict=True) for name in pair]
    return pa.table({name: columns[name] for name in order})


def notes_of(answer: Answer, table: pa.Table, coarser: Callable[[], str | None]) -> tuple[str, ...]:
    """What a reader has to know beside the marks: rows that hidden values decided, cells that were left out.

    ``coarser`` gives a question to ask instead, and is called where much of the answer is withheld.
    """
    notes = [f"{note.text} ({note.rows:,} rows)" for note in answer.presented.notes]
    if answer.sparse:
        notes.append(
            "rows without a published figure were left out, whether nobody is there or they are withheld"
        )
    notes += answer.holder_notes
    notes += answer.plan.warnings
    withheld, cells = _withheld(table)
    if cells and withheld / cells >= LARGELY_WITHHELD:
        instead = coarser()
        notes.append(
            "much of this answer is withheld: ask for larger areas or fewer dimensions"
            + (f", for instance: {instead}" if instead else "")
        )
    return tuple(notes)


def _withheld(table: pa.Table) -> tuple[int, int]:
    """How many figures are withheld, of how many in columns that can be."""
    marks = [
        column for name, column in zip(table.column_names, table.columns, strict=True) if _is_status(name)
    ]
    hidden = [pc.sum(pc.equal(column, Status.CONFIDENTIAL.mark)).as_py() or 0 for column in marks]
    return sum(hidden), sum(len(column) for column, count in zip(marks, hidden, strict=True) if count)


def _is_status(name: str) -> bool:
    return name.rstrip("_").endswith(STATUS_SUFFIX)


def _free(name: str, taken: dict[str, pa.ChunkedArray]) -> str:
    while name in taken:
        name += "_"
    return name


def _hugeint(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """DuckDB sums whole numbers to 128 bits; readers expect integers wherever they fit."""
    if pa.types.is_decimal(column.type) and column.type.scale == 0:
        try:
            return column.cast(pa.int64())
        except pa.ArrowInvalid:
            return column
    return column
