"""Released tables as people read them: figures with their marks, a legend of the marks used, and the source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import escape

import pyarrow as pa

STATUS_SUFFIX = "__status"
MEANINGS = {
    "[c]": "confidential: withheld to protect the people or organisations it is about",
    "[low]": "low: rounds to zero",
    "[part]": "a part is missing: a node did not answer, see the notes",
    "[u]": "unreliable: the sample is small, use with care",
    "[x]": "not available",
    "[z]": "not applicable: nothing to compute from",
}
ROWS_SHOWN = 60
DECIMALS_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Shown:
    """A table ready for display: cells as text, which columns are figures, and the marks that occur."""

    columns: list[str]
    numeric: list[bool]
    rows: list[list[str]]
    marks: list[str]
    left_out: int


def prepare(table: pa.Table, limit: int = ROWS_SHOWN) -> Shown:
    """The first ``limit`` rows, each value with the mark of its status column beside it."""
    head = table.slice(0, limit)
    names = [name for name in table.column_names if not _is_status(table, name)]
    marks: set[str] = set()
    columns: list[list[str]] = []
    for name in names:
        values = head.column(name).to_pylist()
        statuses = _statuses(head, name)
        if f"{name}{STATUS_SUFFIX}" in table.column_names:
            marks |= set(table.column(f"{name}{STATUS_SUFFIX}").unique().to_pylist())
        columns.append([_cell(*pair) for pair in zip(_texts(values), statuses, strict=True)])
    return Shown(
        names,
        [_is_number(table.schema.field(name).type) for name in names],
        [list(row) for row in zip(*columns, strict=True)],
        sorted(mark for mark in marks if mark),
        table.num_rows - head.num_rows,
    )


def as_text(shown: Shown, notes: Sequence[str], source: str) -> str:
    widths = [
        max([len(name), *(len(row[index]) for row in shown.rows)]) for index, name in enumerate(shown.columns)
    ]

    def line(cells: Sequence[str]) -> str:
        pairs = zip(cells, widths, shown.numeric, strict=True)
        return "  ".join(c.rjust(w) if number else c.ljust(w) for c, w, number in pairs).rstrip()

    lines = [line(shown.columns), "  ".join("-" * width for width in widths), *map(line, shown.rows)]
    return "\n".join([*lines, *_footer(shown, notes, source)])


def as_html(shown: Shown, notes: Sequence[str], source: str) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in shown.columns)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td style="text-align:{"right" if number else "left"}">{escape(cell)}</td>'
            for cell, number in zip(row, shown.numeric, strict=True)
        )
        + "</tr>"
        for row in shown.rows
    )
    footer = "".join(f"<p>{escape(text)}</p>" for text in _footer(shown, notes, source))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><footer>{footer}</footer>"


def _footer(shown: Shown, notes: Sequence[str], source: str) -> list[str]:
    more = [f"({shown.left_out:,} more rows)"] if shown.left_out else []
    legend = [f"{mark} {MEANINGS.get(mark, 'see the documentation of the node')}" for mark in shown.marks]
    return [*more, *legend, *(f"Note: {note}" for note in notes), f"Source: {source}"]


def _is_status(table: pa.Table, name: str) -> bool:
    return name.endswith(STATUS_SUFFIX) and name.removesuffix(STATUS_SUFFIX) in table.column_names


def _statuses(table: pa.Table, name: str) -> list[str]:
    status = f"{name}{STATUS_SUFFIX}"
    if status not in table.column_names:
        return [""] * table.num_rows
    return [mark or "" for mark in table.column(status).to_pylist()]


def _cell(text: str, mark: str) -> str:
    return " ".join(part for part in (text, mark) if part)


def _texts(values: Sequence[object]) -> list[str]:
    """A column as text: figures with as many decimals as one of them needs, four at most.

    Thousands are parted where the column has a figure of five digits, so that years stay years.
    """
    figures: list[float | Decimal] = [
        v for v in values if isinstance(v, int | float | Decimal) and not isinstance(v, bool)
    ]
    decimals = max((_decimals(figure) for figure in figures), default=0)
    comma = "," if any(not -10_000 < figure < 10_000 for figure in figures) else ""
    form = f"{comma}.{decimals}f"
    known = set(map(id, figures))
    return ["" if v is None else format(v, form) if id(v) in known else str(v) for v in values]


def _decimals(figure: float | Decimal) -> int:
    if isinstance(figure, int):
        return 0
    if isinstance(figure, Decimal):
        return min(DECIMALS_SHOWN, max(0, -int(figure.as_tuple().exponent)))
    return len(f"{figure:.{DECIMALS_SHOWN}f}".rstrip("0").partition(".")[2])


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))
