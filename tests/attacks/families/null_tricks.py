"""DISTINCT and NULL: who lacks a value, is counted twice, or is left out of a mean."""

from __future__ import annotations

from policies.refusals import Code
from tests.attacks.families.differencing import HONEST
from tests.attacks.framework import Attack, Inference
from tests.attacks.rules import at, differ, rows, side_by_side
from tests.support.neighbours import AGE, BOX

EMPLOYED = f"SELECT COUNT(*) FROM people WHERE {BOX} AND status IN ('EMP', 'UNE')"
A, P, X = Inference.ATTRIBUTE, Inference.PRESENCE, Inference.ACCESS

ATTACKS = [
    Attack(
        "who has no pay",
        A,
        (f"SELECT COUNT(*), COUNT(pay) FROM people WHERE {BOX} AND status <> 'SELF'",),
        side_by_side,
        honest=EMPLOYED,
    ),
    Attack(
        "who has no employer",
        A,
        (f"SELECT COUNT(*), COUNT(employer_id) FROM people WHERE {BOX} AND status <> 'SELF'",),
        side_by_side,
        refused=Code.MEASURE_EXPRESSION,
    ),
    Attack(
        "who works nowhere",
        A,
        (f"SELECT COUNT(*), COUNT(work_area) FROM people WHERE {BOX} AND status <> 'SELF'",),
        side_by_side,
        honest=EMPLOYED,
    ),
    Attack(
        "a null among many",
        A,
        (
            f"SELECT COUNT(*) FROM people WHERE {BOX} AND status <> 'SELF'",
            f"SELECT COUNT(*) FROM people WHERE {BOX} AND status <> 'SELF' AND pay IS NOT NULL",
        ),
        differ,
        honest=EMPLOYED,
    ),
    Attack(
        "a null made by NULLIF",
        P,
        (f"SELECT COUNT(*), COUNT(NULLIF(age, {AGE})) FROM people WHERE {BOX}",),
        side_by_side,
        honest=HONEST,
    ),
    Attack(
        "a null made by TRY_CAST",
        P,
        (
            f"SELECT COUNT(*), COUNT(TRY_CAST(CASE WHEN age = {AGE} THEN 'x' ELSE '1' END AS INT)) FROM people WHERE {BOX}",
        ),
        side_by_side,
        honest=HONEST,
    ),
    Attack(
        "how many ages there are",
        P,
        (f"SELECT COUNT(DISTINCT age) FROM people WHERE {BOX}",),
        at(0, 0, lambda n: n == 26),
        refused=Code.UNKNOWN_FUNCTION,
    ),
    Attack(
        "how many pays there are",
        P,
        (f"SELECT COUNT(DISTINCT pay) FROM people WHERE {BOX}",),
        at(0, 0, lambda n: n == 27),
        refused=Code.UNKNOWN_FUNCTION,
    ),
    Attack(
        "a sum of distinct pays",
        P,
        (f"SELECT SUM(DISTINCT pay) FROM people WHERE {BOX}",),
        at(0, 0, lambda n: n > 15_000),
        refused=Code.UNKNOWN_FUNCTION,
    ),
    Attack(
        "distinct rows",
        P,
        (f"SELECT DISTINCT age FROM people WHERE {BOX} AND age = {AGE}",),
        rows,
        honest=HONEST,
    ),
    Attack(
        "distinct pay",
        P,
        (f"SELECT DISTINCT pay FROM people WHERE {BOX} AND age = {AGE}",),
        rows,
        refused=Code.PREDICATE_NOT_BOX,
    ),
    Attack(
        "DISTINCT ON",
        X,
        (f"SELECT DISTINCT ON (area) area, pay FROM people WHERE {BOX}",),
        rows,
        refused=Code.PREDICATE_NOT_BOX,
    ),
    Attack(
        "a group of nulls",
        A,
        (
            f"SELECT COUNT(*) FROM people WHERE {BOX} AND status <> 'SELF' GROUP BY pay IS NULL ORDER BY pay IS NULL DESC",
        ),
        at(0, 0, lambda n: n == 1),
        honest=EMPLOYED,
    ),
    Attack(
        "a mean that leaves one out",
        P,
        (f"SELECT AVG(hours), AVG(CASE WHEN age <> {AGE} THEN hours END) FROM people WHERE {BOX}",),
        side_by_side,
        honest=HONEST,
    ),
]
