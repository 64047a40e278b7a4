"""Earnings in PostgreSQL at one node, people in SQLite at the hub, vacancies in Parquet at a third: one question."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tests.support import postgresql
from tests.support.nations import AREAS, PEOPLE, ROWS, SOURCE, hub_files, nations
from tests.support.node import people
from tests.support.thorough import thorough
from tests.unit.holders.test_nations import VERTICAL

COLUMNS = {
    "person_id": "integer", "record_key": "integer", "area": "text", "sex": "text", "age": "integer",
    "pay": "double precision",
}  # fmt: skip


def in_postgresql(url: str, table: pa.Table) -> None:
    """A copy of the people whom the node in England holds as Parquet."""
    driver = pytest.importorskip("adbc_driver_postgresql.dbapi")
    conninfo = f"host='{url.partition('?host=')[2]}' user='federation' dbname='postgres'"
    with driver.connect(conninfo, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.adbc_ingest("loaded", table, mode="create")
        columns = ", ".join(f"{name}::{type_} AS {name}" for name, type_ in COLUMNS.items())
        cursor.execute(f"CREATE TABLE people AS SELECT {columns} FROM loaded")
        cursor.execute("DROP TABLE loaded")


def in_sqlite(path: Path, table: pa.Table) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        columns = ", ".join(f"{name} {type_}" for name, type_ in COLUMNS.items())
        connection.execute(f"CREATE TABLE people ({columns})")
        rows = zip(*(table[name].to_pylist() for name in COLUMNS), strict=True)
        connection.executemany(f"INSERT INTO people VALUES ({', '.join('?' * len(COLUMNS))})", rows)


@thorough
def test_one_question_over_three_engines_has_the_digits_of_one_engine(tmp_path: Path) -> None:
    """Each part under its own profile and by its own node; where rows are stored makes no difference to anybody."""
    everybody = people(ROWS)
    english = everybody.filter(pc.is_in(everybody["area"], pa.array(AREAS["E"])))
    in_sqlite(tmp_path / "people.sqlite", everybody)
    with postgresql.server() as url:
        in_postgresql(url, english)
        home = url.partition("?host=")[2]
        payroll = f"payroll: {{kind: postgresql, host: '{home}', user: federation, database: postgres}}, "
        register = f"register: {{kind: sqlite, database: '{tmp_path / 'people.sqlite'}'}}, "
        here = hub_files()["datasets/here.yaml"]
        changes = {
            "england": {
                "sources": payroll,
                "datasets/people.yaml": PEOPLE.replace(
                    SOURCE, "source: {connector: payroll, location: people}"
                ),
            },
            "hub": {
                "sources": register,
                "datasets/here.yaml": here.replace(SOURCE, "source: {connector: register, location: people}"),
            },
        }
        started = ("england", "board")
        with nations(tmp_path / "engines", changes, started) as engines:
            found = engines.table(engines.answer(VERTICAL))
        with nations(tmp_path / "files", started=started) as files:
            expected = files.table(files.answer(VERTICAL))
    assert found["people__status"].to_pylist() == ["", "[c]"]
    assert found == expected
