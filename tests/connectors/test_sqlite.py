"""SQLite: rows of any type in any column, and files that are missing, locked, damaged or changing."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from catalogue.fragment import (
    Axis,
    Block,
    Column,
    Field,
    Fragment,
    Magnitude,
    Measure,
    SourceError,
    SourceFault,
    Table,
    Tally,
)
from connectors.protocol import ColumnType, TypeKind
from connectors.sources import SqliteSource
from connectors.sqlite import BATCH_ROWS, SqliteConnector

PEOPLE = Table("data", "people", "people")
SECRET = "987654321"
PAY = Measure("pay", Field("pay"), 2)


def write(path: Path, *statements: str, journal: str = "delete") -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"PRAGMA journal_mode = {journal}")
        for statement in statements:
            connection.execute(statement)


def fill(rows: int) -> str:
    return (
        f"WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < {rows})"
        " INSERT INTO people SELECT i, i, CASE WHEN i > 5000 THEN 'a' END, i / 100.0 FROM r"
    )


CREATE = "CREATE TABLE people (id INTEGER, rkey INTEGER, area TEXT, pay DECIMAL(10, 2))"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a market?#%.sqlite"  # signs that mean something in a URI
    write(path, CREATE, fill(1000))
    return path


@pytest.fixture
def connector(path: Path) -> Iterator[SqliteConnector]:
    connector = SqliteConnector(SqliteSource(path), threads=2)
    yield connector
    connector.close()


def fragment(*values: Any, table: Table = PEOPLE) -> Fragment:
    column = Column(Field("area"), values or ("a", None))
    axis = Axis(column, tuple(range(len(column.values))), len(column.values))
    asked = (Tally("t"), Magnitude("m", PAY))
    return Fragment(table, (), None, Field("rkey"), None, None, None, (), (Block((axis,)),), asked)


def run(connector: SqliteConnector, asked: Fragment, cancel: Any = None, seconds: float = 60) -> list[Any]:
    (raw,) = connector.run((asked,), deadline=time.monotonic() + seconds, cancel=cancel or threading.Event())
    return sorted(
        ((row["p0"], row["t_n"], row["t_key"], str(row["m_sum"])) for row in raw.cells.to_pylist()),
    )


def fails(connector: SqliteConnector, fault: SourceFault, asked: Fragment | None = None, **how: Any) -> None:
    with pytest.raises(SourceError) as raised:
        run(connector, asked or fragment(), **how)
    assert raised.value.fault is fault
    assert raised.value.__context__ is None, "the driver's exception, which may quote values, is not chained"
    assert SECRET not in "".join(traceback.format_exception(raised.value))


def test_any_type_in_any_column_is_read_alike_and_raises_nothing(tmp_path: Path) -> None:
    """The first rows are null and the first batch is full, so that nothing can be guessed from them."""
    path = tmp_path / "market.sqlite"
    strange = [
        f"INSERT INTO people VALUES ({SECRET}, 5, {area}, {pay})"
        for area, pay in (
            ("x'ff00'", "'high'"), ("CAST(x'ff41' AS TEXT)", "9e999"), ("7", "-9e999"), ("0.5", "x'00'"),
            ("'a'", "12.345"), ("'a'", "'0.5'"),
        )
    ]  # fmt: skip
    write(path, CREATE, fill(BATCH_ROWS + 10), *strange, "INSERT INTO people VALUES ('q', 5, 'b', 1)")
    connector = SqliteConnector(SqliteSource(path), threads=2)
    found = run(connector, fragment("b", "xFF00", "7", "0.5", "\ufffdA"))
    connector.close()
    assert found == [
        (0, 1, 5, "1.00"), (1, 1, 5, "0.00"), (2, 1, 5, "0.00"), (3, 1, 5, "0.00"), (4, 1, 5, "0.00"),
    ]  # fmt: skip


def test_text_in_a_column_of_integers_is_no_code_but_not_null(path: Path, connector: SqliteConnector) -> None:
    write(
        path, "CREATE TABLE odd (rkey INTEGER, area INTEGER, pay REAL)",
        "INSERT INTO odd VALUES (1, 3, 1), (2, 'three', 'one'), (3, NULL, NULL)",
    )  # fmt: skip
    assert run(connector, fragment(3, None, table=Table("data", "odd", "odd"))) == [
        (0, 1, 1, "1.00"), (1, 1, 3, "0.00"),
    ]  # fmt: skip


def test_types_are_what_columns_declare(path: Path, connector: SqliteConnector) -> None:
    write(path, "CREATE VIEW working AS SELECT id, area, pay, pay * 2 AS twice FROM people")
    assert connector.describe(PEOPLE) == {
        "id": ColumnType(TypeKind.INTEGER, 19), "rkey": ColumnType(TypeKind.INTEGER, 19),
        "area": ColumnType(TypeKind.TEXT), "pay": ColumnType(TypeKind.DECIMAL, 10, 2),
    }  # fmt: skip
    view = connector.describe(Table("data", "working", "working"))
    assert view["pay"] == ColumnType(TypeKind.DECIMAL, 10, 2)
    assert view["twice"] == ColumnType(TypeKind.TEXT), "a column of no type may hold any"


def test_nothing_is_written(path: Path, connector: SqliteConnector) -> None:
    before = path.read_bytes()
    assert run(connector, fragment()) == [(1, 1000, 500500, "5005.00")]
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
    path.chmod(0o400)
    assert run(connector, fragment()) == [(1, 1000, 500500, "5005.00")]


def test_missing_things(path: Path, connector: SqliteConnector) -> None:
    fails(connector, SourceFault.MISSING, fragment(table=Table("data", "nobody", "nobody")))
    write(path, "CREATE TABLE bare (id INTEGER, rkey INTEGER, pay REAL)")
    fails(connector, SourceFault.SCHEMA, fragment(table=Table("data", "bare", "bare")))
    path.unlink()
    fails(connector, SourceFault.UNREACHABLE)


def test_a_location_is_a_name_and_no_sql(connector: SqliteConnector) -> None:
    for location in ("people; DROP TABLE people", 'people" WHERE 0 --', "people') --", ""):
        fails(connector, SourceFault.MISSING, fragment(table=Table("data", location, "people")))
    assert run(connector, fragment()) == [(1, 1000, 500500, "5005.00")]


def test_files_that_are_no_database_or_damaged(path: Path, connector: SqliteConnector) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + os.urandom(len(whole) - 4096))
    fails(connector, SourceFault.FAILED)
    path.write_text(SECRET * 1000)
    fails(connector, SourceFault.FAILED)
    path.write_bytes(whole)
    assert run(connector, fragment()) == [(1, 1000, 500500, "5005.00")]


def test_a_database_that_another_process_has_locked(path: Path, connector: SqliteConnector) -> None:
    lock = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "c.execute('BEGIN EXCLUSIVE'); print('locked', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", lock, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        fails(connector, SourceFault.UNREACHABLE)
        writer.communicate()
    assert run(connector, fragment()) == [(1, 1000, 500500, "5005.00")]


class Trap:
    """A cancel signal that never fires, but changes the source while the run asks about it."""

    def __init__(self, change: Callable[[], object]) -> None:
        self.change: Callable[[], object] | None = change

    def is_set(self) -> bool:
        change, self.change = self.change, None
        if change is not None:
            change()
        return False


@pytest.mark.parametrize("journal", ["delete", "wal"])
@pytest.mark.parametrize(
    "what", ["INSERT INTO people VALUES (0, 0, 'a', 0)", "ALTER TABLE people ADD extra TEXT"]
)
def test_a_change_under_the_query(path: Path, connector: SqliteConnector, journal: str, what: str) -> None:
    write(path, "SELECT 1", journal=journal)
    with closing(sqlite3.connect(path)) as holding:  # keeps the write-ahead log from being folded in
        holding.execute("SELECT * FROM people").fetchone()
        first = connector.snapshot(PEOPLE)
        fails(connector, SourceFault.CHANGED, cancel=Trap(lambda: write(path, what, journal=journal)))
        assert connector.snapshot(PEOPLE) != first
        second = connector.snapshot(PEOPLE)
        run(connector, fragment())
        assert connector.snapshot(PEOPLE) == second, "reading is no change"


def test_cancel_and_deadline(path: Path, connector: SqliteConnector) -> None:
    write(path, fill(300_000))
    cancelled = threading.Event()
    cancelled.set()
    fails(connector, SourceFault.CANCELLED, cancel=cancelled)
    fails(connector, SourceFault.TIMEOUT, seconds=0.15)
    threading.Timer(0.15, connector.close).start()
    started = time.monotonic()
    fails(connector, SourceFault.CANCELLED)
    assert time.monotonic() - started < 5


def test_too_little_memory(path: Path) -> None:
    write(path, fill(400_000))
    connector = SqliteConnector(SqliteSource(path), threads=1, memory_limit="1MB")
    fails(connector, SourceFault.RESOURCES)
    connector.close()


def test_the_statements_are_shown_without_reading_a_row(connector: SqliteConnector) -> None:
    assert "GROUP BY" in "\n".join(connector.explain(fragment()))
