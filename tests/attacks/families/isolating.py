"""Expressions inside an aggregate that pick out or weigh one person: CASE, multipliers, powers, moduli, moments."""

from __future__ import annotations

from collections.abc import Sequence

from policies.refusals import Code
from tests.attacks.families.differencing import HONEST
from tests.attacks.framework import Answer, Attack, Inference, Rule
from tests.attacks.rules import at, differ, more_than, side_by_side
from tests.support.neighbours import AGE, BOX

V, P, A = Inference.VALUE, Inference.PRESENCE, Inference.ATTRIBUTE
PAY = more_than(1000)


def only_from(yes: tuple[float, int, float], no: tuple[float, int, float]) -> Rule:
    """To the digit, the mean is one that a true total, number and largest can come to with whole steps of noise; and
    those of the other database can't. The attacker knows everybody else."""

    def means(total: float, n: int, largest: float) -> list[float]:
        return [(total + 0.5 * largest * v) / n for v in range(-2, 3)]

    def decide(answers: Sequence[Answer]) -> bool:
        mean = answers[0].number
        if mean is None:
            return False
        gap, other = (min(abs(mean - each) for each in means(*each)) for each in (yes, no))
        return gap < 0.051 and gap < other

    return decide


def refused(
    name: str, inference: Inference, expression: str, decide: object, code: Code = Code.MEASURE_EXPRESSION
) -> Attack:
    return Attack(name, inference, (f"SELECT {expression} FROM people WHERE {BOX}",), decide, refused=code)  # type: ignore[arg-type]


