"""Differencing and trackers: two sets of people that differ by the target alone (Denning 1979).

Also presence by equal noise: sticky noise shows by equal digits that two sets are the same.
"""

from __future__ import annotations

from tests.attacks.framework import Attack, Inference
from tests.attacks.rules import differ, gap_of, side_by_side
from tests.support.neighbours import AGE, AREA, BOX

PEOPLE = f"SELECT COUNT(*) FROM people WHERE {BOX}"
HONEST = PEOPLE
ALL = f"SELECT COUNT(*) FROM people WHERE {AREA}"
LEDGER = (
    "two questions, each fair by itself: only a record of all released sets can hold one against the other"
)
FREE = "a node against the whole around it: both are free, and only a record of all released sets can compare them"


def presence(name: str, *sql: str, **more: object) -> Attack:
    return Attack(name, Inference.PRESENCE, sql, **{"decide": differ, "honest": HONEST, **more})  # type: ignore[arg-type]


ATTACKS = [
    presence("all but her age", PEOPLE, f"{PEOPLE} AND age <> {AGE}"),
    presence("all but her age, as two ranges", PEOPLE, f"{PEOPLE} AND (age < {AGE} OR age > {AGE})"),
    presence("all but her age, as NOT IN", PEOPLE, f"{PEOPLE} AND age NOT IN ({AGE})"),
    presence(
        "all but her age, as a list",
        PEOPLE,
        f"{PEOPLE} AND age IN ({', '.join(str(a) for a in range(16, 81) if a != AGE)})",
    ),
    presence("all but her age, as NOT BETWEEN", PEOPLE, f"{PEOPLE} AND age NOT BETWEEN {AGE} AND {AGE}"),
    presence("all but her age, by arithmetic", PEOPLE, f"{PEOPLE} AND (age - {AGE}) * (age - {AGE}) > 0"),
    presence("all but her age, by text", PEOPLE, f"{PEOPLE} AND age::VARCHAR NOT LIKE '{AGE}'"),
    presence("all but her age, as a null", PEOPLE, f"{PEOPLE} AND NULLIF(age, {AGE}) IS NOT NULL"),
    presence(
        "all but her age, in one query",
        f"SELECT COUNT(*), COUNT(*) FILTER (WHERE age <> {AGE}) FROM people WHERE {BOX}",
        decide=side_by_side,
    ),
    presence(
        "all but her age, by CASE",
        f"SELECT COUNT(*), COUNT(CASE WHEN age = {AGE} THEN NULL ELSE 1 END) FROM people WHERE {BOX}",
        decide=side_by_side,
    ),
    presence(
        "all but her age, as a sum of flags",
        f"SELECT COUNT(*), SUM((age <> {AGE})::INT) FROM people WHERE {BOX}",
        decide=side_by_side,
    ),
    presence(
        "all but one, through a subquery",
        PEOPLE,
        f"SELECT COUNT(*) FROM (SELECT * FROM people WHERE age <> {AGE}) p WHERE {BOX}",
    ),
    presence(
        "all but one, through UNION ALL",
        PEOPLE,
        f"SELECT COUNT(*) FROM (SELECT sex FROM people WHERE {BOX} AND age < {AGE} UNION ALL SELECT sex FROM people WHERE {BOX} AND age > {AGE}) u",
    ),
    presence(
        "all but one, as a group of two bands",
        PEOPLE,
        f"SELECT COUNT(*) FROM people WHERE {BOX} GROUP BY age = {AGE} ORDER BY age = {AGE}",
        decide=differ,
    ),
    presence("not this woman of this age", PEOPLE, f"{PEOPLE} AND NOT (sex = 'F' AND age = {AGE})"),
    presence(
        "her alone, plainly",
        f"{PEOPLE} AND age = {AGE}",
        f"{PEOPLE} AND age = {AGE} AND sex = 'M'",
        decide=lambda a: a[0].number == 1,
    ),
    presence(
        "the classic tracker",
        f"{PEOPLE} AND age <> {AGE}",
        f"SELECT COUNT(*) FROM people WHERE ({BOX} AND age <> {AGE}) OR sex = 'M'",
        f"SELECT COUNT(*) FROM people WHERE ({BOX}) OR sex = 'M'",
        decide=gap_of(1, 1, first=2, second=1),
    ),
    presence(
        "the status of a complement as a counter",
        PEOPLE,
        f"{PEOPLE} AND age NOT BETWEEN 41 AND 59",
        decide=lambda a: differ(a) and not gap_of(9, 9)(a),
        honest=f"{PEOPLE} AND age BETWEEN 41 AND 59",
    ),
    presence(
        "a band and one year more",
        f"{ALL} AND age_band = '25-49'",
        f"{ALL} AND (age_band = '25-49' OR age = {AGE})",
        honest=ALL,
    ),
    presence(
        "a range and one year more",
        f"{ALL} AND age BETWEEN 20 AND 50",
        f"{ALL} AND age BETWEEN 20 AND 51",
        honest=ALL,
        beyond=LEDGER,
    ),
    presence(
        "a range and one year more, in one query",
        f"SELECT COUNT(*) FILTER (WHERE age BETWEEN 20 AND 50), COUNT(*) FILTER (WHERE age BETWEEN 20 AND 51) FROM people WHERE {AREA}",
        honest=ALL,
        decide=side_by_side,
        beyond=LEDGER,
    ),
    presence(
        "two bands and one year more",
        f"{ALL} AND age_band IN ('16-24', '25-49')",
        f"{ALL} AND (age_band IN ('16-24', '25-49') OR age = {AGE})",
        honest=ALL,
        beyond=LEDGER,
    ),
]
