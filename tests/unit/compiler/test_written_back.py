"""A cell query written back as SQL is the same question: of the corpus, of the oracle's queries, of generated ones."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, given, reject, settings

from catalogue.catalogue import Catalogue, bind_dataset
from catalogue.leaves import LeafSet
from catalogue.models import SourceLocation
from policies.cell_question import CellQuestion
from policies.compiler import compile_query
from policies.context import Context
from policies.plan import Box
from policies.refusals import Code, RefusalError
from tests.support.corpus import questions
from tests.support.demo_market import demo_market
from tests.support.generated_sql import Query, queries
from tests.support.labour import CODELISTS, LabourMarket, labour_market
from tests.support.null_profile import NULL_PROFILE
from tests.support.thorough import thorough
from tests.support.written_back import again

ROOT = Path(__file__).parents[2]
ORACLE = [sql for sql in (ROOT / "oracle" / "queries.sql").read_text().split(";\n") if sql.strip()]
CORPUS = questions(ROOT / "corpus" / "questions")


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> LabourMarket:
    return labour_market(tmp_path_factory.mktemp("labour"), NULL_PROFILE, people=50)


def _compare(sql: str, catalogue: Catalogue, context: Context) -> int:
    """How many cell queries of ``sql`` were written back, each the same question as before."""
    plan = compile_query(sql, context)
    if plan.stages:
        values = tuple(Decimal(100) for _ in plan.stages)
        plan = compile_query(sql, replace(context, stage_values=values))
    plain = replace(context, parameters={}, domains={}, stage_values=())
    count = 0
    for query, found, written in again(plan, catalogue, plain):
        asked, read = CellQuestion.of(query), CellQuestion.of(found)
        assert read.canonical() == asked.canonical(), written
        dataset = catalogue.datasets[query.dataset]
        assert read.digest(dataset) == asked.digest(dataset)
        count += 1
    return count


def test_of_the_oracle(market: LabourMarket) -> None:
    assert sum(_compare(sql, market.catalogue, market.context()) for sql in ORACLE) >= 60


@thorough
def test_of_the_corpus(tmp_path: Path) -> None:
    demo = demo_market(tmp_path, 2000)
    written = 0
    for question in CORPUS:
        agreement = demo.catalogue.agreements[question.agreement]
        context = demo.context(
            body=question.body,
            agreement=agreement,
            purpose=question.purpose,
            parameters=question.parameters,
        )
        written += _compare(question.sql, demo.catalogue, context)
    assert written >= 80


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(query=queries())
def test_of_generated_queries(market: LabourMarket, query: Query) -> None:
    try:
        event(f"written back: {_compare(query.sql, market.catalogue, market.context())}")
    except RefusalError as error:
        code = error.refusals[0].code
        event(f"refused: {code}")
        assert code in (Code.EMPTY_QUESTION, Code.PREDICATE_NOT_BOX, Code.TOO_MANY_CELLS), query.sql
        reject()


def _elsewhere(market: LabourMarket, **sources: SourceLocation) -> Context:
    datasets = dict(market.catalogue.datasets)
    for name, source in sources.items():
        document = datasets[name].document.model_copy(update={"source": source})
        datasets[name] = bind_dataset(document, CODELISTS)
    return market.context(catalogue=replace(market.catalogue, datasets=datasets))


AWAY = SourceLocation(node="wales", location="residents")


def test_rows_of_two_holders_are_not_joined(market: LabourMarket) -> None:
    """Neither by a relationship nor by a membership, in whichever direction."""
    joined = "SELECT count(*) FROM learners JOIN people USING (person_id) WHERE sex = 'F'"
    member = "SELECT count(*) FROM people WHERE person_id IN (SELECT person_id FROM learners)"
    for sql in (joined, member):
        for sources in ({"people": AWAY}, {"learners": AWAY}, {"people": AWAY, "learners": AWAY}):
            with pytest.raises(RefusalError) as refused:
                compile_query(sql, _elsewhere(market, **sources))
            assert refused.value.refusals[0].code is Code.HELD_ELSEWHERE


def test_aggregates_of_two_holders_are_joined(market: LabourMarket) -> None:
    sql = (
        "SELECT a.region, a.n, b.n AS aims FROM (SELECT region, count(*) AS n FROM people GROUP BY region) AS a "
        "JOIN (SELECT substr(home, 1, 3) AS r, count(*) AS n FROM learners GROUP BY 1) AS b "
        "ON substr(a.region, 1, 3) = b.r"
    )
    assert len(compile_query(sql, _elsewhere(market, people=AWAY)).queries) == 2


def test_a_part_is_the_question_about_its_leaves(market: LabourMarket) -> None:
    wales = "avg(pay) FILTER (WHERE region = 'W92')"
    sql = f"SELECT region, sex, count(*), {wales} FROM people GROUP BY ROLLUP (region, sex)"
    (query,) = compile_query(sql, market.context()).queries
    north = LeafSet.of(range(5), 12)
    here = CellQuestion.of(query).within(Box.of({"area": LeafSet.of(range(9, 12), 12)}))
    there = CellQuestion.of(query).within(Box.of({"area": north}))
    assert here is not None
    assert there is not None
    assert [block.size for block in query.blocks] == [6, 3, 1]
    assert [block.size for block in here.blocks] == [2, 1, 1]
    assert [atom.column for atom in here.atoms] == ["a0", "a1"]
    assert [atom.column for atom in there.atoms] == ["a0"]
    (only,) = compile_query("SELECT count(*) FROM people WHERE region = 'W92'", market.context()).queries
    assert CellQuestion.of(only).within(Box.of({"area": north})) is None


def test_another_code_list_is_another_question(market: LabourMarket) -> None:
    (query,) = compile_query("SELECT sex, count(*) FROM people GROUP BY sex", market.context()).queries
    other = {**CODELISTS, "sex": replace(CODELISTS["sex"], digest="another")}
    document = market.catalogue.datasets["people"].document
    digests = {CellQuestion.of(query).digest(bind_dataset(document, lists)) for lists in (CODELISTS, other)}
    assert len(digests) == 2
