"""No text makes the compiler raise anything but a refusal, and what it accepts runs to its end.

``nasty.sql`` has one text a line: every form of DuckDB's SELECT that there is, well used and misused. The same texts
are then torn apart and put together at random, by words and by expressions.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from pathlib import Path

import duckdb
import pytest
import sqlglot
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlglot import exp
from sqlglot.errors import SqlglotError

from policies.compiler import compile_query
from policies.refusals import RefusalError
from tests.support.answer import Answerer
from tests.support.labour import labour_market
from tests.support.null_profile import NULL_PROFILE
from tests.support.profiles import standard_profile
from tests.support.thorough import share, some

HERE = Path(__file__).parent
ORACLE = HERE.parents[1] / "oracle" / "queries.sql"
TEXTS = [line for line in (HERE / "nasty.sql").read_text().splitlines() if line.strip()]
QUERIES = [*TEXTS, *(q.strip() for q in ORACLE.read_text().split(";\n") if q.strip())]


# Above the line an error depends on protected values or on constants alone: the run ends with it, and says so.
VALUE_ERRORS = (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.OutOfRangeException)


@pytest.fixture(scope="module")
def answerers(tmp_path_factory: pytest.TempPathFactory) -> list[Answerer]:
    profiles = (NULL_PROFILE, standard_profile())
    return [Answerer(labour_market(tmp_path_factory.mktemp("labour"), p, people=400)) for p in profiles]


def try_out(answerers: list[Answerer], sql: str, **changes: object) -> bool:
    """Whether the text is accepted; then it has run under both profiles, unless the second refuses it."""
    accepted = False
    for answerer in answerers:
        try:
            compile_query(sql, answerer.market.context(**changes))
            accepted = True
            answerer.answer(sql, **changes)
        except RefusalError as error:
            assert all(refusal.message and refusal.remedy for refusal in error.refusals)  # noqa: PT017
        except VALUE_ERRORS:
            pass
    return accepted


def test_every_form(answerers: list[Answerer]) -> None:
    texts = some(some(TEXTS))
    accepted = sum(try_out(answerers, sql) for sql in texts)
    assert accepted > len(texts) // 3


@pytest.mark.parametrize("value", ["E0601", "nowhere", "", 7, Decimal("1.5"), True])
@pytest.mark.parametrize(
    "sql",
    [
        "select count(*) from people where area = $area",
        "select count(*) from people where age > $area",
        "select $area, count(*) from people",
        "select count(*) from people where area in ($area, $other)",
        "select count(*) from people limit $area",
    ],
)
def test_parameters_of_any_kind(answerers: list[Answerer], sql: str, value: str | int | Decimal) -> None:
    try_out(answerers, sql, parameters={"area": value})


WORD = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|\w+|<>|<=|>=|!=|::|\|\||//|\S")


def reworded(rng: random.Random) -> Iterator[str]:
    """Texts with words left out, put in, exchanged and spliced."""
    texts = [WORD.findall(text) for text in QUERIES]
    words = sorted({word for text in texts for word in text})
    while True:
        text = list(rng.choice(texts))
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(text)) if text else 0
            other = rng.choice(texts)
            start = rng.randrange(len(other))
            text[at : at + rng.randint(0, 2)] = rng.choice(
                [[], [rng.choice(words)], other[start : start + rng.randint(1, 6)]]
            )
        yield " ".join(text)


def recombined(rng: random.Random) -> Iterator[str]:
    """Queries whose expressions stand in each other's places."""
    trees = []
    for text in QUERIES:
        try:
            tree = sqlglot.parse_one(text, dialect="duckdb")
        except SqlglotError:
            continue
        if isinstance(tree, exp.Query):
            trees.append(tree)
    kinds = (exp.Predicate, exp.Connector, exp.Func, exp.Binary, exp.Column, exp.Literal, exp.Case, exp.Query)
    parts = [node for tree in trees for node in tree.find_all(*kinds) if node.parent is not None]
    while True:
        tree = rng.choice(trees).copy()
        for _ in range(rng.randint(1, 2)):
            places = [node for node in tree.find_all(*kinds) if node.parent is not None]
            if places:
                rng.choice(places).replace(rng.choice(parts).copy())
        try:
            yield tree.sql(dialect="duckdb")
        except (SqlglotError, ValueError, TypeError, AttributeError):
            continue  # not a tree that any text has


@pytest.mark.parametrize("walk", [reworded, recombined])
def test_random_walks(answerers: list[Answerer], walk: object) -> None:
    assert callable(walk)
    for sql in islice(walk(random.Random(2026)), share(100)):
        try_out(answerers, sql)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(st.text(max_size=60), st.text(max_size=30).map("select count(*) from people where {}".format))
)
def test_any_text(answerers: list[Answerer], text: str) -> None:
    try_out(answerers[:1], text)
