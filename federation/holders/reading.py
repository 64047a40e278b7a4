"""The table that a node released for a question, read onto the grid of the query; anything else is no answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from catalogue.leaves import LeafSet
from federation.client.display import STATUS_SUFFIX
from policies.cell_question import CellQuestion
from policies.cell_sql import CellSQL
from policies.cells import Status
from policies.parts import COUNTS, PartCells
from policies.plan import Atom, CellQuery, GridBlock
from policies.protect.grid import Grid

_MARKS = {status.mark: status for status in Status}
Integers = npt.NDArray[np.int64]


class TableDiffers(ValueError):
    """A table is not one that the question can have."""

    code = "answer_table_differs"


def read_cells(
    table: pa.Table, written: CellSQL, question: CellQuestion, query: CellQuery, *, sparse: bool
) -> PartCells:
    """The cells in ``table``, the answer to ``written``, on the grid of ``query``.

    ``question`` is the part of the query that was asked: its cells must all be there, once for each grouping set,
    unless rows without a published figure were left out (``sparse``): those are then withheld. Cells that are not
    part of it are NOT_APPLICABLE.

    Raises:
        TableDiffers: columns, keys, marks or values are not those of an answer to it.
    """
    grid = Grid(tuple(tuple(len(axis.parts) for axis in block.axes) for block in query.blocks))
    keys = [_values(table, axis.name) for axis in written.axes]
    masks = _values(table, written.grouping) if written.grouping else [0] * table.num_rows
    of_mask: dict[int, list[int]] = {}
    for row, mask in enumerate(masks):
        of_mask.setdefault(mask, []).append(row)
    if of_mask.keys() - {mask for mask, _ in written.blocks}:
        raise TableDiffers("a row is of no grouping set that was asked for")
    rows = np.full(grid.size, -1, np.int64)
    held = np.zeros(grid.size, np.bool_)
    for number, (mask, axes) in enumerate(written.blocks):
        here = of_mask.get(mask, [])
        block, offset = question.blocks[number], grid.offsets[number]
        index = np.zeros(len(here), np.int64)
        for position, axis in enumerate(axes):
            parts = _parts(written.axes[axis].parts, query.blocks[number], position)
            index = index * len(query.blocks[number].axes[position].parts) + _looked_up(
                parts, keys[axis], here
            )
        rows[offset + index] = here
        held[offset + _cells(block, query.blocks[number])] = True
    if bool((rows[~held] >= 0).any()):
        raise TableDiffers("a row is of a cell that was not asked for")
    if not sparse and bool((rows[held] < 0).any()):
        raise TableDiffers("a cell that was asked for has no row")
    found = {atom.column: _column(table, atom, rows, held) for atom in question.atoms}
    return PartCells(
        {name: values for name, (values, _) in found.items()},
        {name: statuses for name, (_, statuses) in found.items()},
    )


def _parts(values: Mapping[Any, LeafSet], block: GridBlock, position: int) -> dict[Any, int]:
    """For each value of a key column the number of the part, in the whole query, that it lies in."""
    whole = block.axes[position].parts
    found = {}
    for value, leaves in values.items():
        first = next(iter(leaves))
        found[value] = next(number for number, part in enumerate(whole) if first in part)
    return found


def _looked_up(parts: Mapping[Any, int], column: Sequence[Any], rows: Sequence[int]) -> Integers:
    try:
        return np.array([parts[column[row]] for row in rows], np.int64)
    except (KeyError, TypeError):
        raise TableDiffers("a key is none of those that were asked for") from None


def _cells(asked: GridBlock, whole: GridBlock) -> Integers:
    """The cells of the whole block that the part which was asked has."""
    index = np.zeros(1, np.int64)
    for axis, of_whole in zip(asked.axes, whole.axes, strict=True):
        there = [n for n, part in enumerate(of_whole.parts) if any(part & leaves for leaves in axis.parts)]
        index = (index[:, None] * len(of_whole.parts) + np.array(there, np.int64)[None, :]).ravel()
    return index


def _column(
    table: pa.Table, atom: Atom, rows: Integers, held: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.int8]]:
    marks = _values(table, atom.column + STATUS_SUFFIX)
    try:
        codes = np.array([_MARKS[mark] for mark in marks], np.int8)
    except (KeyError, TypeError):
        raise TableDiffers("a mark is unknown") from None
    numbers = _numbers(table, atom)
    nothing = np.array([value is None for value in numbers], np.bool_)
    if not np.array_equal(nothing, codes >= Status.LOW):
        raise TableDiffers("a value and its mark do not go together")
    values = np.full(rows.shape, None, np.object_)
    status = np.where(held, np.int8(Status.CONFIDENTIAL), np.int8(Status.NOT_APPLICABLE)).astype(np.int8)
    there = rows >= 0
    if bool(there.any()):
        values[there] = numbers[rows[there]]
        status[there] = codes[rows[there]]
    return values, status


def _numbers(table: pa.Table, atom: Atom) -> npt.NDArray[np.object_]:
    """The figures of an atom, None where there is none."""
    given = _values(table, atom.column)
    numbers = np.empty(len(given), np.object_)
    # Integers of Arrow are what a count has to be: only other types are looked at one by one.
    counted = atom.kind in COUNTS and pa.types.is_integer(table.schema.field(atom.column).type)
    numbers[:] = given if counted else [_number(atom, value) for value in given]
    return numbers


def _number(atom: Atom, value: object) -> int | Decimal | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise TableDiffers("a figure is no number")
    number = Decimal(value)
    decimals = 0 if atom.kind in COUNTS else atom.decimals
    if not number.is_finite() or number != round(number, decimals) or abs(number) >= Decimal(10) ** 30:
        raise TableDiffers("a figure has other decimals than were asked for")
    return int(number) if atom.kind in COUNTS else round(number, decimals)


def _values(table: pa.Table, name: str) -> list[Any]:
    if name not in table.column_names:
        raise TableDiffers("a column is missing")
    found: list[Any] = table.column(name).to_pylist()
    return found
