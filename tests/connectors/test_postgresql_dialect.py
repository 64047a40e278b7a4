"""The rewriting pass for PostgreSQL: pairs of statements. Other tests hold what they mean, by running them."""

from __future__ import annotations

import pytest
from sqlglot import exp, parse_one

from catalogue.fragment import SourceError, SourceFault
from connectors.dialects.postgresql import Rewriter, sql
from connectors.dialects.postgresql_columns import Relation, relation_of
from connectors.layers import largest
from connectors.protocol import ColumnType, TypeKind

HELD = {
    "id": ColumnType(TypeKind.INTEGER, 19),
    "age": ColumnType(TypeKind.INTEGER, 10),
    "flag": ColumnType(TypeKind.BOOLEAN),
    "pay": ColumnType(TypeKind.DECIMAL, 10, 2),
    "hours": ColumnType(TypeKind.FLOAT),
    "text": ColumnType(TypeKind.TEXT),
}
OWN = ("pay * 2", "TRY_CAST(text AS BIGINT)", "age IN (1, 2)", "text = 'a'", "COALESCE(pay, 0)")
NUMERAL = (
    'CASE WHEN OCTET_LENGTH(t."text") <= 64 AND t."text" ~ '
    r"'^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?\s*$' "
    'THEN CAST(t."text" AS DECIMAL) END'
)
WHOLE = f"CASE WHEN ABS({NUMERAL}) < 1000000000000000000 THEN CAST({NUMERAL} AS BIGINT) END"
ROUNDED = f"ROUND(CAST({NUMERAL} AS DECIMAL), 2)"

PAIRS = [
    # Casts that could raise are made only where they fit.
    ('TRY_CAST(t."id" AS BIGINT)', 'CAST(t."id" AS BIGINT)'),
    ('TRY_CAST(TRY_CAST(t."id" AS BIGINT) AS DOUBLE)', 'CAST(CAST(t."id" AS BIGINT) AS DOUBLE PRECISION)'),
    ('TRY_CAST(t."flag" AS BIGINT)', 'CAST(CAST(t."flag" AS INT) AS BIGINT)'),
    ('CAST(t."flag" AS BIGINT)', 'CAST(CAST(t."flag" AS INT) AS BIGINT)'),
    (
        'TRY_CAST(t."hours" AS BIGINT)',
        'CASE WHEN ABS(t."hours") < 1000000000000000000 THEN CAST(t."hours" AS BIGINT) END',
    ),
    ('TRY_CAST(t."text" AS BIGINT)', WHOLE),
    (
        'TRY_CAST(t."text" AS DECIMAL(15, 2))',
        f"CASE WHEN ABS({ROUNDED}) < 10000000000000 THEN {ROUNDED} END",
    ),
    ('CAST(t."id" AS HUGEINT)', 'CAST(t."id" AS DECIMAL)'),
    # Texts compare byte by byte; those of the relation do already.
    ('CAST(t."age" AS VARCHAR)', '(CAST(t."age" AS TEXT)) COLLATE "C"'),
    ('CAST(t."text" AS VARCHAR)', 't."text"'),
    # Halves of a double go away from zero.
    (
        'ROUND(t."hours" * 100)',
        '(TRUNC(t."hours" * 100) + (CASE WHEN ABS((t."hours" * 100) - TRUNC(t."hours" * 100)) >= '
        'CAST(1 AS DOUBLE PRECISION) / 2 THEN SIGN(t."hours" * 100) ELSE 0 END))',
    ),
    ('t."age" // 10', '(t."age" / 10)'),
    ('ANY_VALUE(t."age")', 'MIN(t."age")'),
    (
        't."id" IS NOT DISTINCT FROM t."age"',
        '(COALESCE(t."id", \'0\') = COALESCE(t."age", \'0\') AND (t."id" IS NULL) = (t."age" IS NULL))',
    ),
    ('SUM(t."id") FILTER (WHERE t."age" > 3)', 'SUM(t."id") FILTER(WHERE t."age" > 3)'),
    # A custodian's own expressions, as those that cannot fail.
    ('TRY(t."pay" * 2)', '((CAST((t."pay") AS DECIMAL)) * (CAST((2) AS DECIMAL)))'),
    ('TRY(TRY_CAST(t."text" AS BIGINT))', f"({WHOLE})"),
    ('TRY(t."age" IN (1, 2))', '((t."age") IN ((1), (2)))'),
    ("TRY(t.\"text\" = 'a')", "((t.\"text\") = ((CAST('a' AS TEXT)) COLLATE \"C\"))"),
    ('TRY(COALESCE(t."pay", 0))', '(COALESCE((t."pay"), (0)))'),
]  # fmt: skip


