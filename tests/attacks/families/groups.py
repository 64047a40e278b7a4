"""Dominance, group disclosure and margins, under profiles that publish exact values."""

from __future__ import annotations

from policies.refusals import Code
from tests.attacks.framework import Attack, Inference
from tests.attacks.rules import at, more_than
from tests.support.neighbours import AGE, AREA, BOX, GROUP

F, G, V, P, A = Inference.FIRM, Inference.GROUP, Inference.VALUE, Inference.PRESENCE, Inference.ATTRIBUTE
EXACT = "exact_with_classes"
LEDGER = (
    "a profile of exact values answers each table fairly: only the guard against the ledger can compare two"
)


def exact(name: str, inference: Inference, *sql: str, decide: object, **more: object) -> Attack:
    return Attack(name, inference, sql, decide, **{"profile": EXACT, **more})  # type: ignore[arg-type]


def class_of(status: str) -> object:
    """Everybody who is counted has this status."""
    return lambda a: any(row[0] == status and row[1] is not None and row[1] > 20 for row in a[0].rows)


ATTACKS = [
    exact(
        "the status of a whole group",
        G,
        f"SELECT status, COUNT(*) FROM people WHERE {GROUP} GROUP BY status",
        decide=class_of("SELF"),
    ),
    exact(
        "the status of a whole group, by sex",
        G,
        f"SELECT status, SUM(n) FROM (SELECT status, sex, COUNT(*) AS n FROM people WHERE {GROUP} GROUP BY status, sex) GROUP BY status",
        decide=class_of("SELF"),
    ),
    exact(
        "the status of a whole group, by FILTER",
        G,
        f"SELECT COUNT(*) FILTER (WHERE status = 'SELF'), COUNT(*) FILTER (WHERE status = 'EMP') FROM people WHERE {GROUP}",
        decide=more_than(20),
        refused=Code.MARGIN_WITH_PARTS,
    ),
    exact(
        "the status of a whole group, by a rate",
        G,
        f"SELECT AVG((status = 'SELF')::INT) FROM people WHERE {GROUP}",
        decide=at(0, 0, lambda n: n == 1),
        refused=Code.MARGIN_WITH_PARTS,
    ),
    exact(
        "the status of a whole group, one at a time",
        G,
        f"SELECT COUNT(*) FROM people WHERE {GROUP} AND status = 'SELF'",
        decide=more_than(20),
    ),
    exact(
        "a total beside its parts",
        P,
        f"SELECT age, COUNT(*) FROM people WHERE {BOX} GROUP BY ROLLUP(age) HAVING age IS NULL",
        decide=at(0, 1, lambda n: n == 32),
        refused=Code.MARGIN_WITH_PARTS,
    ),
    exact(
        "a total beside its parts, by FILTER",
        P,
        f"SELECT COUNT(*) - COUNT(*) FILTER (WHERE age <> {AGE}) FROM people WHERE {BOX}",
        decide=more_than(0),
        refused=Code.MARGIN_WITH_PARTS,
    ),
    exact(
        "a total beside its parts, by a subquery",
        P,
        f"SELECT (SELECT COUNT(*) FROM people WHERE {BOX}) - (SELECT COUNT(*) FROM people WHERE {BOX} AND age <> {AGE})",
        decide=more_than(0),
        refused=Code.MARGIN_WITH_PARTS,
    ),
    exact(
        "a total beside its parts, by a union",
        P,
        f"SELECT SUM(n) FROM (SELECT COUNT(*) AS n FROM people WHERE {BOX} UNION ALL SELECT -COUNT(*) FROM people WHERE {BOX} AND age <> {AGE})",
        decide=more_than(0),
        refused=Code.MARGIN_WITH_PARTS,
    ),
    exact(
        "a total and its parts, one after the other",
        P,
        f"SELECT COUNT(*) FROM people WHERE {AREA}",
        f"SELECT COUNT(*) FROM people WHERE {AREA} AND age <= 50",
        f"SELECT COUNT(*) FROM people WHERE {AREA} AND age > 51",
        decide=lambda a: None not in [x.number for x in a] and a[0].number - a[1].number - a[2].number == 1,
        beyond=LEDGER,
    ),  # type: ignore[operator]
    exact(
        "all but her age",
        P,
        f"SELECT COUNT(*) FROM people WHERE {BOX}",
        f"SELECT COUNT(*) FROM people WHERE {BOX} AND age <> {AGE}",
        decide=lambda a: None not in [x.number for x in a] and a[0].number != a[1].number,
    ),
    exact(
        "her pay as a total",
        V,
        f"SELECT SUM(pay) FROM people WHERE {BOX} AND age = {AGE}",
        decide=more_than(1000),
    ),
    exact(
        "her pay as all but the rest",
        V,
        f"SELECT SUM(pay) FROM people WHERE {BOX}",
        f"SELECT SUM(pay) FROM people WHERE {BOX} AND age <> {AGE}",
        decide=lambda a: None not in [x.number for x in a] and a[0].number - a[1].number > 1000,
    ),  # type: ignore[operator]
    Attack(
        "the ten-five rule at its edge",
        P,
        (f"SELECT COUNT(*) FROM people WHERE {BOX} AND age BETWEEN 41 AND 59",),
        lambda a: a[0].number == 10,
        profile="ten_five",
        honest=f"SELECT COUNT(*) FROM people WHERE {BOX} AND age BETWEEN 41 AND 59",
    ),
]
