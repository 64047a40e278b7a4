"""Averaging: the same people asked about again and again, in other words or in parts (Asghar and Kaafar 2020)."""

from __future__ import annotations

from collections.abc import Sequence

from policies.refusals import Code
from tests.attacks.families.differencing import ALL, HONEST
from tests.attacks.framework import Answer, Attack, Inference
from tests.attacks.rules import mean_more_than
from tests.support.neighbours import AREA, BOX

P = Inference.PRESENCE
PEOPLE = f"FROM people WHERE {BOX}"
LEDGER = (
    "many releases, each fair by itself: only a budget of partitions across releases bounds their average"
)
HALF = 31.5
EVERYBODY = 389
"""How many live in her area, with her."""


def crossed(one: list[str], other: list[str]) -> list[str]:
    return [f"{a} AND {b}" for a in one for b in other]


# Ways to split everybody in the area by codes alone.
SEX = ["sex = 'F'", "sex = 'M'"]
STATUS = [f"status = '{code}'" for code in ("EMP", "SELF", "UNE", "INA")]
BANDS = [f"age_band = '{code}'" for code in ("16-24", "25-49", "50-64", "65+")]
WORKING = ["age BETWEEN 16 AND 64", "age_band = '65+'"]
SKILLS = [
    "occupation IN ('11', '21', '22', '23')",
    "occupation IN ('12', '51', '52', '91')",
    "occupation IS NULL",
]
WITHIN = [SEX, STATUS, BANDS, WORKING, crossed(SEX, STATUS), crossed(SEX, BANDS), crossed(SEX, WORKING)]
BEYOND = [*WITHIN, SKILLS, *(crossed(SKILLS, other) for other in (*WITHIN, crossed(STATUS, WORKING)))]
KEYS = ("sex", "status", "age_band", "hours // 10", "hours // 20", "age // 10")
SETS = [f"({a}, {b})" for a in KEYS for b in KEYS if a < b] + [f"({a})" for a in KEYS]


def again(name: str, *sql: str, **more: object) -> Attack:
    return Attack(name, P, sql, mean_more_than(HALF), **{"honest": HONEST, **more})  # type: ignore[arg-type]


def split(condition: str) -> str:
    return f"SELECT COUNT(*) FILTER (WHERE {condition}) + COUNT(*) FILTER (WHERE NOT ({condition})) {PEOPLE}"


def by_nodes(name: str, splits: list[list[str]], **more: object) -> Attack:
    """Every cell of every split in one row; the total is the mean of what the splits add up to."""
    cells = ", ".join(f"COUNT(*) FILTER (WHERE {node})" for split in splits for node in split)

    def decide(answers: Sequence[Answer]) -> bool:
        numbers = iter(answers[0].rows[0] if answers[0].rows else ())
        totals = [(len(split), [next(numbers, None) for _ in split]) for split in splits]
        # A sum of n cells has n times the noise of one.
        whole = [(1 / n, sum(float(str(v)) for v in cells)) for n, cells in totals if None not in cells]
        return sum(w * total for w, total in whole) > (EVERYBODY - 0.5) * sum(w for w, _ in whole)

    return Attack(name, P, (f"SELECT {cells} FROM people WHERE {AREA}",), decide, **{"honest": ALL, **more})  # type: ignore[arg-type]


