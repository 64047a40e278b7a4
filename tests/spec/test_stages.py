"""A scalar subquery below the line is a protected cell of its own, snapped to the grid; hidden, it hides everything."""

from __future__ import annotations

import pytest

from policies.cells import Status
from policies.compiler import compile_query
from policies.refusals import Code, RefusalError
from tests.support.answer import Answerer
from tests.support.labour import labour_market
from tests.support.profiles import standard_profile

LOW_PAY = "select region, count(*) n from people where pay < 2.0/3 * (select median(pay) from people) group by region"


@pytest.fixture(scope="module")
def answerer(tmp_path_factory: pytest.TempPathFactory) -> Answerer:
    return Answerer(labour_market(tmp_path_factory.mktemp("labour"), standard_profile()))


def test_low_pay_is_measured_against_the_protected_median(answerer: Answerer) -> None:
    median = answerer.answer("select median(pay) m from people").to_pylist()[0]["m"]
    threshold = 5 * round(float(median) * 2 / 3 / 5)
    by_hand = f"select region, count(*) n from people where pay < {threshold} group by region"
    assert answerer.answer(LOW_PAY).to_pylist() == answerer.answer(by_hand).to_pylist()


@pytest.mark.parametrize(
    "sql",
    [
        "with m as (select median(pay) as mid from people) select region, count(*) n from people"
        " where pay < 2.0/3 * (select mid from m) group by region",
        "with working as (select * from people where status = 'EMP'), m as (select median(pay) as mid from working)"
        " select region, count(*) n from people where pay < 2.0/3 * (select max(mid) from m) group by region",
    ],
)
def test_a_stage_may_be_a_common_table_expression(answerer: Answerer, sql: str) -> None:
    """Employees alone have pay here, so their median is everybody's."""
    assert answerer.answer(sql).to_pylist() == answerer.answer(LOW_PAY).to_pylist()


def test_a_hidden_stage_hides_the_whole_result(answerer: Answerer) -> None:
    nobody = LOW_PAY.replace(
        "from people)", "from people where age = 16 and area = 'W0612' and occupation = '91')"
    )
    table = answerer.answer(nobody)
    assert table.num_rows == 3
    assert table.column("n").null_count == 3
    assert set(table.column("__fed_status_n").to_pylist()) == {Status.CONFIDENTIAL}


def test_the_digest_does_not_depend_on_what_a_stage_answered(answerer: Answerer) -> None:
    asked = compile_query(LOW_PAY, answerer.market.context())
    assert answerer.plan(LOW_PAY).digest == asked.digest


@pytest.mark.parametrize(
    ("subquery", "code"),
    [
        ("select median(pay) from people group by region", Code.STAGE_NOT_SCALAR),
        ("select pay from people", Code.ROW_LEVEL),
        ("select median(q.pay) from people q where q.region = people.region", Code.STAGE_CORRELATED),
    ],
)
def test_what_is_not_one_protected_number_is_refused(answerer: Answerer, subquery: str, code: Code) -> None:
    with pytest.raises(RefusalError) as refused:
        compile_query(f"select count(*) from people where pay < ({subquery})", answerer.market.context())
    assert [refusal.code for refusal in refused.value.refusals] == [code]


def test_a_cte_that_only_a_stage_reads_is_no_part_of_what_runs(answerer: Answerer) -> None:
    through = "with m as (select median(pay) p from people) select count(*) n from people where pay < (select p from m)"
    assert len(compile_query(through, answerer.market.context()).queries) == 1


BAND = "case when pay < 2.0/3 * (select median(pay) from people) then 'low' else 'other' end"


@pytest.mark.parametrize("group", ["band", "1", "all", BAND])
def test_a_band_may_begin_at_a_stage_however_the_group_is_named(answerer: Answerer, group: str) -> None:
    median = answerer.answer("select median(pay) m from people").to_pylist()[0]["m"]
    threshold = 5 * round(float(median) * 2 / 3 / 5)
    banded = (
        f"select {BAND} as band, count(*) n from people where pay is not null group by {group} order by band"
    )
    by_hand = (
        f"select case when pay < {threshold} then 'low' else 'other' end as band, count(*) n from people"
        " where pay is not null group by band order by band"
    )
    assert answerer.answer(banded).to_pylist() == answerer.answer(by_hand).to_pylist()


def test_the_edges_of_bands_are_moved_to_the_grid_as_those_of_conditions_are(answerer: Answerer) -> None:
    bands = (
        "select case when pay < 333 then 'low' else 'other' end as band, count(*) n from people group by band"
    )
    plan = compile_query(bands, answerer.market.context())
    assert "a condition on pay was moved to its declared grid" in [rule.effect for rule in plan.rules]
    with pytest.raises(RefusalError) as refused:
        compile_query("select pay % 2, count(*) from people group by 1", answerer.market.context())
    assert refused.value.refusals[0].code is Code.PREDICATE_NOT_BOX
    assert "multiples of 5" in refused.value.refusals[0].remedy