def relation(finite: frozenset[str] = frozenset()) -> Relation:
    return relation_of(exp.to_table("people"), HELD, [*HELD, *OWN], "people", finite)


def rewriter() -> Rewriter:
    people = relation()
    return Rewriter(
        {"people": people.columns}, {("people", key): own for key, own in people.computed.items()}
    )


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_pairs(ours: str, theirs: str) -> None:
    tree = parse_one(f"SELECT {ours} AS x FROM people AS t", dialect="duckdb")
    before = tree.sql("duckdb")
    found, hoisted = rewriter().rewrite(tree)
    assert sql(found) == f"SELECT {theirs} AS x FROM people AS t"
    assert hoisted == []
    assert tree.sql("duckdb") == before, "the given tree is left as it is"


def test_the_relation_mends_what_columns_hold() -> None:
    text = '(CAST(s."text" AS TEXT)) COLLATE "C" AS "text"'
    others = 's."id" AS "id", s."age" AS "age", s."flag" AS "flag"'
    number = 'NULLIF(s."pay", CAST(\'NaN\' AS DECIMAL)) AS "pay"'
    assert (
        sql(relation().query) == f'SELECT {others}, {number}, s."hours" AS "hours", {text} FROM people AS s'
    )
    finite = relation(frozenset({"pay"}))
    assert (
        sql(finite.query)
        == f'SELECT {others}, s."pay" AS "pay", s."hours" AS "hours", {text} FROM people AS s'
    )


def test_the_largest_are_found_in_two_passes() -> None:
    two = largest(exp.column("r0"), 2, exp.column("r2"), is_key=True)
    rows = parse_one("SELECT t.pay AS r0, t.age AS r1, t.id AS r2 FROM people AS t")
    tree = exp.select("r1 AS k0", exp.alias_(two, "a1")).from_(rows.subquery("source_rows")).group_by("r1")
    statements = []
    for _ in range(2):
        found, ((name, first),) = rewriter().rewrite(tree)
        statements.append((name, sql(first), sql(found)))
    assert statements[0] == statements[1], "the same fragment is the same text"
    assert statements[0][:2] == (
        "first_pass0",
        "SELECT r1 AS k0, MAX(r0) FILTER(WHERE ((COALESCE(r2, 0)) & 1) = 0) AS a1_part0,"
        " MAX(r0) FILTER(WHERE ((COALESCE(r2, 0)) & 1) = 1) AS a1_part1"
        " FROM (SELECT t.pay AS r0, t.age AS r1, t.id AS r2 FROM people AS t) AS source_rows GROUP BY r1",
    )
    bound = "CASE WHEN NOT {0}a1_part0 IS NULL AND NOT {0}a1_part1 IS NULL THEN LEAST({0}a1_part0, {0}a1_part1) END"
    assert statements[0][2].startswith(
        f"SELECT f.k0, (s.a1 || ARRAY_FILL({bound.format('f.')}, ARRAY[2]))[1:2] AS a1 FROM first_pass0 AS f"
        " LEFT JOIN ("
    )
    assert (
        f"(SELECT ARRAY_AGG({bound.format('')}) FROM first_pass0)) AS c(cell_k0, cell_a1_bound)"
        in statements[0][2]
    )


def test_what_holds_no_numbers_is_not_read_as_one() -> None:
    held = {**HELD, "day": ColumnType(TypeKind.DATE)}
    columns = relation_of(exp.to_table("people"), held, held, "people", frozenset()).columns
    tree = parse_one('SELECT TRY_CAST(t."day" AS BIGINT) AS x FROM people AS t', dialect="duckdb")
    with pytest.raises(SourceError) as raised:
        Rewriter({"people": columns}, {}).rewrite(tree)
    assert raised.value.fault is SourceFault.SCHEMA
