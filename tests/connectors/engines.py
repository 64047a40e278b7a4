"""Every engine that the conformance suite runs on, by name, and how a market of it is made.

An engine is added here and nowhere else: a Market of its own, and a fixture of tests/connectors/conftest.py for
the server that it needs, which skips with a reason where the server cannot run.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.connectors.labour import FORMATS, DuckDBMarket, Market
from tests.connectors.postgresql_market import PostgreSQLMarket, Server

Maker = Callable[[pytest.FixtureRequest, Path], Market]


def _duckdb(format_: str, request: pytest.FixtureRequest, folder: Path) -> Market:
    return DuckDBMarket(format_, folder)


def _postgresql(request: pytest.FixtureRequest, folder: Path) -> Market:
    server: Server = request.getfixturevalue("postgresql_server")
    return PostgreSQLMarket(server)


ENGINES: dict[str, Maker] = {
    **{format_: partial(_duckdb, format_) for format_ in FORMATS},
    "postgresql": _postgresql,
}
