"""The statements that give a table record keys, run by each engine's own client; then units that come later."""

from __future__ import annotations

import csv
import re
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalogue.fragment import Block, Field, Fragment, Table, Tally
from connectors.duckdb import DuckDBConnector
from connectors.key_table import KeyTable, key_table_sql
from connectors.kinds import duckdb as duckdb_kind
from connectors.kinds import postgresql as postgresql_kind
from connectors.kinds import sqlite as sqlite_kind
from connectors.postgresql import PostgreSQLConnector
from connectors.postgresql_session import Limits
from connectors.protocol import ColumnType, Connector, TypeKind
from connectors.sources import DatabaseSource, FileSource, SqliteSource
from connectors.spark_key_table import spark_key_table_sql
from connectors.sqlite import SqliteConnector
from federation.importing.record_keys import record_keys
from tests.connectors.postgresql_market import Server
from tests.support.spark import Cluster

UNITS = ("17", "it's", 'a "b", c', "é")
LATER = "late"
BY_HAND = "--    federation sources keys "
SECRET = bytes(range(32))
ALL = sum(record_keys([*UNITS, LATER], SECRET).to_pylist()) % 10**8

Run = Callable[[str], None]


def make_keys(folder: Path) -> None:
    """What ``federation sources keys --units --out`` does."""
    with (folder / "units.csv").open(encoding="utf-8", newline="") as file:
        units = [row[0] for row in csv.reader(file) if row][1:]
    with (folder / "keys.csv").open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["unit", "record_key"])
        lines.writerows(zip(units, record_keys(units, SECRET).to_pylist(), strict=True))


def follow(statements: str, run: Run, folder: Path) -> None:
    """Run the statements up to the keys, make those, and run the rest."""
    before, by_hand, after = statements.partition(BY_HAND)
    run(before)
    make_keys(folder)
    run(by_hand + after)


def counted(connector: Connector, location: str) -> tuple[int, int]:
    """Units and the sum of their keys, as the node reads them."""
    asked = Fragment(
        Table("data", location, "people"), (), Field('"staff no"'), Field("record_key"), None, None, None, (),
        (Block(()),), (Tally("t"),),
    )  # fmt: skip
    (raw,) = connector.run((asked,), deadline=time.monotonic() + 240, cancel=threading.Event())
    connector.close()
    return raw.cells["t_n"][0].as_py(), raw.cells["t_key"][0].as_py()


def rows(*units: str | None) -> str:
    return ", ".join("(NULL, 1)" if u is None else "('" + u.replace("'", "''") + "', 1)" for u in units)


