"""Refusals above the line tell the place, the rule and what to do instead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlglot

from policies.presentation.clock import bind_clock
from policies.presentation.present import present
from policies.refusals import Code, Position, RefusalError
from tests.support.presentations import planned, table

CELLS = table("cells_0", "k0 | a0*\nLeeds | 100\nYork | [c]")


def refused(sql: str, names: int = 1) -> RefusalError:
    query = sqlglot.parse_one(sql, dialect="duckdb")
    with pytest.raises(RefusalError) as raised:
        present(query, {"cells_0": CELLS.relation}, ["v"] * names)  # type: ignore[arg-type]
    return raised.value


@pytest.mark.parametrize(
    ("sql", "code", "position"),
    [
        ("SELECT k0 AS v\nFROM people", Code.UNKNOWN_TABLE, Position(2, 6, 20)),
        ("SELECT a0 +\n  wages AS v FROM cells_0", Code.UNKNOWN_COLUMN, Position(2, 3, 14)),
        ("SELECT k0 AS v FROM cells_0 a, cells_0 b", Code.AMBIGUOUS_COLUMN, Position(1, 8, 7)),
        ("SELECT repeat(k0, 9) AS v FROM cells_0", Code.UNKNOWN_FUNCTION, Position(1, 8, 7)),
        ("SELECT frobnicate(k0) AS v FROM cells_0", Code.UNKNOWN_FUNCTION, Position(1, 8, 7)),
        ("SELECT now() AS v", Code.UNSUPPORTED_SYNTAX, Position(1, 8, 7)),
        ("SELECT k0 AS __fed_v FROM cells_0", Code.UNSUPPORTED_SYNTAX, Position(1, 14, 13)),
    ],
)
def test_the_place_is_that_in_the_text_as_typed(sql: str, code: Code, position: Position) -> None:
    refusal = refused(sql).refusals[0]
    assert (refusal.code, refusal.position) == (code, position)


def test_all_faults_are_told_at_once() -> None:
    found = refused("SELECT random(), uuid_of(k0), nextval('s') FROM people USING SAMPLE 1", 3)
    codes = [refusal.code for refusal in found.refusals]
    assert codes.count(Code.UNKNOWN_FUNCTION) == 2
    assert Code.UNKNOWN_TABLE in codes
    assert Code.UNSUPPORTED_SYNTAX in codes


def test_a_reviewed_function_is_refused_with_the_reason() -> None:
    refusal = refused("SELECT approx_count_distinct(k0) AS v FROM cells_0").refusals[0]
    assert "approximate" in refusal.message


def test_the_clock_has_a_zone_and_is_told_in_utc() -> None:
    clock = datetime(2026, 4, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    query = sqlglot.parse_one("SELECT current_date, now(), localtimestamp", dialect="duckdb")
    assert bind_clock(query, clock).sql("duckdb") == (  # type: ignore[arg-type]
        "SELECT CAST('2026-03-31' AS DATE), CAST('2026-03-31 23:30:00+00:00' AS TIMESTAMPTZ),"
        " CAST('2026-03-31 23:30:00' AS TIMESTAMP)"
    )


def test_the_query_that_is_presented_is_left_as_it_was() -> None:
    query = sqlglot.parse_one(
        "SELECT *, a0 + 1 AS b FROM cells_0 WHERE current_date > DATE '2020-01-01'", dialect="duckdb"
    )
    before = query.sql("duckdb")
    present(query, {"cells_0": CELLS.relation}, ["k0", "a0", "b"], clock=datetime(2026, 1, 1, tzinfo=UTC))  # type: ignore[arg-type]
    assert query.sql("duckdb") == before


def test_the_same_query_makes_the_same_sql() -> None:
    sql = "WITH t AS (SELECT k0, a0 * 2 AS n FROM cells_0) SELECT k0, n FROM t WHERE n > 1 ORDER BY n LIMIT 3"
    assert planned(sql, CELLS) == planned(sql, CELLS)
