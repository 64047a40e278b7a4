"""Second units are counted up to as many as are enough: never more of them than there are, however they are written."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import duckdb
import pytest

from catalogue.fragment import Axis, Block, Column, Field, Fragment, Table, Tally
from connectors.duckdb import DuckDBConnector
from connectors.postgresql import PostgreSQLConnector
from connectors.postgresql_session import Limits
from connectors.protocol import Connector
from connectors.sources import DatabaseSource
from tests.connectors.postgresql_market import Server

AREAS = ("few", "many", "none")
AREA = Axis(Column(Field("area"), AREAS), (0, 1, 2), 3)


def counted(connector: Connector, table: str, enough: int) -> dict[str | None, int]:
    """Second units by area, and of everybody under None."""
    blocks, tally = (Block((AREA,)), Block(())), (Tally("t"),)
    asked = Fragment(
        Table("data", table, "people"), (), None, Field("rkey"), Field("employer"), None, None, (),
        blocks, tally, enough,
    )  # fmt: skip
    (raw,) = connector.run((asked,), deadline=time.monotonic() + 60, cancel=threading.Event())
    connector.close()
    return {
        None if part is None else AREAS[part]: second
        for part, second in zip(raw.cells["p0"].to_pylist(), raw.cells["t_second"].to_pylist(), strict=True)
    }


def native(folder: Path, *statements: str) -> Connector:
    path = folder / "people.duckdb"
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)
    return DuckDBConnector(DatabaseSource(path))


PEOPLE = """
CREATE TABLE people AS
SELECT i AS rkey, CASE WHEN i % 2 = 0 THEN 'many' WHEN i % 3 = 0 THEN 'none' ELSE 'few' END AS area,
  CASE WHEN i % 2 = 0 THEN i % 100 WHEN i % 3 > 0 THEN i % 4 END AS employer
FROM generate_series(1, 600) AS s(i)
"""


@pytest.mark.parametrize("enough", [1, 2, 3, 20, 60, 1000])
def test_as_many_as_there_are_or_as_are_enough(enough: int, tmp_path: Path) -> None:
    """Fifty in one area, two in another, and people of none; twenty can be proved by bits, a thousand cannot."""
    found = counted(native(tmp_path, PEOPLE), "people", enough)
    assert found == {"many": min(50, enough), "few": min(2, enough), "none": 0, None: min(52, enough)}


def test_texts_that_a_collation_of_duckdb_takes_for_equal_are_told_apart(tmp_path: Path) -> None:
    """As on every engine. A database that declares none pays nothing for it."""
    connector = native(
        tmp_path,
        "CREATE TABLE people (rkey INTEGER, area VARCHAR COLLATE NOCASE, employer VARCHAR COLLATE NOCASE)",
        "INSERT INTO people VALUES (1, 'few', 'a'), (2, 'few', 'A'), (3, 'FEW', 'b')",
    )
    assert counted(connector, "people", 9) == {"few": 2, None: 3}


def test_numbers_of_postgresql_that_are_equal_are_one_however_they_are_written(
    postgresql_server: Server,
) -> None:
    """Or a single employer would be proved to be several."""
    postgresql_server.execute(
        "DROP SCHEMA IF EXISTS seconds CASCADE",
        "CREATE SCHEMA seconds",
        "CREATE TABLE seconds.people (rkey, area, employer) AS VALUES"
        " (1, 'few', '0'::double precision), (2, 'few', '-0'), (3, 'few', '0.0')",
    )
    connector = PostgreSQLConnector(postgresql_server.conninfo, ("seconds",), Limits())
    assert counted(connector, "people", 2) == {"few": 1, None: 1}
