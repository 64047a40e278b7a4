"""Subqueries below the line, statuses and notes as channels; areas that an agreement does not show."""

from __future__ import annotations

from collections.abc import Sequence

from policies.refusals import Code
from tests.attacks.families.differencing import HONEST
from tests.attacks.framework import Answer, Attack, Inference, Rule
from tests.attacks.rules import at, more_than, rows
from tests.support.neighbours import AGE, AREA, BOX

P, V, X, A = Inference.PRESENCE, Inference.VALUE, Inference.ACCESS, Inference.ATTRIBUTE
ELSEWHERE = "E0609"
EMPLOYED = f"SELECT COUNT(*) FROM people WHERE {BOX} AND status = 'EMP'"


def nearer(yes: float, no: float) -> Rule:
    """The one number is nearer to what it is if so than to what it is if not."""

    def decide(answers: Sequence[Answer]) -> bool:
        number = answers[0].number
        return number is not None and abs(number - yes) < abs(number - no)

    return decide


def _by_spread(everybody: float, employed: float, mean: float, mean_employed: float) -> bool:
    """Squares of the same hours, from 32 people and from 26 or 27: does 26 fit better?"""
    squares = 31 * everybody + 32 * mean**2

    def gap(n: int) -> float:
        return abs(squares - (n - 1) * employed - n * mean_employed**2)

    return gap(26) < gap(27)


def outside(name: str, sql: str, code: Code = Code.OUTSIDE_JURISDICTION) -> Attack:
    return Attack(name, X, (sql,), rows, refused=code, jurisdiction=True)


