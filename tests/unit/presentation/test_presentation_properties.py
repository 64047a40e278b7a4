"""Generated queries above the line: nothing is lost where nothing is withheld, and nothing withheld shows through.

The second property is non-interference: whatever the withheld cells really were, every value that the presentation
shows as known is the value that the plain query gives over the real cells. So it cannot depend on them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import duckdb
import pyarrow as pa
from hypothesis import HealthCheck, example, given, reject, settings
from hypothesis import strategies as st

from policies.cells import FIRST_HIDDEN, Status
from policies.presentation.model import Column, Relation
from tests.support.presentations import ENGINE, Table, planned

RELATION = Relation(
    "cells",
    (
        Column("k0", None, "VARCHAR"),
        Column("k1", None, "VARCHAR"),
        Column("a0", "s0", "BIGINT"),
        Column("a1", "s1", "BIGINT"),
    ),
)
ROWS = [(name, group) for group in "xyz" for name in (f"{group}1", f"{group}2")]
SETTINGS = settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))

small = st.integers(-5, 20)
values = st.lists(st.tuples(small, small), min_size=len(ROWS), max_size=len(ROWS))
status = st.sampled_from(
    [Status.PUBLISHED, Status.PUBLISHED, Status.PUBLISHED, Status.UNRELIABLE, Status.CONFIDENTIAL]
)
statuses = st.lists(st.tuples(status, status), min_size=len(ROWS), max_size=len(ROWS))


# Queries ------------------------------------------------------------------------------------------------------------


def _join(template: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map(lambda found: template.format(*found))


def numbers(depth: int, source: str = "c") -> st.SearchStrategy[str]:
    leaves = st.sampled_from([f"{source}.a0", f"{source}.a1", "0", "3", "NULL::BIGINT"])
    if depth == 0:
        return leaves
    inner, condition = numbers(depth - 1, source), conditions(depth - 1, source)
    return st.one_of(
        leaves,
        _join("({} + {})", inner, inner),
        _join("({} - {})", inner, inner),
        _join("({} * 2)", inner),
        _join("abs({})", inner),
        _join("COALESCE({}, {})", inner, inner),
        _join("NULLIF({}, {})", inner, inner),
        _join("greatest({}, {})", inner, inner),
        _join("CASE WHEN {} THEN {} ELSE {} END", condition, inner, inner),
        _join("IF({}, {}, {})", condition, inner, inner),
        _join("len(list_filter([{}, 1], lambda i: i > {}))", inner, inner),
    )


def conditions(depth: int, source: str = "c") -> st.SearchStrategy[str]:
    inner = numbers(max(depth - 1, 0), source)
    leaves = st.one_of(
        st.just(f"{source}.k1 = 'x'"),
        _join("{} > {}", inner, inner),
        _join("{} IS NULL", inner),
        _join("{} IN (1, 2, {})", inner, inner),
        _join("{} BETWEEN 0 AND {}", inner, inner),
    )
    if depth == 0:
        return leaves
    each = conditions(depth - 1, source)
    return st.one_of(
        leaves, _join("({} AND {})", each, each), _join("({} OR {})", each, each), _join("(NOT {})", each)
    )


AGGREGATES = ["sum", "min", "max", "count", "avg", "median", "count(DISTINCT", "bool_or(0 <"]
FRAMES = [
    "",
    "ROWS BETWEEN 1 PRECEDING AND CURRENT ROW",
    "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
    "ROWS BETWEEN 1 FOLLOWING AND 2 FOLLOWING",
    "ROWS BETWEEN 2 PRECEDING AND CURRENT ROW EXCLUDE CURRENT ROW",
]


@st.composite
def aggregates(draw: st.DrawFn, source: str = "c", *, filters: bool = True) -> str:
    name, argument = draw(st.sampled_from(AGGREGATES)), draw(numbers(2, source))
    call = f"{name} {argument})" if "(" in name else f"{name}({argument})"
    if filters and draw(st.booleans()):
        call += f" FILTER (WHERE {draw(conditions(1, source))})"
    return call


@st.composite
def windows(draw: st.DrawFn) -> str:
    partition = draw(st.sampled_from(["", "PARTITION BY c.k1 "]))
    over = f"OVER ({partition}ORDER BY c.k0 {{frame}})"
    kind = draw(st.sampled_from(["aggregate", "shift", "pick"]))
    if kind == "shift":
        default = draw(numbers(1))
        return f"{draw(st.sampled_from(['lag', 'lead']))}({draw(numbers(2))}, 1, {default}) {over.format(frame='')}"
    frame = over.format(frame=draw(st.sampled_from(FRAMES)))
    if kind == "aggregate":
        return f"{draw(aggregates())} {frame}"
    nulls = draw(st.sampled_from(["", " IGNORE NULLS"]))
    pick = draw(st.sampled_from(["first_value({}{})", "last_value({}{})", "nth_value({}, 2{})"]))
    return f"{pick.format(draw(numbers(2)), nulls)} {frame}"


@st.composite
def queries(draw: st.DrawFn) -> str:
    """Queries whose rows never depend on a value that may be withheld, in a fixed order."""
    where = draw(st.sampled_from(["", " WHERE c.k1 <> 'z'", " WHERE c.k0 LIKE '%1'"]))
    v, w = draw(numbers(3)), draw(numbers(2))
    match draw(
        st.sampled_from(
            ["row", "group", "rollup", "window", "total", "cte", "subquery", "join", "union", "test"]
        )
    ):
        case "row":
            return f"SELECT c.k0, {v} AS v, {w} AS w FROM cells c{where} ORDER BY c.k0"
        case "group":
            a, b = draw(aggregates()), draw(aggregates())
            return f"SELECT c.k1, {a} AS v, COALESCE({b}, 0) AS w FROM cells c{where} GROUP BY c.k1 ORDER BY c.k1"
        case "rollup":
            return f"SELECT c.k1, {draw(aggregates())} AS v FROM cells c{where} GROUP BY ROLLUP (c.k1) ORDER BY c.k1"
        case "window":
            return f"SELECT c.k0, {draw(windows())} AS v, {draw(windows())} + 1 AS w FROM cells c{where} ORDER BY c.k0"
        case "total":
            a, b = draw(aggregates(filters=False)), draw(aggregates())
            return f"SELECT c.k1, {b} AS v, sum({a}) OVER (ORDER BY c.k1) AS w FROM cells c GROUP BY ALL ORDER BY c.k1"
        case "cte":
            inner = f"SELECT c.k0, c.k1, {v} AS a0, {w} AS a1 FROM cells c{where}"
            return f"WITH cells AS ({inner}) SELECT c.k1, {draw(aggregates())} AS v FROM cells c GROUP BY 1 ORDER BY 1"
        case "subquery":
            inner = f"SELECT {draw(aggregates('d'))} FROM cells d WHERE d.k1 = c.k1 AND {draw(conditions(1, 'd'))}"
            return f"SELECT c.k0, ({inner}) AS v FROM cells c{where} ORDER BY c.k0"
        case "join":
            return (
                f"SELECT c.k0, {v} AS v, {draw(numbers(2, 'd'))} AS w FROM cells c"
                f" LEFT JOIN (SELECT * FROM cells WHERE k1 = 'x') AS d USING (k0){where} ORDER BY c.k0"
            )
        case "union":
            return f"SELECT c.k0, {v} AS v FROM cells c UNION ALL SELECT 'n' || c.k0, {w} FROM cells c ORDER BY 1"
        case _:
            inner = f"SELECT 1 FROM cells d WHERE d.k1 = c.k1 AND {draw(conditions(2, 'd'))}"
            return f"SELECT c.k0, EXISTS ({inner}) AS v, {w} IN (SELECT d.a0 FROM cells d) AS w FROM cells c ORDER BY 1"


deciding = st.one_of(
    _join("SELECT c.k0 FROM cells c WHERE {} ORDER BY 1", conditions(2)),
    _join("SELECT c.k1 FROM cells c GROUP BY 1 HAVING {} > 3 ORDER BY 1", aggregates()),
    _join("SELECT c.k0 FROM cells c QUALIFY {} > 2 ORDER BY 1", windows()),
    _join("SELECT c.k0, rank() OVER (ORDER BY {}) AS r FROM cells c ORDER BY 1", numbers(2)),
    _join("SELECT c.k0 FROM cells c ORDER BY {} DESC, c.k0 LIMIT 3", numbers(2)),
    _join("SELECT DISTINCT {} AS v FROM cells c ORDER BY 1", numbers(2)),
    _join("SELECT DISTINCT ON (c.k1) c.k1, c.k0 FROM cells c ORDER BY c.k1, {}, c.k0", numbers(2)),
    _join("SELECT {} AS v, count(*) AS n, sum(c.a1) AS w FROM cells c GROUP BY v ORDER BY 1", numbers(2)),
    _join("SELECT c.k0, d.k0 FROM cells c JOIN cells d ON c.a0 > d.a1 AND {} ORDER BY 1, 2", conditions(1)),
    _join("SELECT {} AS v FROM cells c EXCEPT SELECT {} FROM cells c ORDER BY 1", numbers(1), numbers(1)),
    _join("SELECT {} AS v FROM cells c UNION SELECT {} FROM cells c ORDER BY 1", numbers(1), numbers(1)),
    _join("SELECT {} AS v FROM cells c INTERSECT SELECT {} FROM cells c ORDER BY 1", numbers(1), numbers(1)),
)


# Running them -------------------------------------------------------------------------------------------------------


def cells(real: list[tuple[int, int]], marks: list[tuple[Status, Status]]) -> Table:
    """Protected cells: what is withheld is NULL."""
    arrays: dict[str, Any] = {"k0": [k for k, _ in ROWS], "k1": [g for _, g in ROWS]}
    for i in (0, 1):
        shown = [None if mark[i].hidden else value[i] for value, mark in zip(real, marks, strict=True)]
        arrays[f"a{i}"] = pa.array(shown, pa.int64())
        arrays[f"s{i}"] = pa.array([int(mark[i]) for mark in marks], pa.int8())
    return Table(RELATION, pa.table(arrays))


def plain(sql: str, real: list[tuple[int, int]]) -> list[tuple[Any, ...]]:
    """The query as typed over the real values."""
    with ENGINE.cursor() as engine:
        published = [(Status.PUBLISHED, Status.PUBLISHED)] * len(ROWS)
        engine.register("cells", cells(real, published).plain())
        try:
            return engine.execute(sql).fetchall()
        except duckdb.BinderException:
            return (
                reject()
            )  # an aggregate of constants in a correlated subquery, which DuckDB does not accept


def presented(sql: str, protected: Table) -> tuple[list[tuple[Any, ...]], list[tuple[int, ...]], int]:
    """Values, statuses and the number of rows that notes count."""
    presentation = planned(sql, protected)
    with ENGINE.cursor() as engine:
        engine.register("cells", protected.contents)
        found = engine.execute(presentation.sql).fetchall()
        noted = sum(engine.execute(note.sql).fetchall()[0][0] for note in presentation.notes)
    width = len(presentation.columns)
    return [row[:width] for row in found], [row[width:] for row in found], noted


@given(st.one_of(queries(), deciding), values)
@SETTINGS
def test_where_nothing_is_withheld_the_result_is_that_of_the_plain_query(
    sql: str, real: list[tuple[int, int]]
) -> None:
    published = [(Status.PUBLISHED, Status.PUBLISHED)] * len(ROWS)
    expected = plain(sql, real)
    shown, marks, noted = presented(sql, cells(real, published))
    assert shown == expected
    assert all(mark == Status.PUBLISHED for row in marks for mark in row)
    assert noted == 0


@given(queries(), values, values, statuses)
@example(
    "SELECT c.k1, sum(c.a0) FILTER (WHERE c.a1 > 0) AS v FROM cells c GROUP BY c.k1 ORDER BY c.k1",
    [(1, 1)] * 6,
    [(1, -1)] * 6,
    [(Status.PUBLISHED, Status.CONFIDENTIAL)] * 6,
)
@SETTINGS
def test_no_value_shown_as_known_depends_on_a_withheld_cell(
    sql: str, real: list[tuple[int, int]], other: list[tuple[int, int]], marks: list[tuple[Status, Status]]
) -> None:
    # Two databases that differ in the withheld cells alone.
    swapped = [
        tuple(o[i] if m[i].hidden else r[i] for i in (0, 1))
        for r, o, m in zip(real, other, marks, strict=True)
    ]
    truth, otherwise = plain(sql, real), plain(sql, swapped)  # type: ignore[arg-type]
    shown, found, noted = presented(sql, cells(real, marks))
    if "WHERE d." in sql and noted:
        return  # an uncorrelated condition decided rows, and the note says so
    assert len(shown) == len(truth) == len(otherwise)
    for row, mark, real_row, other_row in zip(shown, found, truth, otherwise, strict=True):
        for value, code, real_value, other_value in zip(row, mark, real_row, other_row, strict=True):
            if code >= FIRST_HIDDEN:
                assert value is None
            else:
                assert value == real_value == other_value


@given(st.one_of(queries(), deciding), values, statuses)
@SETTINGS
def test_a_hidden_output_is_null_and_an_order_of_columns_is_kept(
    sql: str, real: list[tuple[int, int]], marks: list[tuple[Status, Status]]
) -> None:
    plain(sql, real)
    protected = cells(real, marks)
    shown, found, _ = presented(sql, protected)
    for row, mark in zip(shown, found, strict=True):
        assert all(value is None for value, code in zip(row, mark, strict=True) if code >= FIRST_HIDDEN)
    # Renaming the relation's status columns changes nothing: they are not part of the query's world.
    renamed = replace(
        RELATION, columns=tuple(replace(c, status=c.status and f"z{c.status}") for c in RELATION.columns)
    )
    names = [{"s0": "zs0", "s1": "zs1"}.get(n, n) for n in protected.contents.column_names]
    again = presented(sql, Table(renamed, protected.contents.rename_columns(names)))
    assert again[:2] == (shown, found)
