"""Every engine that the conformance suite runs on, by name, and how a market of it is made.

An engine of this software is added here and nowhere else, one of somebody else's by an entry point of the group
``federation.conformance`` that gives its maker: a Market of its own, and a fixture of tests/connectors/conftest.py for
the server that it needs, which skips with a reason where the server cannot run.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.connectors.labour import FORMATS, DuckDBMarket, Market, SqliteMarket
from tests.connectors.postgresql_market import PostgreSQLMarket, Server

Maker = Callable[[pytest.FixtureRequest, Path], Market]


def _duckdb(format_: str, request: pytest.FixtureRequest, folder: Path) -> Market:
    return DuckDBMarket(format_, folder)


def _spark(storage: str, request: pytest.FixtureRequest, folder: Path) -> Market:
    cluster = request.getfixturevalue("spark_cluster")
    from tests.connectors.spark_market import SparkMarket  # needs pyspark

    return SparkMarket(storage, cluster)


def _postgresql(request: pytest.FixtureRequest, folder: Path) -> Market:
    server: Server = request.getfixturevalue("postgresql_server")
    return PostgreSQLMarket(server)


def _sqlite(request: pytest.FixtureRequest, folder: Path) -> Market:
    return SqliteMarket(folder)


ENGINES: dict[str, Maker] = {
    **{format_: partial(_duckdb, format_) for format_ in FORMATS},
    **{f"spark_{storage}": partial(_spark, storage) for storage in ("parquet", "catalog")},
    "postgresql": _postgresql,
    "sqlite": _sqlite,
}
ENGINES |= {entry.name: entry.load() for entry in entry_points(group="federation.conformance")}