# The whole as the sum of its parts. The ranges have at least ten people on either side.
RANGES = [f"age < {a}" for a in range(36, 60, 4)]
BINS = [f"hours < {h}" for h in range(24, 44, 4)]
REWORDED = [
    f"SELECT COUNT(*) {PEOPLE}",
    f"SELECT COUNT(1) {PEOPLE}",
    f"SELECT COUNT(person_id) {PEOPLE}",
    f"SELECT COUNT(DISTINCT person_id) {PEOPLE}",
    f"SELECT SUM(1) {PEOPLE}",
    f"SELECT SUM(2) / 2 {PEOPLE}",
    f"SELECT COUNT_IF(TRUE) {PEOPLE}",
    f"SELECT COUNT(*) {PEOPLE} AND 1 = 1",
    f"SELECT COUNT(*) {PEOPLE} AND ({BOX})",
    f"SELECT COUNT(*) {PEOPLE} AND age BETWEEN 16 AND 80",
    f"SELECT COUNT(*) {PEOPLE} AND age > 15 AND age < 81",
    f"SELECT COUNT(*) {PEOPLE} AND (sex = 'F' OR sex = 'M')",
    f"SELECT COUNT(*) {PEOPLE} AND sex IS NOT NULL",
    f"SELECT COUNT(*) {PEOPLE} AND region = 'E12N'",
    f"SELECT COUNT(*) {PEOPLE} AND ca = 'E47A'",
    f"SELECT COUNT(*) {PEOPLE} AND area LIKE 'E0601%'",
    f"SELECT COUNT(*) FROM (SELECT * {PEOPLE}) q",
    f"WITH q AS (SELECT area {PEOPLE}) SELECT COUNT(*) FROM q",
    f"SELECT COUNT(*) {PEOPLE} GROUP BY area",
    "SELECT COUNT(*) FILTER (WHERE occupation = '51') FROM people WHERE area = 'E0601'",
    "SELECT SUM(CASE WHEN occupation = '51' THEN 1 ELSE 0 END) FROM people WHERE area = 'E0601'",
    f"SELECT COUNT(*) FROM people JOIN geography g ON g.local_authority = area WHERE {BOX}",
    "SELECT COUNT(*) FROM people WHERE area LIKE '%601' AND substr(occupation, 1, 2) = '51'",
    f"SELECT n FROM (SELECT area, occupation, COUNT(*) n FROM people GROUP BY ALL) WHERE {BOX}",
]

ATTACKS = [
    again("in other words", *REWORDED),
    again(
        "in other words, with padding", *(f"SELECT COUNT(*) {PEOPLE} AND age <> {a}" for a in range(100, 130))
    ),
    again("in the same words", *[f"SELECT COUNT(*) {PEOPLE}"] * 20),
    again(
        "in one query",
        f"SELECT {', '.join(f'COUNT(*) FILTER (WHERE age < {100 + i})' for i in range(20))} {PEOPLE}",
    ),
    again("with other weights", *(f"SELECT SUM({n}) / {n} {PEOPLE}" for n in range(1, 20))),
    again("by halves in many queries", *(split(each) for each in (*RANGES, *BINS)), beyond=LEDGER),
    again(
        "by halves in one query",
        f"SELECT {', '.join(f'COUNT(*) FILTER (WHERE {r}) + COUNT(*) FILTER (WHERE NOT ({r}))' for r in (*RANGES, *BINS))} {PEOPLE}",
        refused=Code.TOO_MANY_PARTITIONS,
    ),
    by_nodes("by codes in one query", BEYOND, refused=Code.TOO_MANY_PARTITIONS),
    by_nodes(
        "by codes in one query, within the limit",
        WITHIN,
        beyond="the limit on partitions bounds what averaging gains, and does not make it nothing",
    ),
    again(
        "by grouping sets",
        f"SELECT SUM(n) / {len(SETS)} FROM (SELECT COUNT(*) AS n {PEOPLE} GROUP BY GROUPING SETS ({', '.join(SETS)}))",
        refused=Code.TOO_MANY_PARTITIONS,
    ),
    again(
        "by custom areas",
        *(
            f"SELECT (SELECT COUNT(*) FROM people WHERE occupation = '51' AND area IN ('E0601', {', '.join(s)})) - (SELECT COUNT(*) FROM people WHERE occupation = '51' AND area IN ({', '.join(s)}))"
            for s in [
                ["'E0602'", f"'{x}'", f"'{y}'"]
                for x in ("E0604", "E0605", "E0606")
                for y in ("E0609", "W0610", "W0611")
            ]
        ),
        beyond=LEDGER,
    ),
    again(
        "by sums of constants",
        *(
            f"SELECT (SUM(pay + {c}) - SUM(pay)) / {c} + COUNT(*) - COUNT(pay) {PEOPLE}"
            for c in (1, 10, 1000, 100000)
        ),
    ),
    again(
        "by mean and sum",
        f"SELECT SUM(pay) / AVG(pay) + COUNT(*) - COUNT(pay) {PEOPLE}",
        f"SELECT SUM(hours) / AVG(hours) {PEOPLE}",
        f"SELECT SUM(age) / AVG(age) {PEOPLE}",
    ),
]
