"""Protected tables written as text, and what a query over them presents, as text again.

A cell is a value (``120``), a value with a mark (``45 [u]``), a mark alone where it is hidden (``[c]``), or ``-`` for
an honest NULL.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa
import sqlglot

from policies.cells import Status
from policies.presentation.model import Column, Presentation, Relation
from policies.presentation.present import present

#: One engine for all tests, a cursor each: registered tables are a cursor's own.
ENGINE = duckdb.connect()

_BY_MARK = {status.mark: status for status in Status}


@dataclass(frozen=True)
class Table:
    """A relation of protected cells and its contents."""

    relation: Relation
    contents: pa.Table

    def plain(self) -> pa.Table:
        """The value columns alone."""
        return self.contents.select([c.name for c in self.relation.columns])


def table(name: str, text: str) -> Table:
    """Columns whose heading ends in ``*`` may be hidden: they have a status column."""
    lines = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    columns, arrays = [], {}
    for index, heading in enumerate(lines[0]):
        column, hideable = heading.rstrip("*"), heading.endswith("*")
        cells = [_parsed(line[index]) for line in lines[1:]]
        values = pa.array([value for value, _ in cells])
        if pa.types.is_null(values.type):
            values = values.cast(pa.int64())
        arrays[column] = values
        if hideable:
            arrays[f"s_{column}"] = pa.array([int(status) for _, status in cells], pa.int8())
        type_ = (
            "VARCHAR"
            if pa.types.is_string(values.type)
            else "DOUBLE"
            if pa.types.is_floating(values.type)
            else "BIGINT"
        )
        columns.append(Column(column, f"s_{column}" if hideable else None, type_))
    return Table(Relation(name, tuple(columns)), pa.table(arrays))


def _parsed(cell: str) -> tuple[Any, Status]:
    text, _, mark = cell.partition("[")
    status = _BY_MARK[f"[{mark}" if mark else ""]
    text = text.strip()
    if text in ("", "-"):
        return None, status
    for kind in (int, float):
        try:
            return kind(text), status
        except ValueError:
            continue
    return text, status


@dataclass(frozen=True)
class Shown:
    """A presented table: its columns, its rows as text, and how many rows each note counts."""

    columns: list[str]
    rows: list[list[str]]
    notes: dict[str, int]
    presentation: Presentation
    contents: pa.Table


def planned(sql: str, *tables: Table, clock: datetime | None = None) -> Presentation:
    """The presentation of ``sql`` over ``tables``, its columns named as DuckDB names them."""
    with ENGINE.cursor() as plain:
        for each in tables:
            plain.register(each.relation.name, each.plain())
        names = [column[0] for column in plain.execute(f"DESCRIBE {sql}").fetchall()]
    query = sqlglot.parse_one(sql, dialect="duckdb")
    return present(query, {t.relation.name: t.relation for t in tables}, names, clock=clock)


def show(sql: str, *tables: Table, clock: datetime | None = None) -> Shown:
    """Plan ``sql`` over ``tables`` and run it in an engine of the test's own."""
    presentation = planned(sql, *tables, clock=clock)
    with ENGINE.cursor() as engine:
        for each in tables:
            engine.register(each.relation.name, each.contents)
        contents = engine.sql(presentation.sql).to_arrow_table()
        notes = {n.kind: engine.execute(n.sql).fetchall()[0][0] for n in presentation.notes}
    values = [contents.column(c.name).to_pylist() for c in presentation.columns]
    statuses = [contents.column(c.status_name).to_pylist() for c in presentation.columns]
    columns = [
        [_shown(v, Status(s)) for v, s in zip(*pair, strict=True)]
        for pair in zip(values, statuses, strict=True)
    ]
    return Shown(
        [c.name for c in presentation.columns],
        [list(row) for row in zip(*columns, strict=True)],
        {kind: count for kind, count in notes.items() if count},
        presentation,
        contents,
    )


def rows(text: str) -> list[list[str]]:
    """Expected rows, as ``Shown.rows``."""
    return [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]


def _shown(value: object, status: Status) -> str:
    if status.hidden:
        assert value is None, "a hidden value is NULL"
        return status.mark
    text = "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    return f"{text} {status.mark}".strip()
