"""Joins: rows multiplied past a threshold, one unit's value repeated on the rows of many, membership as a filter."""

from __future__ import annotations

from policies.refusals import Code
from tests.attacks.families.differencing import ALL, HONEST
from tests.attacks.framework import Attack, Inference
from tests.attacks.rules import differ, gap_of, more_than
from tests.support.neighbours import AGE, AREA, BOX

P, V, F, A = Inference.PRESENCE, Inference.VALUE, Inference.FIRM, Inference.ATTRIBUTE
HER = f"p.{AREA} AND p.age = {AGE}"
FIRM = "e.seat = 'E0604' AND e.size_band = 'L'"
STAFF = "FROM people p JOIN employers e ON p.employer_id = e.employer_id"
AIM = "l.level = 'L4' AND l.month = '2024-03'"
MEMBER = f"EXISTS (SELECT 1 FROM learners l WHERE l.person_id = p.person_id AND {AIM})"
RICH = more_than(75_000)
EVERYBODY = f"SELECT COUNT(*) FROM people p WHERE p.{BOX}"
LEARNER = f"learners l JOIN people q ON q.person_id = l.person_id WHERE q.age = {AGE}"
AIMS = 6
"""How many others in her area and band have such an aim."""


def inflated(name: str, source: str, code: Code, where: str = HER, select: str = "COUNT(*)") -> Attack:
    return Attack(name, P, (f"SELECT {select} FROM {source} WHERE {where}",), more_than(9), refused=code)


def firm(
    name: str, select: str, code: Code = Code.COLUMN_USE, source: str = STAFF, where: str = FIRM
) -> Attack:
    return Attack(name, F, (f"SELECT {select} {source} WHERE {where}",), RICH, refused=code)


def but_for(name: str, inference: Inference, condition: str, honest: str = HONEST, **more: object) -> Attack:
    """Everybody, and everybody but those whom conditions of a dataset joined in a membership pick: herself alone."""
    rest = f"{EVERYBODY} AND p.person_id NOT IN (SELECT l.person_id FROM {LEARNER}{condition})"
    return Attack(name, inference, (EVERYBODY, rest), differ, honest=honest, **more)  # type: ignore[arg-type]


