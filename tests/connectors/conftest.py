"""A market on every engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.connectors.engines import ENGINES
from tests.connectors.labour import Market
from tests.connectors.postgresql_market import Server
from tests.support import postgresql
from tests.support.spark import QUICK, Cluster, cluster


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """One server for the session; without the server's programs its tests are skipped."""
    with postgresql.server() as url:
        yield Server(url.partition("?host=")[2])


@pytest.fixture(scope="session")
def spark_cluster() -> Iterator[Cluster]:
    """The one cluster of the session; skipped where it is left out."""
    with cluster(QUICK) as running:
        yield running


def _parameter(engine: str) -> object:
    slow = [pytest.mark.spark, pytest.mark.timeout(900)]  # the first one starts the cluster
    return pytest.param(engine, marks=slow if engine.startswith("spark") else ())


@pytest.fixture(params=[_parameter(engine) for engine in ENGINES])
def market(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Market]:
    market = ENGINES[request.param](request, tmp_path)
    yield market
    market.close()
