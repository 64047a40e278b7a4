"""The same cell query gives the same protected cells on every engine: values, statuses and rows, to the digit."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, reject, settings

from catalogue.catalogue import bind_dataset
from federation.holders.local import LocalHolder
from policies.cells import FIRST_HIDDEN, Status
from policies.compiler import compile_query
from policies.plan import CellQuery
from policies.protect import NoiseKey
from policies.refusals import RefusalError
from tests.connectors.labour import DuckDBMarket, Market, SqliteMarket
from tests.connectors.postgresql_market import PostgreSQLMarket, Server
from tests.support.generated_sql import Query, queries
from tests.support.labour import CODELISTS, LabourMarket, labour_market
from tests.support.profiles import standard_profile
from tests.support.thorough import thorough
from tests.support.verifications import Remembered

TABLES = ("people", "employers", "learners")


@pytest.fixture
def asked(tmp_path: Path) -> LabourMarket:
    """The labour market, with every table at a location that reads alike on every engine."""
    market = labour_market(tmp_path, standard_profile(), people=600)
    moved = {}
    for name, dataset in market.catalogue.datasets.items():
        source = dataset.document.source.model_copy(update={"location": name})
        moved[name] = bind_dataset(dataset.document.model_copy(update={"source": source}), CODELISTS)
    return replace(market, catalogue=replace(market.catalogue, datasets=moved))


@pytest.fixture
def markets(asked: LabourMarket, postgresql_server: Server, tmp_path: Path) -> Iterator[dict[str, Market]]:
    found: dict[str, Market] = {"sqlite": SqliteMarket(tmp_path)}
    for format_ in ("partitioned", "database"):
        folder = tmp_path / format_
        folder.mkdir()
        found[format_] = DuckDBMarket(format_, folder)
    found["postgresql"] = PostgreSQLMarket(postgresql_server, "protected")
    for name in TABLES:
        table = pq.read_table(asked.folder / f"{name}.parquet")
        for market in found.values():
            market.store(name, table)
    yield found
    for market in found.values():
        market.close()


@thorough
def test_every_engine_gives_the_same_protected_cells(asked: LabourMarket, markets: dict[str, Market]) -> None:
    holders = {
        name: LocalHolder(
            {"duckdb": market.connector},
            asked.catalogue,
            NoiseKey(bytes(range(32)), 1),
            Remembered(sound=True),
        )
        for name, market in markets.items()
    }
    seen: Counter[Status] = Counter()

    def agree(query: CellQuery) -> None:
        found = {}
        for name, holder in holders.items():
            cells = holder.answer(query, deadline=time.monotonic() + 120, cancel=threading.Event())
            found[name] = (cells.sparse, cells.table.schema, cells.table.to_pylist())
        expected = found.pop("partitioned")
        for name, cells_ in found.items():
            assert cells_ == expected, name
        for row in expected[2]:
            seen.update(Status(value) for name, value in row.items() if name[0] == "s" and name[1:].isdigit())

    @settings(
        max_examples=15,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        database=None,
    )
    @given(queries(above=False))
    def check(query: Query) -> None:
        try:
            plan = compile_query(query.sql, asked.context())
        except RefusalError:
            reject()
        for cell_query in plan.queries:
            agree(cell_query)

    check()
    assert seen[Status.PUBLISHED] > 20, "the engines must not agree on nothing but withheld cells"
    assert sum(n for status, n in seen.items() if status >= FIRST_HIDDEN) > 20
