"""Resource exhaustion while a query is only compiled: no limit contains the node's own process, so nothing large runs.

DuckDB computes constants when it describes a query, and look-ups in code lists are answered while compiling.
"""

from __future__ import annotations

import time

import pytest

from policies.compiler import compile_query
from policies.refusals import RefusalError
from tests.support.labour import LabourMarket, labour_market
from tests.support.profiles import standard_profile


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> LabourMarket:
    return labour_market(tmp_path_factory.mktemp("labour"), standard_profile())


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) AS n, len(range(400000000)) AS v FROM people",
        "PIVOT (SELECT region, sex, count(*) AS n, len(range(400000000)) AS v FROM people GROUP BY ALL)"
        " ON sex USING sum(n)",
        "SELECT count(*) AS n FROM people WHERE age > len(range(400000000))",
        "SELECT count(*) AS n FROM people WHERE area IN (SELECT local_authority FROM geography, range(1000000000))",
        "SELECT count(*) AS n FROM people WHERE area IN"
        " (SELECT a.local_authority FROM geography a, geography b, geography c, geography d, geography e, geography f)",
        "SELECT count(*) AS n FROM people WHERE area IN"
        " (SELECT local_authority FROM geography WHERE len(range(length(local_authority) * 100000000)) > 1)",
        "SELECT count(*) AS n FROM people WHERE area IN"
        " (SELECT local_authority FROM geography WHERE lpad(local_authority, 2000000000, 'x') <> '')",
    ],
)
def test_it_is_refused_at_once(market: LabourMarket, sql: str) -> None:
    started = time.process_time()
    with pytest.raises(RefusalError):
        compile_query(sql, market.context())
    assert time.process_time() - started < 5


def test_a_plain_look_up_is_accepted(market: LabourMarket) -> None:
    areas = "SELECT local_authority FROM geography WHERE upper(region) <> 'NOWHERE'"
    assert compile_query(
        f"SELECT count(*) AS n FROM people WHERE area IN ({areas})", market.context()
    ).queries