ATTACKS = [
    but_for("all but her, found by her age", P, ""),
    but_for("all but her, found by her status", A, " AND q.status = 'UNE'"),
    but_for("all but her, found by her pay", V, " AND q.pay >= 1800"),
    Attack(
        "she alone, found by many conditions",
        P,
        (
            f"SELECT COUNT(*) FROM people p WHERE p.{AREA} AND p.person_id IN (SELECT l.person_id FROM {LEARNER} AND q.sex = 'F' AND q.occupation = '51' AND l.level = 'L4' AND l.month = '2024-03')",
        ),
        more_than(0),
        refused=Code.TOO_MANY_DIMENSIONS,
    ),
    Attack(
        "who is found by her age, as a group",
        P,
        (
            EVERYBODY,
            f"SELECT n FROM (SELECT EXISTS (SELECT 1 FROM people q WHERE q.person_id = l.person_id AND q.{AREA} AND q.age = {AGE}) AS f, COUNT(DISTINCT l.person_id) AS n FROM learners l WHERE l.level = 'L4' GROUP BY f) WHERE f",
        ),
        lambda a: a[1].number is not None and a[1].number > 0,
    ),
    inflated("a cross join", "people p, geography g", Code.JOIN_NOT_DECLARED),
    inflated("a cross join, spelt out", "people p CROSS JOIN geography g", Code.JOIN_NOT_DECLARED),
    inflated("a cross join with numbers", "people p, range(100) r", Code.JOIN_NOT_DECLARED),
    inflated(
        "a list unnested beside her",
        "people p, unnest([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) u(x)",
        Code.JOIN_NOT_DECLARED,
    ),
    inflated("a join on a constant", "people p JOIN geography g ON TRUE", Code.JOIN_NOT_DECLARED),
    inflated(
        "a join of a table with itself", "people p JOIN people q ON p.area = q.area", Code.JOIN_NOT_DECLARED
    ),
    inflated(
        "a join that is not equal",
        "people p JOIN people q ON p.person_id >= q.person_id",
        Code.JOIN_NOT_DECLARED,
    ),
    inflated(
        "a join at a coarse level",
        "people p JOIN geography g ON p.region = g.region JOIN sex x ON TRUE",
        Code.JOIN_NOT_DECLARED,
    ),
    inflated(
        "a join with values",
        "people p JOIN (VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10)) v(x) ON TRUE",
        Code.JOIN_NOT_DECLARED,
    ),
    inflated("a full join", "people p FULL JOIN geography g ON TRUE", Code.JOIN_NOT_DECLARED),
    inflated("an ASOF join", "people p JOIN people q ON p.age >= q.age", Code.JOIN_NOT_DECLARED),
    inflated("a lateral join", "people p, LATERAL (SELECT 1 FROM geography g) x", Code.JOIN_NOT_DECLARED),
    inflated(
        "doubled by UNION ALL",
        f"({' UNION ALL '.join(['SELECT * FROM people'] * 10)}) p",
        Code.UNION_NOT_DISJOINT,
    ),
    inflated(
        "repeated by unnest in the list",
        "(SELECT area, age, unnest([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) FROM people) p",
        Code.UNSUPPORTED_SYNTAX,
    ),
    firm("a firm's turnover, by the mean over its staff", "AVG(e.turnover)"),
    firm("a firm's turnover, by the median over its staff", "MEDIAN(e.turnover)"),
    firm("a firm's turnover, by the sum over its staff", "SUM(e.turnover) / COUNT(*)"),
    firm(
        "a firm's turnover, by CASE",
        "AVG(CASE WHEN e.size_band = 'L' THEN e.turnover END)",
        where="e.seat = 'E0604'",
    ),
    firm(
        "a firm's turnover, through a left join",
        "AVG(e.turnover)",
        source="FROM people p LEFT JOIN employers e ON p.employer_id = e.employer_id",
    ),
    firm(
        "a firm's turnover, through a CTE",
        "AVG(t)",
        source="FROM people p JOIN (SELECT employer_id, seat, size_band, turnover AS t FROM employers) e ON p.employer_id = e.employer_id",
    ),
    Attack("a firm's turnover, plainly", F, (f"SELECT SUM(turnover) FROM employers e WHERE {FIRM}",), RICH),
    Attack(
        "a firm's turnover, by its staff's bins",
        F,
        (f"SELECT COUNT(*) {STAFF} WHERE {FIRM} AND e.turnover >= 80000",),
        more_than(0),
        refused=Code.COLUMN_USE,
    ),
    Attack(
        "a firm's turnover, by who is found in its bins",
        F,
        (
            f"SELECT COUNT(*) FROM people p WHERE EXISTS (SELECT 1 FROM employers e WHERE e.employer_id = p.employer_id AND {FIRM} AND e.turnover >= 80000)",
        ),
        more_than(0),
        refused=Code.COLUMN_USE,
    ),
    Attack(
        "a firm's turnover, by a list of firms in its bins",
        F,
        (
            f"SELECT COUNT(*) FROM people p WHERE p.employer_id IN (SELECT e.employer_id FROM employers e WHERE {FIRM} AND e.turnover >= 80000)",
        ),
        more_than(0),
        refused=Code.COLUMN_USE,
    ),
    Attack(
        "a firm's turnover, by who is not found in its bins",
        F,
        (
            f"SELECT COUNT(*) FROM people p WHERE NOT EXISTS (SELECT 1 FROM employers e WHERE e.employer_id = p.employer_id AND {FIRM} AND e.turnover < 80000)",
        ),
        more_than(1960),
        refused=Code.COLUMN_USE,
    ),
    Attack(
        "her pay, by the firms at which such pay is found",
        V,
        (
            f"SELECT COUNT(*) FROM employers e WHERE EXISTS (SELECT 1 FROM people p WHERE p.employer_id = e.employer_id AND p.{BOX} AND p.age = {AGE} AND p.pay >= 1800)",
        ),
        more_than(0),
        refused=Code.COLUMN_USE,
    ),
    Attack(
        "all but who has such an aim",
        P,
        (
            f"SELECT COUNT(*) FROM people p WHERE p.{AREA} AND p.age_band = '50-64'",
            f"SELECT COUNT(*) FROM people p WHERE p.{AREA} AND p.age_band = '50-64' AND NOT {MEMBER}",
        ),
        gap_of(AIMS + 1, AIMS + 1),
        honest=ALL,
    ),
    Attack(
        "all but who has such an aim, by NOT IN",
        P,
        (
            f"SELECT COUNT(*) FROM people p WHERE p.{AREA} AND p.age_band = '50-64'",
            f"SELECT COUNT(*) FROM people p WHERE p.{AREA} AND p.age_band = '50-64' AND p.person_id NOT IN (SELECT l.person_id FROM learners l WHERE {AIM})",
        ),
        gap_of(AIMS + 1, AIMS + 1),
        honest=ALL,
    ),
    Attack(
        "who has such an aim, as a group",
        P,
        (f"SELECT COUNT(*) FROM people p WHERE p.{BOX} GROUP BY {MEMBER} ORDER BY {MEMBER} DESC",),
        more_than(1),
        honest=HONEST,
    ),
    Attack(
        "who is in a table at all",
        P,
        (
            f"SELECT COUNT(*) FROM people p WHERE p.{BOX} AND p.age = {AGE} AND EXISTS (SELECT 1 FROM learners l WHERE l.person_id = p.person_id)",
        ),
        more_than(0),
        honest=HONEST,
    ),
    Attack(
        "her aims, weighed by her pay",
        V,
        (
            f"SELECT SUM(p.pay) FROM learners l JOIN people p ON p.person_id = l.person_id WHERE p.{AREA} AND p.age = {AGE}",
        ),
        more_than(1000),
    ),
]
