"""What an agreement, a jurisdiction, a custom area, a parameter and an exact-value profile make of a question."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from catalogue.catalogue import bind_dataset
from catalogue.models import Agreement, CustomArea, Frequency, Limits, Profile, RowFilter
from policies.compiler import compile_query
from policies.context import ParameterDomain
from policies.plan import ClearedPlan
from policies.refusals import Code, RefusalError
from tests.support.answer import Answerer
from tests.support.labour import CODELISTS, LabourMarket, labour_market
from tests.support.null_profile import NULL_PROFILE
from tests.support.profiles import standard_profile

Rows = list[tuple[object, ...]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("labour")


@pytest.fixture(scope="module")
def full(folder: Path) -> Answerer:
    """Values as they are, for a body that sees everything."""
    return Answerer(labour_market(folder, NULL_PROFILE))


@pytest.fixture(scope="module")
def local(folder: Path) -> Answerer:
    """Values as they are, for a body whose own areas are Ayton and Beeford; elsewhere it sees regions."""
    return Answerer(labour_market(folder, NULL_PROFILE, jurisdiction=True))


def rows(answerer: Answerer, sql: str, **changes: Any) -> Rows:
    table = answerer.answer(sql, **changes)
    shown = [name for name in table.column_names if not name.startswith("__fed")]
    return [tuple(row[name] for name in shown) for row in table.to_pylist()]


def truth(answerer: Answerer, sql: str) -> Rows:
    return [tuple(row.values()) for row in answerer.original(sql).to_pylist()]


def refused(compile_it: Callable[[], ClearedPlan]) -> Code:
    with pytest.raises(RefusalError) as caught:
        compile_it()
    return caught.value.refusals[0].code


# Jurisdiction -------------------------------------------------------------------------------------------------------

ELSEWHERE = """
    SELECT CASE WHEN area IN ('E0601', 'E0602') THEN {own} WHEN region = 'E12N' THEN '{north} (elsewhere)'
                ELSE {other} END AS place, count(*) AS n
    FROM people GROUP BY 1 ORDER BY 1
