"""Minima and maxima, and what stands in for them: one person's value each."""

from __future__ import annotations

from policies.refusals import Code
from tests.attacks.framework import Attack, Inference, Rule
from tests.attacks.rules import more_than
from tests.support.neighbours import BOX

V = Inference.VALUE
RICH = more_than(1500)


def extreme(name: str, expression: str, code: Code, decide: Rule = RICH) -> Attack:
    return Attack(name, V, (f"SELECT {expression} FROM people WHERE {BOX}",), decide, refused=code)


ATTACKS = [
    extreme("the largest pay", "MAX(pay)", Code.EXTREMES),
    extreme("the smallest negated", "-MIN(-pay)", Code.EXTREMES),
    extreme("the largest of a group", "MAX(pay) FILTER (WHERE sex = 'F')", Code.EXTREMES),
    extreme("the largest three", "MAX(pay, 3)[1]", Code.EXTREMES),
    extreme("the one who earns most", "ARG_MAX(pay, pay)", Code.EXTREMES),
    extreme("any value above", "ANY_VALUE(pay) FILTER (WHERE pay > 1500)", Code.UNKNOWN_FUNCTION),
    extreme("the first in order", "FIRST(pay ORDER BY pay DESC)", Code.UNKNOWN_FUNCTION),
    extreme("the last quantile", "QUANTILE_CONT(pay, 1.0)", Code.QUANTILE_NOT_DECLARED),
    extreme("a quantile near the end", "QUANTILE_DISC(pay, 0.999)", Code.QUANTILE_NOT_DECLARED),
    extreme("a quantile from the other side", "-QUANTILE_DISC(-pay, 0.001)", Code.QUANTILE_NOT_DECLARED),
    extreme("an approximate quantile", "APPROX_QUANTILE(pay, 1.0)", Code.UNKNOWN_FUNCTION),
    extreme("the range", "MAX(pay) - MIN(pay)", Code.EXTREMES, more_than(1400)),
    Attack(
        "the largest by a window",
        V,
        (f"SELECT MAX(pay) OVER () FROM people WHERE {BOX}",),
        RICH,
        refused=Code.ROW_LEVEL,
    ),
    Attack(
        "the largest by ORDER BY",
        V,
        (f"SELECT pay FROM people WHERE {BOX} ORDER BY pay DESC NULLS LAST LIMIT 1",),
        RICH,
        refused=Code.ROW_LEVEL,
    ),
    Attack(
        "the largest by a correlated subquery",
        V,
        (
            f"SELECT COUNT(*) FROM people p WHERE {BOX} AND pay > 1500 AND NOT EXISTS (SELECT 1 FROM people q WHERE q.pay > p.pay + 1000)",
        ),
        more_than(0),
        refused=Code.UNKNOWN_COLUMN,
    ),
    Attack(
        "the highest declared quantile of a few",
        V,
        (f"SELECT QUANTILE_CONT(pay, 0.9) FROM people WHERE {BOX} AND age >= 50",),
        more_than(1050),
    ),
]
