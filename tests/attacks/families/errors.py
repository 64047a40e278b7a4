"""Errors as an oracle: an expression that fails for one person tells of her, if the failure can be seen."""

from __future__ import annotations

from policies.refusals import Code
from tests.attacks.families.differencing import HONEST
from tests.attacks.framework import Attack, Inference
from tests.attacks.rules import failed
from tests.support.neighbours import AGE, BOX

P, V = Inference.PRESENCE, Inference.VALUE
BASE = f"FROM people WHERE {BOX}"


def fails(
    name: str, where: str, refused: Code | None, inference: Inference = P, select: str = "COUNT(*)"
) -> Attack:
    return Attack(
        name,
        inference,
        (f"SELECT {select} {BASE} AND {where}" if where else f"SELECT {select} {BASE}",),
        failed,
        refused=refused,
        honest=HONEST,
    )


ATTACKS = [
    fails(
        "a cast that fails",
        f"CAST(CASE WHEN age = {AGE} THEN 'x' ELSE '1' END AS INT) = 1",
        Code.UNSUPPORTED_SYNTAX,
    ),
    fails(
        "a date that fails",
        f"CAST(CASE WHEN age = {AGE} THEN '2025-02-30' ELSE '2025-02-28' END AS DATE) IS NOT NULL",
        Code.UNSUPPORTED_SYNTAX,
    ),
    fails(
        "an overflow",
        f"CAST(CASE WHEN age = {AGE} THEN 300 ELSE 1 END AS TINYINT) = 1",
        Code.UNSUPPORTED_SYNTAX,
    ),
    fails(
        "a product too large",
        f"CASE WHEN age = {AGE} THEN 9223372036854775807 ELSE 1 END * age > 0",
        Code.UNSUPPORTED_SYNTAX,
    ),
    fails(
        "error() itself",
        f"CASE WHEN age = {AGE} THEN error('there she is') ELSE TRUE END",
        Code.UNKNOWN_FUNCTION,
    ),
    fails("a division by nothing", f"1 // (age - {AGE}) < 2", Code.UNSUPPORTED_SYNTAX),
    fails(
        "a regular expression that does not parse",
        f"regexp_matches('x', CASE WHEN age = {AGE} THEN '(' ELSE 'x' END)",
        Code.UNSUPPORTED_SYNTAX,
    ),
    fails(
        "a cast of pay",
        "CAST(CASE WHEN pay > 1500 THEN 'x' ELSE '1' END AS INT) = 1",
        Code.UNSUPPORTED_SYNTAX,
        V,
    ),
    fails(
        "an error inside a sum",
        "",
        Code.MEASURE_EXPRESSION,
        V,
        "SUM(CAST(CASE WHEN pay > 1500 THEN 'x' ELSE '1' END AS INT))",
    ),
    fails("a pay too large for a type", "", Code.MEASURE_EXPRESSION, V, "SUM(CAST(pay * 20 AS SMALLINT))"),
    Attack(
        "an error above the line",
        P,
        (f"SELECT CAST(CASE WHEN COUNT(*) > 31 THEN 'x' ELSE '1' END AS INT) {BASE}",),
        failed,
        honest=HONEST,
    ),
    Attack(
        "an overflow above the line",
        P,
        (f"SELECT CAST(COUNT(*) * 4 AS TINYINT) {BASE}",),
        failed,
        honest=HONEST,
    ),
    Attack(
        "an assertion above the line",
        P,
        (f"SELECT CASE WHEN COUNT(*) > 31 THEN error('many') ELSE 0 END {BASE}",),
        failed,
        refused=Code.UNKNOWN_FUNCTION,
    ),
    Attack(
        "an error for what is hidden",
        P,
        (f"SELECT CAST(COALESCE(CASE WHEN COUNT(*) = 1 THEN 'x' END, '1') AS INT) {BASE} AND age = {AGE}",),
        failed,
    ),
    Attack(
        "a unit in two rows",
        P,
        (f"SELECT (SELECT sex {BASE} AND age = {AGE} UNION ALL SELECT 'x')",),
        failed,
        refused=Code.ROW_LEVEL,
    ),
]