ATTACKS = [
    Attack(
        "her pay by what a mean can come to",
        V,
        (f"SELECT AVG(pay) FROM people WHERE {BOX}",),
        only_from((16605.97, 27, 1815.0), (15405.97, 27, 1182.46)),
    ),
    Attack(
        "her hours by what a mean can come to",
        P,
        (f"SELECT AVG(hours) FROM people WHERE {BOX}",),
        only_from((883, 32, 60), (846, 31, 60)),
        honest=HONEST,
    ),
    Attack(
        "her pay by CASE",
        V,
        (f"SELECT SUM(CASE WHEN age = {AGE} THEN pay END) FROM people WHERE {BOX}",),
        PAY,
    ),
    Attack(
        "her pay by FILTER", V, (f"SELECT SUM(pay) FILTER (WHERE age = {AGE}) FROM people WHERE {BOX}",), PAY
    ),
    Attack(
        "her pay by a mean", V, (f"SELECT AVG(pay) FILTER (WHERE age = {AGE}) FROM people WHERE {BOX}",), PAY
    ),
    Attack("her pay by a median", V, (f"SELECT MEDIAN(pay) FROM people WHERE {BOX} AND age = {AGE}",), PAY),
    Attack(
        "her pay weighed a million",
        V,
        (
            f"SELECT SUM(CASE WHEN age = {AGE} THEN 1000000 * pay ELSE 0.000001 * pay END) / 1000000 FROM people WHERE {BOX}",
        ),
        PAY,
    ),
    Attack(
        "her pay as a difference of sums",
        V,
        (f"SELECT SUM(pay) - SUM(CASE WHEN age <> {AGE} THEN pay END) FROM people WHERE {BOX}",),
        PAY,
    ),
    Attack(
        "her pay as a difference of means",
        V,
        (
            f"SELECT AVG(pay) * COUNT(pay) - SUM(pay) FILTER (WHERE age < {AGE} OR age > {AGE}) FROM people WHERE {BOX}",
        ),
        PAY,
    ),
    Attack(
        "whether she is paid much",
        V,
        (
            f"SELECT COUNT(*), COUNT(*) FILTER (WHERE NOT (age = {AGE} AND pay >= 1800)) FROM people WHERE {BOX}",
        ),
        side_by_side,
        honest=HONEST,
    ),
    Attack(
        "her pay by bins",
        V,
        (f"SELECT COUNT(*) FROM people WHERE {BOX} AND age = {AGE} AND pay >= 1800",),
        at(0, 0, lambda n: n == 1),
    ),
    Attack(
        "her pay by a bin of the finest grid",
        V,
        (f"SELECT COUNT(*) FROM people WHERE {BOX} AND pay >= 1815 AND pay < 1820",),
        at(0, 0, lambda n: n == 1),
    ),
    Attack(
        "her pay by the empty bin's complement",
        V,
        (
            f"SELECT COUNT(pay) FROM people WHERE {BOX}",
            f"SELECT COUNT(*) FROM people WHERE {BOX} AND NOT (pay >= 1815 AND pay < 1820)",
        ),
        lambda a: differ(a) and (a[0].number or 0) > (a[1].number or 0),
    ),
    refused("powers of pay", V, "SUM(pay * pay)", more_than(12_000_000)),
    refused("cubes by POWER", V, "SUM(POWER(pay, 3))", more_than(1.0e10)),
    refused("pay squared under a root", V, "SQRT(SUM(pay * pay))", more_than(3500)),
    refused(
        "a product of differences",
        P,
        f"PRODUCT(age - {AGE})",
        at(0, 0, lambda n: n == 0),
        Code.UNKNOWN_FUNCTION,
    ),
    refused("skewness", V, "SKEWNESS(pay)", more_than(1), Code.UNKNOWN_FUNCTION),
    refused("kurtosis", V, "KURTOSIS(pay)", more_than(2), Code.UNKNOWN_FUNCTION),
    refused("entropy", P, "ENTROPY(age)", more_than(4.57), Code.UNKNOWN_FUNCTION),
    refused(
        "bits",
        P,
        f"BIT_XOR(CASE WHEN age = {AGE} THEN 1 ELSE 0 END)",
        at(0, 0, lambda n: n == 1),
        Code.UNKNOWN_FUNCTION,
    ),
    refused(
        "a truth for all",
        P,
        f"BOOL_OR(age = {AGE})",
        lambda a: a[0].rows[0][0] is True,
        Code.UNKNOWN_FUNCTION,
    ),
    refused(
        "a list of all pays",
        V,
        "LIST(pay)",
        lambda a: any(v is not None and v > 1800 for v in a[0].rows[0][0]),
        Code.UNKNOWN_FUNCTION,
    ),  # type: ignore[attr-defined]
    refused(
        "a text of all pays",
        V,
        "STRING_AGG(pay::VARCHAR, ',')",
        lambda a: "1815.00" in str(a[0].rows[0][0]),
        Code.UNKNOWN_FUNCTION,
    ),
    refused(
        "a histogram of all pays",
        V,
        "HISTOGRAM(pay)",
        lambda a: "1815.00" in str(a[0].rows[0][0]),
        Code.UNKNOWN_FUNCTION,
    ),
    refused(
        "the mode",
        P,
        f"MODE(CASE WHEN age = {AGE} THEN age END)",
        at(0, 0, lambda n: n == AGE),
        Code.UNKNOWN_FUNCTION,
    ),
    refused("a correlation", V, f"COVAR_POP(pay, (age = {AGE})::INT)", more_than(20), Code.UNKNOWN_FUNCTION),
    refused("digits of pay by modulus", V, "SUM(pay % 1000)", more_than(11_500)),
    refused("the floor of pay", V, "SUM(FLOOR(pay / 1800))", at(0, 0, lambda n: n == 1)),
    refused("the greatest of two", V, "SUM(GREATEST(pay - 1800, 0))", more_than(10)),
    refused("a logarithm", V, "SUM(LN(pay))", more_than(168.2)),
    refused(
        "a modulus of the identifier",
        P,
        "COUNT(*) FILTER (WHERE substr(person_id, 2)::INT % 10000000 = 9999999)",
        at(0, 0, lambda n: n == 1),
        Code.COLUMN_USE,
    ),
    refused(
        "a hash of the identifier",
        P,
        "COUNT(*) FILTER (WHERE hash(person_id) = hash('P9999999'))",
        at(0, 0, lambda n: n == 1),
        Code.UNKNOWN_FUNCTION,
    ),
    refused(
        "the identifier itself",
        P,
        "COUNT(*) FILTER (WHERE person_id = 'P9999999')",
        at(0, 0, lambda n: n == 1),
        Code.COLUMN_USE,
    ),
    refused(
        "the record key",
        P,
        "COUNT(*) FILTER (WHERE rkey = 31415926)",
        at(0, 0, lambda n: n == 1),
        Code.UNKNOWN_COLUMN,
    ),
    refused(
        "the largest record key",
        P,
        "COUNT(*) FILTER (WHERE rkey % 100000000 = 31415926)",
        at(0, 0, lambda n: n == 1),
        Code.UNKNOWN_COLUMN,
    ),
    refused("the weight of a weight", V, "SUM(weight * pay * pay)", more_than(60_000_000)),
    Attack(
        "her status by a mean of flags",
        A,
        (f"SELECT AVG((status = 'UNE')::INT) FROM people WHERE {BOX} AND age = {AGE}",),
        at(0, 0, lambda n: n == 1),
    ),
    Attack(
        "her status by the rest",
        A,
        (f"SELECT COUNT(*) FILTER (WHERE status <> 'UNE'), COUNT(*) FROM people WHERE {BOX}",),
        side_by_side,
        honest=HONEST,
    ),
]