"""


def test_own_areas_come_in_full_and_others_by_region(local: Answerer) -> None:
    found = rows(local, "select area, count(*) n from people group by area order by area")
    assert found == truth(local, ELSEWHERE.format(own="area", north="E12N", other="region"))
    assert len(found) == 5


def test_areas_asked_for_by_name_come_with_names_of_regions(local: Answerer) -> None:
    found = rows(
        local,
        "select g.local_authority_name as place, count(*) n from people p"
        " join geography g on g.local_authority = p.area group by 1 order by 1",
    )
    names = "CASE area WHEN 'E0601' THEN 'Ayton' ELSE 'Beeford' END"
    others = "CASE region WHEN 'E12S' THEN 'South' ELSE 'Wales' END"
    assert found == truth(local, ELSEWHERE.format(own=names, north="North", other=others))


def test_a_level_that_crosses_regions_comes_by_region_too(local: Answerer) -> None:
    """Areas outside any combined authority lie in all regions: they are not all put together."""
    found = rows(local, "select ca, count(*) n from people group by ca order by ca")
    assert found == truth(local, ELSEWHERE.format(own="'E47A'", north="E12N", other="region"))


def test_regions_and_own_areas_may_be_asked_for_as_they_are(local: Answerer) -> None:
    for sql in (
        "select region, count(*) n from people group by region order by region",
        "select sex, count(*) n from people where ca = 'E47A' group by sex order by sex",
        "select sex, count(*) n from people where area in ('E0601') group by sex order by sex",
        "select count(*) n from people where region <> 'E12N' and sex = 'F'",
    ):
        assert rows(local, sql) == truth(local, sql), sql


@pytest.mark.parametrize(
    "condition",
    [
        "area = 'E0606'",
        "area in ('E0601', 'E0603')",
        "ca = 'E47B'",
        "region = 'E12N' and area <> 'E0603'",
        "work_area = 'W0610'",
        "area like '%3'",
        "area in (select local_authority from geography where coastal = 'coast')",
    ],
)
def test_conditions_on_other_areas_are_refused(local: Answerer, condition: str) -> None:
    for sql in (
        f"select count(*) from people where {condition}",
        f"select count(*) filter (where {condition}) from people",
        f"select sum(case when {condition} then 1 else 0 end) from people",
        f"select count(*) from people p where exists (select 1 from employers e where e.employer_id = p.employer_id)"
        f" and {condition}",
    ):
        context = local.market.context()
        assert refused(lambda: compile_query(sql, context)) is Code.OUTSIDE_JURISDICTION, sql  # noqa: B023


def test_the_answer_says_that_areas_were_put_together(local: Answerer) -> None:
    plan = compile_query("select area, count(*) from people group by area", local.market.context())
    assert [rule.effect for rule in plan.rules if rule.rule == "jurisdiction"] == [
        "areas of “area” outside the body's own are shown by region"
    ]


# Agreements ---------------------------------------------------------------------------------------------------------


def agreement_of(market: LabourMarket, **changes: object) -> Agreement:
    return market.catalogue.agreements["skills"].model_copy(update=changes)


def test_a_row_filter_restricts_every_way_to_the_rows(full: Answerer) -> None:
    women = agreement_of(full.market, row_filters=(RowFilter(variable="sex", codes=("F",)),))
    for sql in (
        "select count(*) n from people",
        "select count(*) n from (select * from people) t",
        "with people as (select * from people) select count(*) n from people",
        "select count(*) n from learners l join people p on l.person_id = p.person_id",
    ):
        only = sql + (" where p.sex = 'F'" if "learners" in sql else " where sex = 'F'")
        assert rows(full, sql, agreement=women) == truth(full, only), sql


def test_a_row_filter_and_the_opposite_condition_leave_nobody_to_ask_about(full: Answerer) -> None:
    women = agreement_of(full.market, row_filters=(RowFilter(variable="sex", codes=("F",)),))
    context = full.market.context(agreement=women)
    assert (
        refused(lambda: compile_query("select count(*) from people where sex = 'M'", context))
        is Code.EMPTY_QUESTION
    )


def test_a_masked_variable_is_not_there(full: Answerer) -> None:
    context = full.market.context(agreement=agreement_of(full.market, masked_variables=("pay",)))
    for sql in (
        "select avg(pay) from people",
        "select count(*) from people where pay > 500",
        "select avg(p.pay) from learners l join people p on l.person_id = p.person_id",
    ):
        assert refused(lambda: compile_query(sql, context)) is Code.UNKNOWN_COLUMN, sql  # noqa: B023
    staged = "select count(*) from people where hours > (select median(pay) from people)"
    assert refused(lambda: compile_query(staged, context)) in {Code.UNKNOWN_COLUMN, Code.STAGE_CORRELATED}
    assert compile_query("select avg(hours) from people", context).queries


def test_an_agreement_is_in_force_on_its_first_and_its_last_day(full: Answerer) -> None:
    sql = "select count(*) from people"
    for day in (date(2025, 1, 1), date(2026, 12, 31)):
        assert compile_query(sql, full.market.context(today=day)).queries
    for day in (date(2024, 12, 31), date(2027, 1, 1)):
        context = full.market.context(today=day)
        assert refused(lambda: compile_query(sql, context)) is Code.AGREEMENT_EXPIRED  # noqa: B023


# Custom areas -------------------------------------------------------------------------------------------------------


def with_area(market: LabourMarket, body: str = "ay") -> LabourMarket:
    area = CustomArea(
        area="coast_and_north",
        title="Ceeham with Ayton",
        body=body,
        dataset="people",
        codelist="geography",
        codes=("E0601", "E0603"),
        approved_by="office",
        approved_on=date(2025, 5, 1),
    )
    catalogue = market.catalogue
    people = bind_dataset(catalogue.datasets["people"].document, CODELISTS, [area])
    datasets = {**catalogue.datasets, "people": people}
    return replace(market, catalogue=replace(catalogue, areas={area.area: area}, datasets=datasets))


def test_a_custom_area_is_aggregated_at_the_source_and_free_of_the_guard(folder: Path) -> None:
    market = with_area(labour_market(folder, standard_profile()))
    plan = compile_query(
        "select sex, count(*) from people where area = 'coast_and_north' group by sex", market.context()
    )
    assert len(plan.queries) == 1
    assert not plan.queries[0].guards
    assert any(rule.rule == "custom_area" for rule in plan.rules)
    by_hand = compile_query("select count(*) from people where area in ('E0601', 'E0603')", market.context())
    assert by_hand.queries[0].where == plan.queries[0].where


def test_a_custom_area_gives_what_its_codes_give(folder: Path) -> None:
    answerer = Answerer(with_area(labour_market(folder, NULL_PROFILE)))
    found = rows(answerer, "select count(*) n from people where area = 'coast_and_north'")
    assert found == truth(answerer, "select count(*) n from people where area in ('E0601', 'E0603')")


def test_the_custom_area_of_another_body_is_unknown(folder: Path) -> None:
    context = with_area(labour_market(folder, NULL_PROFILE), body="office").context()
    sql = "select count(*) from people where area = 'coast_and_north'"
    assert refused(lambda: compile_query(sql, context)) is Code.UNKNOWN_CODE


# Parameters ---------------------------------------------------------------------------------------------------------


def test_a_parameter_is_bound_as_a_literal_whatever_it_holds(full: Answerer) -> None:
    sql = "select count(*) n from people where region = $region and age >= $age"
    found = rows(full, sql, parameters={"region": "North", "age": 30})
    assert found == truth(full, "select count(*) n from people where region = 'E12N' and age >= 30")
    injected = full.market.context(parameters={"region": "E12N' OR 1 = 1 --", "age": 30})
    assert refused(lambda: compile_query(sql, injected)) is Code.UNKNOWN_CODE


def test_plans_of_all_values_of_a_domain_have_one_digest(full: Answerer) -> None:
    domains = {"region": ParameterDomain("region", ("E12N", "E12S"))}
    sql = "select count(*) from people where region = $region"

    def digest(value: str, allowed: dict[str, ParameterDomain]) -> str:
        return compile_query(sql, full.market.context(parameters={"region": value}, domains=allowed)).digest

    assert digest("E12N", domains) == digest("E12S", domains)
    assert digest("E12N", domains) != digest("E12N", {"region": ParameterDomain("region", ("E12N",))})


# Exact values -------------------------------------------------------------------------------------------------------

EXACT = Profile(
    profile="exact_above_ten",
    title="Exact values, none below ten",
    version="1",
    frequency=Frequency(minimum_frequency=10),
    accept_cross_query_risk="Tests of what such a profile accepts and refuses",
)


@pytest.mark.parametrize(
    "sql",
    [
        "select region, count(*) from people group by rollup (region)",
        "select count(*), count(*) filter (where sex = 'F') from people",
        "select count(pay), count(*) from people where sex = 'F' or age > 50",
        "select region, count(*) from people group by 1 union all select 'all', count(*) from people",
        "select region, count(*) / (select count(*) from people) from people group by region",
        "select (select count(*) from people), (select count(*) from people where sex = 'F')",
    ],
)
def test_an_exact_profile_gives_no_margin_beside_its_parts(folder: Path, sql: str) -> None:
    context = labour_market(folder, EXACT).context()
    assert refused(lambda: compile_query(sql, context)) is Code.MARGIN_WITH_PARTS


def test_an_exact_profile_gives_one_table(folder: Path) -> None:
    context = labour_market(folder, EXACT).context()
    for sql in (
        "select region, sex, count(*) from people group by all",
        "select region, n / sum(n) over () from (select region, count(*) n from people group by region)",
        "select region, count(*), avg(hours) from people where sex = 'F' group by region",
    ):
        assert compile_query(sql, context).queries, sql


def test_only_registered_tables_where_some_are(folder: Path) -> None:
    context = labour_market(
        folder, EXACT.model_copy(update={"registered_tables": (("area", "sex"),)})
    ).context()
    assert compile_query("select region, sex, count(*) from people group by all", context).queries
    sql = "select region, status, count(*) from people group by all"
    assert refused(lambda: compile_query(sql, context)) is Code.TABLE_NOT_REGISTERED


# Limits -------------------------------------------------------------------------------------------------------------


def test_columns_of_one_hierarchy_are_one_dimension(folder: Path) -> None:
    two = standard_profile(limits=Limits(maximum_dimensions=2))
    context = labour_market(folder, two).context()
    sql = "select area, region, ca, sex, count(*) from people group by all"
    assert compile_query(sql, context).queries[0].size == 24
    more = sql.replace("group by", "where age_band = '16-24' group by")
    assert refused(lambda: compile_query(more, context)) is Code.TOO_MANY_DIMENSIONS


def test_partitions_of_all_tables_of_a_query_are_counted_together(folder: Path) -> None:
    context = labour_market(folder, standard_profile(limits=Limits(maximum_partitions=3))).context()
    one = "select count(*) n from people group by {}"
    assert compile_query(
        " union all ".join(one.format(k) for k in ("sex", "region", "status")), context
    ).queries
    four = " union all ".join(one.format(k) for k in ("sex", "region", "status", "age_band"))
    assert refused(lambda: compile_query(four, context)) is Code.TOO_MANY_PARTITIONS


def test_an_adhoc_set_is_charged_as_a_partition_and_guarded(folder: Path) -> None:
    context = labour_market(folder, standard_profile()).context()
    band = compile_query("select count(*) from people where age_band = '16-24'", context).queries[0]
    adhoc = compile_query("select count(*) from people where age between 17 and 24", context).queries[0]
    assert (band.partitions, len(band.guards)) == (1, 0)
    assert adhoc.partitions == 2
    assert adhoc.guards
