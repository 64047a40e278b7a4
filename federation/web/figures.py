"""A released table as a page shows it: names beside codes, values with their marks, and which columns can be drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from federation.client.display import STATUS_SUFFIX, prepare
from federation.web.words import MARKS

ROWS_ON_A_PAGE = 100
HIDDEN = frozenset({"[c]", "[x]", "[z]"})
"""Marks that stand in the place of a value."""

Names = Callable[[str, str], str]
"""By column and value, the name that a code list has for it; the value itself where none has."""


@dataclass(frozen=True, slots=True)
class Cell:
    """``mark`` is empty, or one of the legend's; ``value`` is None for text and for what is hidden."""

    text: str
    mark: str = ""
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """Part of a table. ``marks`` and the counts are those of all of it: ``withheld`` of ``of`` figures are hidden."""

    columns: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[Cell, ...], ...]
    marks: tuple[str, ...]
    withheld: int
    of: int
    total_rows: int
    offset: int

    @property
    def labels(self) -> tuple[int, ...]:
        """The columns that say what a row is about."""
        return tuple(index for index, number in enumerate(self.numeric) if not number)

    @property
    def measures(self) -> tuple[int, ...]:
        return tuple(index for index, number in enumerate(self.numeric) if number)

    def label(self, row: Sequence[Cell]) -> str:
        return ", ".join(row[index].text for index in self.labels if row[index].text)


def figures_of(table: pa.Table, names: Names, *, offset: int = 0, limit: int = ROWS_ON_A_PAGE) -> Figures:
    """The rows of ``table`` from ``offset`` on, formatted alike on every page up to there."""
    shown = prepare(table, offset + limit)
    part = table.slice(offset, limit)
    raw = {name: part.column(name).to_pylist() for name in shown.columns}
    numeric = tuple(
        number and not _is_key(table, name) for name, number in zip(shown.columns, shown.numeric, strict=True)
    )
    rows = []
    for index, texts in enumerate(shown.rows[offset:]):
        cells = []
        for name, text, number in zip(shown.columns, texts, numeric, strict=True):
            cells.append(_cell(text, raw[name][index], number, partial(names, name)))
        rows.append(tuple(cells))
    measured = [name for name, number in zip(shown.columns, numeric, strict=True) if number]
    withheld = sum(_withheld(table, name) for name in measured)
    return Figures(
        tuple(shown.columns),
        numeric,
        tuple(rows),
        tuple(shown.marks),
        withheld,
        len(measured) * table.num_rows,
        table.num_rows,
        offset,
    )


def _cell(text: str, raw: object, number: bool, named: Callable[[str], str]) -> Cell:
    mark = next((mark for mark in MARKS if text == mark or text.endswith(f" {mark}")), "")
    plain = text.removesuffix(mark).rstrip() if mark else text
    if not number:
        return Cell(named(str(raw)) if raw is not None else plain, mark)
    hidden = raw is None or mark in HIDDEN
    return Cell(plain, mark, None if hidden else float(raw))  # type: ignore[arg-type]


def _is_key(table: pa.Table, name: str) -> bool:
    """Whether a whole number labels rows, as a year does: it is called so, and no figure stands before it."""
    if not pa.types.is_integer(table.schema.field(name).type) or name.lower() not in _KEYS:
        return False
    before = table.column_names[: table.column_names.index(name)]
    return not any(_is_figure(table, other) for other in before if not other.endswith(STATUS_SUFFIX))


_KEYS = frozenset({"period", "year", "age", "month", "quarter"})


def _is_figure(table: pa.Table, name: str) -> bool:
    kind = table.schema.field(name).type
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _withheld(table: pa.Table, name: str) -> int:
    status = f"{name}{STATUS_SUFFIX}"
    if status not in table.column_names:
        return 0
    counts: Mapping[str, int] = {
        item["values"]: item["counts"] for item in table.column(status).value_counts().to_pylist()
    }
    return sum(count for mark, count in counts.items() if mark in HIDDEN)