def shell(folder: Path, *command: str) -> Run:
    def run(statements: str) -> None:
        done = subprocess.run(
            command, input=statements, text=True, cwd=folder, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "rror" not in done.stderr

    return run


def test_sqlite(tmp_path: Path) -> None:
    path = tmp_path / "people.sqlite"

    def write(statement: str) -> None:
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(statement)

    write('CREATE TABLE people ("staff no" TEXT, posts INTEGER)')
    write(f"INSERT INTO people VALUES {rows(*UNITS, UNITS[0])}")
    run = shell(tmp_path, "sqlite3", "-bail", str(path))
    follow(key_table_sql(KeyTable("people", "people", "staff no"), sqlite_kind.LOADING), run, tmp_path)
    view = "federation_people_with_keys"
    write(f"INSERT INTO people VALUES {rows(LATER)}")
    follow(key_table_sql(KeyTable("people", view, "staff no"), sqlite_kind.LOADING), run, tmp_path)
    assert (tmp_path / "units.csv").read_text().split() == ["unit", LATER], "only what has no key yet"
    assert counted(SqliteConnector(SqliteSource(path)), view) == (5, ALL)


def test_duckdb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "people.duckdb"
    monkeypatch.chdir(tmp_path)

    def run(statements: str) -> None:
        with duckdb.connect(str(path)) as connection:
            connection.execute(statements)

    run('CREATE TABLE people ("staff no" VARCHAR, posts INTEGER)')
    run(f"INSERT INTO people VALUES {rows(*UNITS, UNITS[0])}")
    follow(key_table_sql(KeyTable("people", "people", "staff no"), duckdb_kind.LOADING), run, tmp_path)
    view = "federation.people_with_keys"
    run(f"INSERT INTO people VALUES {rows(LATER)}")
    follow(key_table_sql(KeyTable("people", view, "staff no"), duckdb_kind.LOADING), run, tmp_path)
    assert counted(DuckDBConnector(DatabaseSource(path)), view) == (5, ALL)


@pytest.mark.parametrize("kept", [True, False])
def test_files_have_no_views(kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the keys are kept in a database or made again each time."""
    monkeypatch.chdir(tmp_path)
    for location in ("people.parquet", "people_with_keys.parquet"):
        units = UNITS if location == "people.parquet" else (*UNITS, LATER)
        with duckdb.connect("keys.duckdb" if kept else ":memory:") as connection:
            given = f'(VALUES {rows(*units)}) AS v("staff no", posts)'
            connection.execute(f"COPY (FROM {given}) TO 'people.parquet'")
            statements = key_table_sql(KeyTable("people", location, "staff no"), duckdb_kind.LOADING)
            follow(statements, lambda text: (connection.execute(text), None)[1], tmp_path)
    assert ((tmp_path / "units.csv").read_text().split() == ["unit", LATER]) is kept
    assert counted(DuckDBConnector(FileSource(tmp_path)), "people_with_keys.parquet") == (5, ALL)


def test_postgresql(postgresql_server: Server, tmp_path: Path) -> None:
    postgresql_server.execute(
        "DROP SCHEMA IF EXISTS federation, hr CASCADE", "CREATE SCHEMA hr",
        'CREATE TABLE hr.people ("staff no" character(12), posts integer)',
        f"INSERT INTO hr.people VALUES {rows(*UNITS, UNITS[0])}",
        "DROP ROLE IF EXISTS keyed", "CREATE ROLE keyed LOGIN",
    )  # fmt: skip
    where = ("-h", postgresql_server.host, "-U", "federation", "-d", "postgres")
    run = shell(tmp_path, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *where)
    follow(key_table_sql(KeyTable("people", "hr.people", "staff no"), postgresql_kind.LOADING), run, tmp_path)
    view = "federation.people_with_keys"
    postgresql_server.execute(
        f"INSERT INTO hr.people VALUES {rows(LATER)}", "GRANT USAGE ON SCHEMA federation TO keyed",
        f"GRANT SELECT ON {view} TO keyed",
    )  # fmt: skip
    follow(key_table_sql(KeyTable("people", view, "staff no"), postgresql_kind.LOADING), run, tmp_path)
    as_reader = postgresql_server.conninfo.replace("user='federation'", "user='keyed'")
    assert counted(PostgreSQLConnector(as_reader, ("federation",), Limits()), view) == (5, ALL)
    postgresql_server.execute("DROP OWNED BY keyed", "DROP ROLE keyed", "DROP SCHEMA federation, hr CASCADE")


def spark_shell(cluster: Cluster, folder: Path) -> Run:
    """Each statement in a session of the cluster, whose own folder stands for what it shares with its custodian."""
    from pyspark.sql.connect.session import SparkSession

    from tests.connectors.spark_market import SMALL, url

    def run(statements: str) -> None:
        if (folder / "keys.csv").exists():
            shutil.move(folder / "keys.csv", cluster.folder / "keys.csv")
        session = SparkSession(url(cluster))
        try:
            for key, value in SMALL.items():
                session.conf.set(key, value)
            for statement in re.split(r";$", re.sub(r"(?m)^--.*$", "", statements), flags=re.MULTILINE):
                if statement.strip():
                    session.sql(statement).collect()
        finally:
            session.stop()
        if (cluster.folder / "units.csv").exists():
            (part,) = (cluster.folder / "units.csv").glob("part-*.csv")
            shutil.move(part, folder / "units.csv")
            shutil.rmtree(cluster.folder / "units.csv")

    return run


@pytest.mark.spark
@pytest.mark.timeout(900)  # it may start the cluster
@pytest.mark.parametrize("with_root", [True, False])
def test_spark(spark_cluster: Cluster, tmp_path: Path, with_root: bool) -> None:
    from connectors.spark import SparkConnector
    from connectors.spark_tables import CatalogTables, ParquetRoot
    from tests.connectors.spark_market import SMALL, url

    run = spark_shell(spark_cluster, tmp_path)
    root = spark_cluster.folder / "keyed's `lake`"
    stored = (root / "people") if with_root else (spark_cluster.folder / "keyed_people")
    location, with_keys = (
        ("people", "people_with_keys") if with_root else ("hr.people", "federation.people_with_keys")
    )

    def store(*units: str | None) -> None:
        place = stored / "area=01" if with_root else stored
        place.mkdir(parents=True, exist_ok=True)
        pq.write_table(
            pa.table({"staff no": pa.array(units, pa.string()), "posts": [1] * len(units)}),
            place / "part.parquet",
        )
        if not with_root:
            run(
                f"CREATE SCHEMA IF NOT EXISTS hr;\nDROP TABLE IF EXISTS hr.people;\n"
                f"CREATE TABLE hr.people USING parquet LOCATION '{stored}';"
            )

    blanks = " \\ \n"
    store(*UNITS, UNITS[0], blanks, None)
    statements = spark_key_table_sql(
        KeyTable("people", location, "staff no"), str(root) if with_root else None
    )
    follow(statements, run, tmp_path)

    def opened() -> SparkConnector:
        return SparkConnector(
            url(spark_cluster), ParquetRoot(str(root)) if with_root else CatalogTables(), SMALL
        )

    described = opened().describe(Table("data", with_keys, "people"))
    assert described["record_key"] == ColumnType(TypeKind.INTEGER, 10)
    if with_root:
        assert described["area"] == ColumnType(TypeKind.TEXT), "a folder's code keeps its zero"
    expected = sum(record_keys([*UNITS, blanks], SECRET).to_pylist()) % 10**8
    assert counted(opened(), with_keys) == (6, expected), "who has no number has no key"
    store(*UNITS, LATER)
    follow(statements, run, tmp_path)
    assert counted(opened(), with_keys) == (5, ALL)
    run("DROP SCHEMA IF EXISTS federation CASCADE;\nDROP SCHEMA IF EXISTS hr CASCADE;")
