"""What a reader sees when a query computes with withheld cells.

Each test is a small table of protected cells, a query over it, and the table that is presented. ``[c]`` marks a
cell that is withheld, ``[u]`` one that is unreliable but shown; ``-`` is an honest NULL.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from policies.refusals import Code, RefusalError
from tests.support.presentations import planned, rows, show, table

LEARNERS = table(
    "learners",
    """
    region | area     | starts* | passes*
    North  | Leeds    | 100     | 80
    North  | York     | [c]     | 20
    South  | Brighton | 40 [u]  | 10
    South  | Dover    | 60      | [c]
    """,
)
NAMES = table(
    "names",
    """
    area     | title
    Leeds    | City of Leeds
    York     | City of York
    Brighton | Brighton and Hove
    Hull     | Kingston upon Hull
    """,
)


def test_arithmetic_takes_the_worst_status_that_it_reads() -> None:
    shown = show("SELECT area, passes / starts AS rate, starts - passes AS failed FROM learners", LEARNERS)
    assert shown.rows == rows("""
        Leeds    | 0.8      | 20
        York     | [c]      | [c]
        Brighton | 0.25 [u] | 30 [u]
        Dover    | [c]      | [c]
    """)


@pytest.mark.parametrize(
    "expression",
    [
        "COALESCE(starts, 0)",
        "IFNULL(starts, 0)",
        "CASE WHEN starts IS NULL THEN 0 ELSE starts END",
        "IF(starts > 50, 1, 0)",
        "NULLIF(starts, 100)",
        "starts IS NULL",
        "greatest(starts, 0)",
        "concat('n = ', starts)",
        "list_sum([starts, 1])",
        "list_transform([1, 2], lambda x: x + COALESCE(starts, 0))",
        "{'n': starts}.n",
        "starts IN (100, 40)",
        "starts BETWEEN 1 AND 50",
        "TRY_CAST(starts AS VARCHAR)",
    ],
)
def test_no_expression_makes_a_withheld_value_look_known(expression: str) -> None:
    shown = show(f"SELECT area, {expression} AS v FROM learners WHERE area = 'York'", LEARNERS)
    assert shown.rows == [["York", "[c]"]]


def test_a_total_over_withheld_cells_says_so() -> None:
    shown = show(
        "SELECT region, sum(starts), count(starts), count(*), max(starts) FROM learners GROUP BY ALL ORDER BY ALL",
        LEARNERS,
    )
    assert shown.columns == ["region", "sum(starts)", "count(starts)", "count_star()", "max(starts)"]
    assert shown.rows == rows("""
        North | [c]     | [c]   | 2 | [c]
        South | 100 [u] | 2 [u] | 2 | 60 [u]
    """)


def test_a_filter_inside_an_aggregate_leaves_withheld_rows_out_by_what_is_known() -> None:
    shown = show(
        "SELECT sum(starts) FILTER (WHERE area <> 'York') AS known,"
        " sum(starts) FILTER (WHERE passes > 15) AS unsure FROM learners",
        LEARNERS,
    )
    assert shown.rows == rows("200 [u] | [c]")


def test_aggregates_that_order_or_pick_read_what_they_order_by() -> None:
    shown = show(
        "SELECT region, max_by(area, starts) AS top, string_agg(area, ', ' ORDER BY starts) AS ranked,"
        " percentile_cont(0.5) WITHIN GROUP (ORDER BY passes) AS mid FROM learners GROUP BY ALL ORDER BY ALL",
        LEARNERS,
    )
    assert shown.rows == rows("""
        North | [c]       | [c]                 | 50
        South | Dover [u] | Brighton, Dover [u] | [c]
    """)


def test_shares_and_running_totals_follow_the_window() -> None:
    shown = show(
        """
        SELECT area, starts / sum(starts) OVER (PARTITION BY region) AS share,
               sum(starts) OVER (ORDER BY area ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS pair,
               lag(starts, 1, 0) OVER (ORDER BY area) AS before,
               first_value(starts) OVER (PARTITION BY region ORDER BY area) AS first
        FROM learners ORDER BY area
        """,
        LEARNERS,
    )
    assert shown.rows == rows("""
        Brighton | 0.4 [u] | 40 [u]  | 0      | 40 [u]
        Dover    | 0.6 [u] | 100 [u] | 40 [u] | 40 [u]
        Leeds    | [c]     | 160     | 60     | 100
        York     | [c]     | [c]     | 100    | 100
    """)
    assert shown.notes == {}


def test_a_rank_shows_no_place_for_a_withheld_value_and_says_how_many_there_are() -> None:
    shown = show(
        "SELECT area, rank() OVER (ORDER BY starts DESC) AS place FROM learners ORDER BY area", LEARNERS
    )
    assert shown.rows == rows("""
        Brighton | 3 [u]
        Dover    | 2
        Leeds    | 1
        York     | [c]
    """)
    assert shown.notes == {"window": 1}


@pytest.mark.parametrize(
    ("clause", "kind", "kept"),
    [
        ("WHERE starts > 50", "filter", ["Leeds", "Dover"]),
        ("WHERE region = 'North' AND starts > 50", "filter", ["Leeds"]),
        ("QUALIFY row_number() OVER (ORDER BY starts DESC) <= 2", "qualify", ["Leeds", "Dover"]),
        ("ORDER BY starts DESC LIMIT 2", "limit", ["Leeds", "Dover"]),
    ],
)
def test_where_a_withheld_value_decides_which_rows_survive_a_note_counts_them(
    clause: str, kind: str, kept: list[str]
) -> None:
    shown = show(f"SELECT area FROM learners {clause}", LEARNERS)
    assert sorted(row[0] for row in shown.rows) == sorted(kept)
    assert shown.notes == {kind: 1}


def test_having_reads_no_partial_sum() -> None:
    shown = show("SELECT region FROM learners GROUP BY region HAVING sum(starts) < 150", LEARNERS)
    assert shown.rows == [["South"]]
    assert shown.notes == {"having": 1}


def test_grouping_by_a_withheld_value_keeps_those_rows_apart() -> None:
    shown = show(
        "SELECT CASE WHEN starts >= 50 THEN 'large' ELSE 'small' END AS size, count(*) AS areas, sum(passes) AS passes"
        " FROM learners GROUP BY size ORDER BY size",
        LEARNERS,
    )
    assert shown.rows == rows("""
        large     | 2 | [c]
        small [u] | 1 | 10
        [c]       | 1 | 20
    """)
    assert shown.notes == {"group": 1}


def test_subtotals_of_a_rollup_are_not_taken_for_withheld_names() -> None:
    shown = show(
        "SELECT region, starts, count(*) AS n FROM learners GROUP BY ROLLUP (region, starts) ORDER BY ALL",
        LEARNERS,
    )
    assert shown.rows == rows("""
        North | 100    | 1
        North | [c]    | 1
        North | -      | 2
        South | 40 [u] | 1
        South | 60     | 1
        South | -      | 2
        -     | -      | 4
    """)


def test_distinct_keeps_the_worst_status_of_equal_rows() -> None:
    shown = show("SELECT DISTINCT region, starts >= 40 AS open FROM learners ORDER BY region, open", LEARNERS)
    assert shown.rows == rows("""
        North | True
        North | [c]
        South | True [u]
    """)
    assert shown.notes == {"distinct": 1}


def test_what_an_outer_join_did_not_find_is_not_withheld() -> None:
    shown = show(
        "SELECT title, starts, COALESCE(starts, 0) AS filled FROM names LEFT JOIN learners USING (area) ORDER BY title",
        LEARNERS,
        NAMES,
    )
    assert shown.rows == rows("""
        Brighton and Hove  | 40 [u] | 40 [u]
        City of Leeds      | 100    | 100
        City of York       | [c]    | [c]
        Kingston upon Hull | -      | 0
    """)


def test_a_join_on_a_withheld_value_adds_a_note() -> None:
    shown = show(
        "SELECT a.area, b.area FROM learners a JOIN learners b ON a.starts > b.starts ORDER BY ALL", LEARNERS
    )
    assert shown.columns == ["area", "area_1"]
    assert shown.rows == rows("""
        Dover | Brighton
        Leeds | Brighton
        Leeds | Dover
    """)
    assert shown.notes == {"join": 2}


def test_unions_line_statuses_up_by_position_or_by_name() -> None:
    by_position = show(
        "SELECT area, starts FROM learners UNION ALL SELECT title, 0 FROM names ORDER BY 1 LIMIT 3",
        LEARNERS,
        NAMES,
    )
    assert by_position.rows == rows("""
        Brighton          | 40 [u]
        Brighton and Hove | 0
        City of Leeds     | 0
    """)
    by_name = show(
        "SELECT area, starts FROM learners UNION ALL BY NAME"
        " SELECT passes, area FROM learners WHERE area = 'Dover' ORDER BY ALL",
        LEARNERS,
    )
    assert by_name.rows == rows("""
        Brighton | 40 [u] | -
        Dover    | 60     | -
        Dover    | -      | [c]
        Leeds    | 100    | -
        York     | [c]    | -
    """)


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("UNION", "Brighton | 40 [u]\nDover | 60\nLeeds | 100\nYork | [c]"),
        ("EXCEPT", "Brighton | 40 [u]\nDover | 60\nYork | [c]"),
        ("INTERSECT", "Leeds | 100"),
    ],
)
def test_set_operations_compare_values_and_keep_the_worst_status(operation: str, expected: str) -> None:
    shown = show(f"SELECT area, starts FROM learners {operation} SELECT 'Leeds', 100 ORDER BY 1", LEARNERS)
    assert shown.rows == rows(expected)
    assert shown.notes == {"set_operation": 1}


def test_statuses_pass_through_ctes_derived_tables_and_shadowed_names() -> None:
    shown = show(
        """
        WITH totals AS (SELECT region, sum(starts) AS n FROM learners GROUP BY region),
             learners AS (SELECT region, n * 2 AS n FROM totals)
        SELECT l.region, l.n, t.half
        FROM learners AS l JOIN (SELECT region, n / 2 AS half FROM totals) AS t USING (region) ORDER BY 1
        """,
        LEARNERS,
    )
    assert shown.rows == rows("""
        North | [c]     | [c]
        South | 200 [u] | 50 [u]
    """)


def test_scalar_subqueries_bring_their_status() -> None:
    shown = show(
        """
        SELECT area, starts / (SELECT sum(starts) FROM learners WHERE region = 'South') AS of_south,
               starts / (SELECT sum(b.starts) FROM learners b WHERE b.region = a.region) AS of_own
        FROM learners a ORDER BY area
        """,
        LEARNERS,
    )
    assert shown.rows == rows("""
        Brighton | 0.4 [u] | 0.4 [u]
        Dover    | 0.6 [u] | 0.6 [u]
        Leeds    | 1 [u]   | [c]
        York     | [c]     | [c]
    """)


def test_a_correlated_condition_hides_what_depends_on_it() -> None:
    shown = show(
        """
        SELECT area, EXISTS (SELECT 1 FROM learners b WHERE b.region = a.region AND b.starts > 90) AS has_large
        FROM learners a ORDER BY area
        """,
        LEARNERS,
    )
    assert shown.rows == rows("""
        Brighton | False [u]
        Dover    | False [u]
        Leeds    | [c]
        York     | [c]
    """)


def test_a_recursive_cte_carries_statuses_from_round_to_round() -> None:
    shown = show(
        """
        WITH RECURSIVE growth AS (
            SELECT area, 0 AS year, starts AS n FROM learners WHERE region = 'North'
            UNION ALL SELECT area, year + 1, n * 2 FROM growth WHERE year < 1)
        SELECT * FROM growth ORDER BY area, year
        """,
        LEARNERS,
    )
    assert shown.rows == rows("""
        Leeds | 0 | 100
        Leeds | 1 | 200
        York  | 0 | [c]
        York  | 1 | [c]
    """)


def test_values_compare_with_any_and_all_of_a_subquery() -> None:
    shown = show(
        "SELECT area, 20 = ANY (SELECT passes FROM learners) AS some, passes > ALL (SELECT 5) AS every"
        " FROM learners ORDER BY area",
        LEARNERS,
    )
    assert shown.rows == rows("""
        Brighton | [c] | True
        Dover    | [c] | [c]
        Leeds    | [c] | True
        York     | [c] | True
    """)


def test_series_and_lists_of_the_query_itself_are_relations() -> None:
    shown = show(
        "SELECT area, i, starts + i AS n FROM learners, range(2) AS r(i), unnest([10]) AS u(j)"
        " WHERE region = 'North' ORDER BY ALL",
        LEARNERS,
    )
    assert shown.rows == rows("""
        Leeds | 0 | 100
        Leeds | 1 | 101
        York  | 0 | [c]
        York  | 1 | [c]
    """)


def test_stars_show_values_only() -> None:
    shown = show(
        "SELECT * EXCLUDE (passes) REPLACE (upper(area) AS area) FROM learners ORDER BY area", LEARNERS
    )
    assert shown.columns == ["region", "area", "starts"]
    assert shown.rows[-1] == ["North", "YORK", "[c]"]
    assert show("FROM learners", LEARNERS).columns == ["region", "area", "starts", "passes"]


def test_the_clock_is_that_of_the_run() -> None:
    clock = datetime(2026, 3, 31, 23, 30, tzinfo=UTC)
    shown = show(
        "SELECT current_date AS day, year(today()) AS y, now() = current_timestamp AS same", clock=clock
    )
    assert shown.rows == [["2026-03-31", "2026", "True"]]


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT learners FROM learners", Code.STATUS_NOT_TRACEABLE),
        (
            "SELECT lag(starts IGNORE NULLS) OVER (ORDER BY area) AS v FROM learners",
            Code.STATUS_NOT_TRACEABLE,
        ),
        ("SELECT u FROM learners, unnest([starts]) AS t(u)", Code.STATUS_NOT_TRACEABLE),
        (
            "SELECT area, starts FROM learners EXCEPT ALL SELECT area, passes FROM learners",
            Code.STATUS_NOT_TRACEABLE,
        ),
        (
            "SELECT (SELECT b.area FROM learners b WHERE b.region = a.region ORDER BY b.starts LIMIT 1) AS v"
            " FROM learners a",
            Code.STATUS_NOT_TRACEABLE,
        ),
    ],
)
def test_where_no_status_can_be_derived_the_query_is_refused(sql: str, code: Code) -> None:
    with pytest.raises(RefusalError) as raised:
        planned(sql, LEARNERS)
    assert [refusal.code for refusal in raised.value.refusals] == [code]