STAGES = [
    Attack(
        "a threshold that is a true maximum",
        V,
        (
            f"SELECT COUNT(*) FROM people WHERE pay >= (SELECT MAX(pay) FROM people WHERE {BOX}) AND {BOX} AND age = {AGE}",
        ),
        more_than(0),
        refused=Code.EXTREMES,
    ),
    Attack(
        "a threshold that is her pay",
        V,
        (
            f"SELECT COUNT(*) FROM people WHERE {AREA} AND pay < (SELECT AVG(pay) FROM people WHERE {BOX} AND age = {AGE})",
        ),
        more_than(200),
    ),
    Attack(
        "a threshold for each row",
        X,
        ("SELECT COUNT(*) FROM people p WHERE pay > (SELECT AVG(pay) FROM people q WHERE q.area = p.area)",),
        more_than(0),
        refused=Code.STAGE_CORRELATED,
    ),
    Attack(
        "a threshold with many rows",
        X,
        ("SELECT COUNT(*) FROM people WHERE age > (SELECT COUNT(*) FROM people GROUP BY sex LIMIT 1)",),
        lambda a: a[0].number is not None,
        refused=Code.STAGE_NOT_SCALAR,
    ),
    Attack(
        "a threshold in a threshold",
        X,
        (
            "SELECT COUNT(*) FROM people WHERE pay > (SELECT AVG(pay) FROM people WHERE pay > (SELECT AVG(pay) FROM people))",
        ),
        more_than(0),
        refused=Code.STAGE_NOT_SCALAR,
    ),
    Attack(
        "what is hidden, replaced",
        P,
        (f"SELECT COALESCE(COUNT(*), -1) FROM people WHERE {BOX} AND age = {AGE}",),
        more_than(0),
    ),
    Attack(
        "what is hidden, compared",
        P,
        (
            f"SELECT CASE WHEN COUNT(*) IS NULL THEN 0 WHEN COUNT(*) > 0 THEN 1 ELSE 0 END FROM people WHERE {BOX} AND age = {AGE}",
        ),
        more_than(0),
    ),
    Attack(
        "what is hidden, counted",
        P,
        (
            f"SELECT COUNT(n) FROM (SELECT age, NULLIF(COUNT(*), 0) AS n FROM people WHERE {BOX} AND age BETWEEN 50 AND 52 GROUP BY age)",
        ),
        lambda a: a[0].number == 1,
    ),
    Attack(
        "what is hidden, summed",
        P,
        (
            f"SELECT SUM(n) FROM (SELECT age, COUNT(*) AS n FROM people WHERE {BOX} AND age BETWEEN 50 AND 52 GROUP BY age)",
        ),
        more_than(0),
    ),
    Attack(
        "what is hidden, pivoted",
        P,
        (
            f"SELECT * FROM (PIVOT (SELECT age, sex, COUNT(*) AS n FROM people WHERE {AREA} AND age = {AGE} GROUP BY ALL) ON sex IN ('F') USING sum(n))",
        ),
        at(0, 1, lambda n: n == 1),
    ),
    Attack(
        "a ratio of two hidden",
        P,
        (f"SELECT COUNT(*) FILTER (WHERE sex = 'F') / COUNT(*) FROM people WHERE {BOX} AND age = {AGE}",),
        at(0, 0, lambda n: n == 1),
    ),
    Attack(
        "a ratio of one measure on two bases",
        P,
        (f"SELECT AVG(hours) FILTER (WHERE hours >= 1) / AVG(hours) FROM people WHERE {BOX}",),
        nearer(32 / 27, 31 / 26),
        honest=HONEST,
    ),
    Attack(
        "a ratio of one measure on two bases, by codes",
        P,
        (f"SELECT AVG(hours) FILTER (WHERE status = 'EMP') / AVG(hours) FROM people WHERE {BOX}",),
        nearer(32 / 27, 31 / 26),
        honest=HONEST,
    ),
    Attack(
        "whether she works, by a ratio of one measure on two bases",
        A,
        (f"SELECT AVG(hours) / AVG(hours) FILTER (WHERE status = 'EMP') FROM people WHERE {BOX}",),
        nearer(26 / 32, 27 / 32),
        honest=EMPLOYED,
    ),
    Attack(
        "whether she works, by a total on two bases",
        A,
        (
            f"SELECT (SUM(hours) / COUNT(*)) / (SUM(hours) FILTER (WHERE status = 'EMP') / COUNT(*) FILTER (WHERE status = 'EMP')) FROM people WHERE {BOX}",
        ),
        nearer(26 / 32, 27 / 32),
        honest=EMPLOYED,
    ),
    Attack(
        "whether she works, by a spread on two bases",
        A,
        (
            f"SELECT VAR_SAMP(hours), VAR_SAMP(hours) FILTER (WHERE status = 'EMP'), AVG(hours), AVG(hours) FILTER (WHERE status = 'EMP') FROM people WHERE {BOX}",
        ),
        lambda a: None not in a[0].rows[0] and _by_spread(*(float(str(v)) for v in a[0].rows[0])),
        honest=EMPLOYED,
    ),
]
JURISDICTION = [
    outside("an area elsewhere", f"SELECT COUNT(*) FROM people WHERE area = '{ELSEWHERE}'"),
    outside(
        "an area elsewhere by its name",
        "SELECT COUNT(*) FROM people p JOIN geography g ON g.local_authority = p.area WHERE g.local_authority_name = 'Ibury'",
    ),
    outside(
        "an area elsewhere by what is left",
        "SELECT COUNT(*) FROM people WHERE region = 'E12S' AND area NOT IN ('E0606', 'E0607', 'E0608')",
    ),
    outside("an area elsewhere of work", f"SELECT COUNT(*) FROM people WHERE work_area = '{ELSEWHERE}'"),
    outside(
        "an area elsewhere in FILTER", f"SELECT COUNT(*) FILTER (WHERE area = '{ELSEWHERE}') FROM people"
    ),
    outside(
        "an area elsewhere in CASE", f"SELECT SUM(CASE WHEN area = '{ELSEWHERE}' THEN pay END) FROM people"
    ),
    outside(
        "an area elsewhere in a threshold",
        f"SELECT COUNT(*) FROM people WHERE pay > (SELECT AVG(pay) FROM people WHERE area = '{ELSEWHERE}')",
    ),
    outside(
        "an area elsewhere of an employer",
        f"SELECT COUNT(*) FROM people p JOIN employers e ON e.employer_id = p.employer_id WHERE e.seat = '{ELSEWHERE}'",
    ),
    outside(
        "an area elsewhere by membership",
        f"SELECT COUNT(*) FROM people p WHERE EXISTS (SELECT 1 FROM learners l WHERE l.person_id = p.person_id AND l.home = '{ELSEWHERE}')",
    ),
    outside(
        "an area elsewhere by IN",
        f"SELECT COUNT(*) FROM people WHERE person_id IN (SELECT person_id FROM learners WHERE home = '{ELSEWHERE}')",
    ),
    outside(
        "an area elsewhere by a join in IN",
        f"SELECT COUNT(*) FROM people WHERE person_id IN (SELECT l.person_id FROM learners l JOIN people q ON q.person_id = l.person_id WHERE q.area = '{ELSEWHERE}')",
    ),
    outside(
        "an area elsewhere by a grouping",
        "SELECT COUNT(*) FROM people p JOIN geography g ON g.local_authority = p.area WHERE g.coastal = 'coast'",
    ),
]
