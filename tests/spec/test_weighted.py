"""Weighted estimates: totals, means, rates and quantiles by the survey weight that the catalogue declares."""

from __future__ import annotations

import duckdb
import pytest

from policies.compiler import compile_query
from policies.refusals import Code, RefusalError
from tests.support.answer import Answerer
from tests.support.labour import labour_market
from tests.support.null_profile import NULL_PROFILE


@pytest.fixture(scope="module")
def answerer(tmp_path_factory: pytest.TempPathFactory) -> Answerer:
    return Answerer(labour_market(tmp_path_factory.mktemp("labour"), NULL_PROFILE))


def test_the_weighted_median_is_where_half_of_the_weight_lies(answerer: Answerer) -> None:
    people = (answerer.market.folder / "people.parquet").as_posix()
    by_hand = duckdb.sql(f"""
        WITH w AS (SELECT sex, pay, sum(weight) OVER (PARTITION BY sex ORDER BY pay) AS below,
                          sum(weight) OVER (PARTITION BY sex) AS whole
                   FROM '{people}' WHERE pay IS NOT NULL)
        SELECT sex, min(pay) FROM w WHERE below >= whole / 2 GROUP BY sex""").fetchall()
    found = answerer.answer("select sex, weighted_median(pay, weight) from people group by sex")
    assert found.column_names[:2] == ["sex", "weighted_median(pay, weight)"]
    medians = dict(zip(found.column(0).to_pylist(), found.column(1).to_pylist(), strict=True))
    # The grid has steps of five.
    assert all(abs(medians[sex] - pay) <= 5 for sex, pay in by_hand)


def test_weighted_quantiles_go_up(answerer: Answerer) -> None:
    row = answerer.answer(
        "select weighted_quantile(pay, weight, 0.1) a, weighted_quantile(pay, weight, 0.5) b,"
        " weighted_median(pay, weight) c, weighted_quantile(pay, weight, 0.9) d from people"
    ).to_pylist()[0]
    assert row["a"] < row["b"] == row["c"] < row["d"]


def test_the_weighted_mean_is_the_total_over_the_weight(answerer: Answerer) -> None:
    row = answerer.answer(
        "select weighted_avg(pay, weight) a,"
        " sum(weight * pay) / sum(case when pay is not null then weight end) b from people"
    ).to_pylist()[0]
    assert row["a"] == pytest.approx(row["b"], rel=1e-9)


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("select weighted_median(pay) from people", Code.UNSUPPORTED_SYNTAX),
        ("select weighted_median(pay, hours) from people", Code.MEASURE_EXPRESSION),
        ("select weighted_quantile(pay, weight, 0.123) from people", Code.QUANTILE_NOT_DECLARED),
        ("select weighted_median(pay, 2) from people", Code.UNKNOWN_FUNCTION),
        ("select median(pay * weight) from people", Code.PREDICATE_NOT_BOX),
    ],
)
def test_what_is_not_the_declared_weight_is_refused(answerer: Answerer, sql: str, code: Code) -> None:
    with pytest.raises(RefusalError) as refused:
        compile_query(sql, answerer.market.context())
    assert refused.value.refusals[0].code is code
