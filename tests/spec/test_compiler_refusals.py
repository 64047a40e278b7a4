"""One example of every refusal: what is typed, where the fault is marked, and what the user is told to do instead.

A refusal is decided from the text and the catalogue alone. Wherever the terms allow a question at all it names one
that the compiler accepts.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from catalogue.catalogue import bind_dataset
from catalogue.models import Frequency, Limits, Profile
from policies.compiler import compile_query
from policies.context import ParameterDomain
from policies.refusals import Code, Refusal, RefusalError
from tests.support.labour import CODELISTS, LabourMarket, labour_market
from tests.support.profiles import standard_profile

EXACT = Profile(
    profile="exact_above_ten",
    title="Exact values, none below ten",
    version="1",
    frequency=Frequency(minimum_frequency=10),
    registered_tables=(("area", "sex"), ("sex",), ()),
    accept_cross_query_risk="Tests of what such a profile refuses",
)
STANDARD = standard_profile()
REGION = {"region": ParameterDomain("region", ("E12N", "E12S"))}


@dataclass(frozen=True)
class Example:
    """``at`` is the text at which the refusal points; ``remedy`` what it says, in part."""

    code: Code
    sql: str
    at: str | None
    remedy: str
    asked: dict[str, Any] = field(default_factory=dict)
    profile: Profile = STANDARD
    jurisdiction: bool = False
    suggests: bool = True


EXAMPLES = [
    Example(Code.SQL_TOO_LARGE, f"select {'(' * 40}1{')' * 40}", "(", "Split the question"),
    Example(Code.SQL_SYNTAX, "select count(*) frm people", "people", "Mend the SQL at the place shown"),
    Example(Code.NOT_ONE_SELECT, "drop table people", "drop", "Send a single SELECT"),
    Example(Code.UNKNOWN_TABLE, "select count(*) from peple", "peple", "Did you mean people"),
    Example(
        Code.UNKNOWN_COLUMN, "select regon, count(*) from people group by 1", "regon", "Did you mean region"
    ),
    Example(
        Code.AMBIGUOUS_COLUMN,
        "select count(*) from learners l join people p on l.person_id = p.person_id where hours > 100",
        "hours",
        "Put the table's name and a full stop before the column",
    ),
    Example(
        Code.UNKNOWN_CODE,
        "select count(*) from people where region = 'Nroth'",
        "'Nroth'",
        "Nearest: North (E12N)",
    ),
    Example(Code.UNKNOWN_FUNCTION, "select mode(sex) from people", "mode", "Use one of count, count_if, sum"),
    Example(
        Code.UNSUPPORTED_SYNTAX,
        "with recursive t as (select 1 union all select 1) select count(*) from people",
        "t",
        "Write the steps out",
    ),
    Example(Code.ROW_LEVEL, "select * from people", "*", "Aggregate: COUNT(*), SUM, AVG or MEDIAN"),
    Example(Code.ROW_LEVEL, "select pay from people limit 5", "5", "Aggregate first"),
    Example(
        Code.ROW_LEVEL, "select region, count(*) from people", "region", "Add it to GROUP BY, or aggregate it"
    ),
    Example(Code.COLUMN_USE, "select count(*) from people where weight > 3", "weight", "Use COUNT(DISTINCT"),
    Example(
        Code.MEASURE_EXPRESSION,
        "select person_id, count(*) from learners group by 1",
        "person_id",
        "Aggregate over the rows",
    ),
    Example(Code.EXTREMES, "select max(pay) from people", "pay", "quantile_cont(x, 0.9)"),
    Example(
        Code.MEASURE_EXPRESSION, "select sum(pay * hours) from people", "pay", "Aggregate the measure itself"
    ),
    Example(
        Code.QUANTILE_NOT_DECLARED, "select quantile_cont(pay, 0.99) from people", "pay", "Use one of 0.9"
    ),
    Example(
        Code.EMPTY_QUESTION,
        "select count(*) from people where sex = 'F' and sex = 'M'",
        "sex",
        "one excludes another",
    ),
    Example(
        Code.PREDICATE_NOT_BOX, "select count(*) from people where area = work_area", "area", "Group by these"
    ),
    Example(
        Code.PREDICATE_NOT_BOX,
        "select median(pay) from people where sex = 'F' or age > 30",
        "median",
        "Ask for each part in a column of its own",
    ),
    Example(
        Code.JOIN_NOT_DECLARED,
        "select count(*) from people p join employers e on p.region = e.seat",
        "employers",
        "Use a declared relationship",
    ),
    Example(
        Code.UNION_NOT_DISJOINT,
        "select count(*) from (select sex from people where age < 50 union all select sex from people where age > 30)",
        "count",
        "exclude each other",
    ),
    Example(
        Code.STAGE_CORRELATED,
        "select count(*) from people p where pay > (select median(pay) from people q where q.region = p.region)",
        "median",
        "Make the subquery stand by itself",
    ),
    Example(
        Code.STAGE_NOT_SCALAR,
        "select count(*) from people where pay > (select median(pay) from people group by region)",
        "median",
        "Use one aggregate without GROUP BY",
    ),
    Example(
        Code.TOO_MANY_DIMENSIONS,
        "select area, work_area, sex, age, occupation, status, count(*) from people group by all",
        "area",
        "Leave out a condition or a group",
    ),
    Example(
        Code.TOO_MANY_CELLS,
        "select area, work_area, age, count(*) from people group by all",
        "area",
        "Group by a coarser level",
        profile=standard_profile(limits=Limits(maximum_cells=1000)),
    ),
    Example(
        Code.TOO_MANY_PARTITIONS,
        "select count(*) from people group by cube (region, sex, age_band, status, occupation)",
        "count",
        "Use fewer grouping sets",
    ),
    Example(
        Code.TABLE_NOT_REGISTERED,
        "select region, age_band, count(*) from people group by all",
        "region",
        "Registered: area × sex",
        profile=EXACT,
    ),
    Example(
        Code.MARGIN_WITH_PARTS,
        "select region, sex, count(*) from people group by rollup (region, sex)",
        "region",
        "Ask for the total or for the parts",
        profile=EXACT,
    ),
    Example(
        Code.MARGIN_WITH_PARTS,
        "select sex, count(*), (select count(*) from people) from people group by sex",
        "sex",
        "Ask for one table at a time",
        profile=EXACT,
    ),
    Example(
        Code.OUTSIDE_JURISDICTION,
        "select count(*) from people where area = 'Geeton'",
        None,
        "Ask for your own areas, or for whole areas at level region",
        jurisdiction=True,
    ),
    Example(
        Code.PARAMETER_MISSING,
        "select count(*) from people where region = $region",
        None,
        "Give a value for “region”",
    ),
    Example(
        Code.PARAMETER_INVALID,
        "select count(*) from people where region = $region",
        None,
        "Nearest permitted: E12",
        asked={"parameters": {"region": "E12X"}, "domains": REGION},
    ),
    Example(
        Code.STATUS_NOT_TRACEABLE,
        "select unnest([count(*)]) from people",
        "unnest",
        "Compute it in a CTE with plain",
    ),
    Example(
        Code.NO_AGREEMENT,
        "select count(*) from people",
        None,
        "Ask the custodian",
        {"agreement": None},
        suggests=False,
    ),
    Example(
        Code.NO_AGREEMENT,
        "select count(*) from people",
        None,
        "Ask the custodian",
        {"body": "office"},
        suggests=False,
    ),
    Example(
        Code.AGREEMENT_EXPIRED,
        "select count(*) from people",
        None,
        "Ask for its renewal",
        {"today": date(2027, 1, 1)},
        suggests=False,
    ),
    Example(
        Code.PURPOSE_NOT_PERMITTED,
        "select count(*) from people",
        None,
        "State one of its purposes: Skills planning",
        {"purpose": "Idle curiosity"},
        suggests=False,
    ),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("labour")


def refusal_of(example: Example, folder: Path) -> tuple[Refusal, LabourMarket]:
    market = labour_market(folder, example.profile, example.jurisdiction, people=50)
    with pytest.raises(RefusalError) as caught:
        compile_query(example.sql, market.context(**example.asked))
    return caught.value.refusals[0], market


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: f"{e.code}: {e.sql[:40]}")
def test_refusal_says_where_why_and_what_instead(folder: Path, example: Example) -> None:
    refusal, market = refusal_of(example, folder)
    assert refusal.code is example.code
    assert example.remedy in refusal.remedy
    assert refusal.message.endswith(".") or refusal.message.endswith(")")
    assert refusal.rule
    if example.at is not None:
        assert refusal.position is not None
        assert example.sql[refusal.position.offset :].startswith(example.at)
        assert refusal.position.column == refusal.position.offset + 1
    if example.suggests:
        assert refusal.suggestion is not None
        assert compile_query(refusal.suggestion, market.context()).queries
    else:
        assert refusal.suggestion is None


def test_data_without_a_profile_is_refused(folder: Path) -> None:
    market = labour_market(folder, standard_profile(), people=50)
    bare = market.catalogue.datasets["people"].document.model_copy(update={"profile": None})
    catalogue = replace(market.catalogue, datasets={"people": bind_dataset(bare, CODELISTS)})
    with pytest.raises(RefusalError) as caught:
        compile_query("select count(*) from people", market.context(catalogue=catalogue))
    assert caught.value.refusals[0].code is Code.NO_PROFILE
    assert "Ask the custodian" in caught.value.refusals[0].remedy


def test_no_code_lacks_an_example() -> None:
    elsewhere = {
        Code.HELD_ELSEWHERE,
        Code.NOT_COUNTED_JOINTLY,
    }  # of data at other nodes: tests/docs/test_codes_page.py
    assert {example.code for example in EXAMPLES} | {Code.NO_PROFILE} | elsewhere == set(Code)


def test_all_unknown_tables_are_named_at_once(folder: Path) -> None:
    market = labour_market(folder, standard_profile(), people=50)
    with pytest.raises(RefusalError) as caught:
        compile_query("select count(*) from peple join learner using (person_id)", market.context())
    assert [refusal.code for refusal in caught.value.refusals] == [Code.UNKNOWN_TABLE] * 2


@pytest.mark.parametrize(
    ("sql", "asked", "expected"),
    [
        (
            "select regoin, agee, count(*) from people where sxe = 'F' group by all",
            {},
            [("unknown_column", "regoin"), ("unknown_column", "agee"), ("unknown_column", "sxe")],
        ),
        (
            "select count(*) from peple join learner using (x) where pg_sleep(3) > 2",
            {"purpose": "Curiosity", "today": date(2050, 1, 1)},
            [
                ("agreement_expired", None),
                ("purpose_not_permitted", None),
                ("unknown_table", "peple"),
                ("unknown_table", "learner"),
                ("unknown_function", "pg_sleep"),
            ],
        ),
        (
            "select count(*) from people where area = $a and age > $b and agee = 1",
            {"parameters": {"b": 10**40, "c": 1}},
            [
                ("parameter_missing", None),
                ("parameter_invalid", None),
                ("parameter_invalid", None),
                ("unknown_column", "agee"),
            ],
        ),
        (
            "select count(*) filter (where sex = 'X'), count(*) from people where area in ('Aytn', 'Ayton', 'Befrd')",
            {},
            [("unknown_code", "'X'"), ("unknown_code", "'Aytn'"), ("unknown_code", "'Befrd'")],
        ),
        (
            "select sum(pay * age), max(pay) from people where sex = 'F' or area = 'Ayton' and age > 3"
            " and person_id = 7 group by area",
            {},
            [
                ("measure_expression_not_allowed", "pay"),
                ("extremes_not_allowed", "pay) from"),
                ("column_use_not_allowed", "person_id"),
            ],
        ),
        (
            "select count(* from people",
            {"purpose": "Curiosity"},
            [("purpose_not_permitted", None), ("sql_syntax", "from")],
        ),
    ],
)
def test_everything_that_can_be_judged_by_itself_is_told_at_once(
    folder: Path, sql: str, asked: dict[str, Any], expected: list[tuple[str, str | None]]
) -> None:
    market = labour_market(folder, standard_profile(), people=50)
    with pytest.raises(RefusalError) as caught:
        compile_query(sql, market.context(**asked))
    found = caught.value.refusals
    assert [str(refusal.code) for refusal in found] == [code for code, _ in expected]
    for refusal, (_, place) in zip(found, expected, strict=True):
        if place is not None:
            assert refusal.position is not None
            assert sql[refusal.position.offset :].startswith(place)


@pytest.mark.parametrize(
    "number", ["1" + "0" * 400, "-1" + "0" * 39, "1e400", "cast('1" + "0" * 400 + "' as bignum)"]
)
def test_numbers_that_duckdb_compares_wrongly_are_refused(folder: Path, number: str) -> None:
    market = labour_market(folder, standard_profile(), people=50)
    with pytest.raises(RefusalError) as caught:
        compile_query(f"select count(*) from people where age > {number}", market.context())
    assert caught.value.refusals[0].code is Code.UNSUPPORTED_SYNTAX
    digits = "9" * 38
    with pytest.raises(RefusalError) as exact:
        compile_query(f"select count(*) from people where age > {digits}", market.context())
    assert exact.value.refusals[0].code is Code.EMPTY_QUESTION


@pytest.mark.parametrize("value", [10**400, Decimal("-1e38"), Decimal("NaN")])
def test_parameters_that_duckdb_compares_wrongly_are_refused(folder: Path, value: Any) -> None:
    market = labour_market(folder, standard_profile(), people=50)
    sql = "select count(*) from people where age > $x"
    with pytest.raises(RefusalError) as caught:
        compile_query(sql, market.context(parameters={"x": value}))
    (refusal,) = caught.value.refusals
    assert (refusal.code, refusal.parameter) == (Code.PARAMETER_INVALID, "x")


def test_a_dataset_that_the_agreement_leaves_out_is_refused(folder: Path) -> None:
    market = labour_market(folder, standard_profile(), people=50)
    agreement = market.catalogue.agreements["skills"].model_copy(update={"datasets": ("people",)})
    for sql in (
        "select count(*) from employers",
        "select e.size_band, count(*) from people p join employers e using (employer_id) group by 1",
        "select count(*) from people p where exists (select 1 from learners l where l.person_id = p.person_id)",
    ):
        with pytest.raises(RefusalError) as caught:
            compile_query(sql, market.context(agreement=agreement))
        assert caught.value.refusals[0].code is Code.NO_AGREEMENT, sql


@pytest.mark.parametrize(
    ("sql", "suggestion"),
    [
        (
            "select region, mode(sex) from people where age > 30 group by region",
            "SELECT region, COUNT(*) FROM people WHERE age > 30 GROUP BY region",
        ),
        (
            "select region, count(*) filter (where status = 'NOBODY') from people group by region",
            "SELECT region, COUNT(*) FROM people GROUP BY region",
        ),
        (
            "select s, avg(r) from (select sex as s, rank() over (order by pay) as r from people) group by s",
            "SELECT sex, COUNT(*) FROM people GROUP BY sex",
        ),
    ],
)
def test_a_suggestion_keeps_what_it_can_of_the_question(folder: Path, sql: str, suggestion: str) -> None:
    market = labour_market(folder, standard_profile(), people=50)
    with pytest.raises(RefusalError) as caught:
        compile_query(sql, market.context())
    assert caught.value.refusals[0].suggestion == suggestion


def test_areas_outside_the_jurisdiction_are_refused_where_they_stand(folder: Path) -> None:
    market = labour_market(folder, standard_profile(), people=50, jurisdiction=True)
    sql = "select sex, count(*) from people where age > 30 and area = 'E0603' group by sex"
    with pytest.raises(RefusalError) as caught:
        compile_query(sql, market.context())
    assert caught.value.refusals[0].code is Code.OUTSIDE_JURISDICTION
    assert caught.value.refusals[0].position is not None
    assert caught.value.refusals[0].position.offset == sql.index("area")


def test_order_by_all_of_a_star_says_what_is_missing(folder: Path) -> None:
    market = labour_market(folder, standard_profile(), people=50)
    with pytest.raises(RefusalError) as caught:
        compile_query(
            "select * from (select sex, count(*) n from people group by 1) order by all", market.context()
        )
    assert "ORDER BY ALL" in caught.value.refusals[0].message
    assert caught.value.refusals[0].position is not None
