"""Sums, means, spreads and quantiles as a requester sees them, and how they agree with each other."""

from __future__ import annotations

from decimal import Decimal

import pytest

from catalogue.fragment import Magnitude, Tally
from catalogue.models import CellKeys, Dominance, Frequency, Profile, PTableSpec, Rounding
from policies.cells import ProtectedCells
from policies.plan import Atom, AtomKind, CellQuery
from policies.protect import NoiseKey, ProtectError, ProtectFault, protect, ptable_of
from tests.support.cell_queries import (
    NOISE,
    PAY,
    ROWS,
    axis,
    cell_query,
    marked,
    pay_of_people,
    with_guard,
)
from tests.support.naive_source import Row, run
from tests.support.null_profile import NULL_PROFILE

HIDING = Profile(
    profile="hiding", title="Hides under ten", version="1", frequency=Frequency(minimum_frequency=10)
)
KEYED = HIDING.model_copy(
    update={"cell_keys": CellKeys(counts=PTableSpec(maximum_noise=2, variance=1.05, smallest_published=1))}
)
AREAS = axis("area", [["E1"], ["E2"]])


def earners(area: str, *pays: str | int | None, weight: str = "1.00") -> list[Row]:
    return [
        {
            "area": area,
            "pay": None if pay is None else Decimal(pay),
            "record_key": (int.from_bytes(area.encode(), "big") * 611 + 7_919_777 * i) % 100_000_000,
            "weight": Decimal(weight),
        }
        for i, pay in enumerate(pays)
    ]


def protected(query: CellQuery, rows: list[Row], profile: Profile, noise: NoiseKey = NOISE) -> ProtectedCells:
    guards = [run(guard.fragment, rows) for guard in query.guards]
    return protect(query, run(query.fragment, rows), guards, profile, noise, ptable_of(profile))


def ask(query: CellQuery, rows: list[Row], profile: Profile, *names: str) -> list[tuple[object, ...]]:
    return marked(protected(query, rows, profile), *names)


def test_a_null_profile_gives_what_sql_gives() -> None:
    """COUNT(pay), SUM, AVG, STDDEV, MEDIAN; the total over nobody is 0, its mean nothing; of one no spread."""
    rows = earners("E1", 100, 200, 300, None) + earners("E2", "412.50")
    query = pay_of_people([axis("area", [["E1"], ["E2"], ["E3"]])])
    assert ask(query, rows, NULL_PROFILE, "area", "a0", "a1", "a2", "a3", "a4") == [
        ("E1", 3, Decimal("600.00"), Decimal("200.00"), Decimal("100.00"), Decimal("210.00")),
        ("E2", 1, Decimal("412.50"), Decimal("412.50"), "[z]", Decimal("420.00")),
        ("E3", 0, Decimal("0.00"), "[z]", "[z]", "[z]"),
    ]


def test_magnitudes_are_withheld_with_their_contributors() -> None:
    """Nine earners are too few; the tenth person of E2 has no pay and is no contributor."""
    rows = earners("E1", *[500] * 40) + earners("E2", *[500] * 9, None)
    query = pay_of_people([AREAS])
    assert ask(query, rows, HIDING, "area", "a0", "a1", "a2", "a3", "a4") == [
        ("E1", 40, Decimal("20000.00"), Decimal("500.00"), Decimal("0.00"), Decimal("510.00")),
        ("E2", "[c]", "[c]", "[c]", "[c]", "[c]"),
    ]


def test_a_pay_of_nothing_is_a_value_but_no_contribution() -> None:
    """Forty have a pay, of whom nine have one that isn't zero: the count is shown, the sum is not."""
    rows = earners("E1", *[0] * 31, *[500] * 9)
    assert ask(pay_of_people([axis("area", [["E1"]])]), rows, HIDING, "a0", "a1", "a2") == [
        (40, "[c]", "[c]")
    ]


def test_a_median_needs_the_minimum_on_either_side() -> None:
    rows = earners("E1", *[500] * 20) + earners("E2", *[500] * 19)
    assert ask(pay_of_people([AREAS]), rows, HIDING, "area", "a4") == [
        ("E1", Decimal("510.00")),
        ("E2", "[c]"),
    ]


@pytest.mark.parametrize(
    "dominance",
    [
        Dominance(p_percent=Decimal(10)),
        Dominance(dominance_n=1, dominance_k_percent=Decimal(75)),
        Dominance(dominance_n=2, dominance_k_percent=Decimal(85)),
    ],
    ids=["p%", "(1,k)", "(2,k)"],
)
def test_one_dominant_contributor_hides_sum_and_mean_but_not_the_count(dominance: Dominance) -> None:
    profile = HIDING.model_copy(update={"dominance": dominance})
    rows = earners("E1", *[500] * 20) + earners("E2", 90_000, *[100] * 20)
    assert ask(pay_of_people([AREAS]), rows, profile, "area", "a0", "a1", "a2") == [
        ("E1", 20, Decimal("10000.00"), Decimal("500.00")),
        ("E2", 21, "[c]", "[c]"),
    ]


def test_contributions_of_one_holding_count_as_one() -> None:
    """Twelve employers pay alike, but eleven of them belong to one group."""
    profile = HIDING.model_copy(update={"dominance": Dominance(p_percent=Decimal(10))})
    rows = [dict(row, group="g" if i < 11 else str(i)) for i, row in enumerate(earners("E1", *[500] * 12))]
    apart = pay_of_people([axis("area", [["E1"]])])
    together = cell_query(apart.atoms, apart.fragment.statistics, [axis("area", [["E1"]])], holding="group")
    assert ask(apart, rows, profile, "a1") == [(Decimal("6000.00"),)]
    assert ask(together, rows, profile, "a1") == [("[c]",)]


def test_sum_is_mean_times_count_to_the_digit_under_noise_and_close_to_the_truth() -> None:
    pays = [str(Decimal(300) + 7 * i + Decimal("0.37")) for i in range(60)]
    true = sum(map(Decimal, pays)) / 60
    means = set()
    for shift in range(8):
        rows = [dict(row, record_key=row["record_key"] + shift) for row in earners("E1", *pays)]
        ((count, total, mean),) = ask(pay_of_people([axis("area", [["E1"]])]), rows, KEYED, "a0", "a1", "a2")
        assert isinstance(count, int)
        assert isinstance(mean, Decimal)
        assert total == mean * count
        assert abs(count - 60) <= 2
        assert abs(mean - true) <= Decimal("0.5") * Decimal(pays[-1]) * 2 / 60
        means.add(mean)
    assert len(means) > 1


def test_rounded_counts_and_means_make_rounded_sums() -> None:
    """Earnings to 100 pounds over counts to 5: neither gives the other away."""
    profile = HIDING.model_copy(
        update={"rounding": Rounding(count_base=5, magnitude_base={"pay": Decimal(100)})}
    )
    rows = earners("E1", *[512] * 13)
    assert ask(pay_of_people([axis("area", [["E1"]])]), rows, profile, "a0", "a1", "a2") == [
        (15, Decimal("7500.00"), Decimal("500.00"))
    ]


def test_the_same_people_and_measure_have_the_same_digits_in_any_query() -> None:
    rows = earners("E1", *range(300, 400)) + earners("E2", *range(250, 300))
    names = ("a0", "a1", "a2", "a3", "a4")
    alone = ask(pay_of_people([axis("area", [["E1"]])]), rows[:100], KEYED, *names)
    among = ask(pay_of_people([], [axis("area", [["E2"], ["E1"]])]), rows[::-1], KEYED, "area", *names)
    assert [row[1:] for row in among if row[0] == "E1"] == alone


def test_another_secret_and_another_epoch_give_other_noise() -> None:
    rows = earners("E1", *range(300, 400))
    query = pay_of_people([axis("area", [["E1"]])])
    keys = (NOISE, NoiseKey(NOISE.secret, epoch=2), NoiseKey(bytes(32), epoch=1))
    means = {marked(protected(query, rows, KEYED, key), "a2")[0] for key in keys}
    assert len(means) == 3


def test_weighted_means_and_totals_agree_as_well() -> None:
    rows = earners("E1", *[400] * 30, weight="12.50") + earners("E2", *[400] * 9, weight="12.50")
    query = pay_of_people([AREAS], weight="weight")
    exact = [("E1", 375, Decimal("150000.00"), Decimal("400.00")), ("E2", "[c]", "[c]", "[c]")]
    assert ask(query, rows, HIDING, "area", "a0", "a1", "a2") == exact
    ((count, total, mean), _) = ask(query, rows, KEYED, "a0", "a1", "a2")
    assert isinstance(count, int)
    assert isinstance(mean, Decimal)
    assert total == mean * count
    assert abs(count - 375) <= 25


def test_estimates_beyond_the_quality_limit_are_withheld_and_those_near_it_marked() -> None:
    """Twenty people have a coefficient of variation of 22 % of their number, fifty of 14 %."""
    rows = earners("E1", *[400] * 50, weight="10.00") + earners("E2", *[400] * 20, weight="10.00")
    query = pay_of_people([AREAS], weight="weight")
    strict = HIDING.model_copy(update={"maximum_cv_percent": Decimal(20)})
    assert ask(query, rows, strict, "area", "a0", "a2") == [
        ("E1", 500, Decimal("400.00")),
        ("E2", "[c]", "[c]"),
    ]
    lenient = HIDING.model_copy(update={"maximum_cv_percent": Decimal(30)})
    table = protected(query, rows, lenient).table
    assert table["a0"].to_pylist() == [500, 200]
    assert table["s0"].to_pylist() == [0, 1]


def vacancies(profile: Profile, employers: dict[str, int]) -> list[tuple[object, ...]]:
    """COUNT(*) of vacancies, of which an employer may have many, protected as the employers' magnitude."""
    rows: list[Row] = [
        {"area": "E1", "employer": name, "record_key": 1_000_003 * i}
        for i, (name, size) in enumerate(employers.items(), 1)
        for _ in range(size)
    ]
    atom = Atom(AtomKind.COUNT, "a0", "s0", "t0")
    query = cell_query([atom], [Magnitude("t0", ROWS)], [axis("area", [["E1"], ["E2"]])], unit="employer")
    return ask(query, rows, profile, "area", "a0")


def test_rows_that_are_not_units_are_a_magnitude_of_their_units() -> None:
    profile = HIDING.model_copy(update={"dominance": Dominance(p_percent=Decimal(10))})
    many = {f"e{i}": 3 for i in range(12)}
    assert vacancies(profile, many) == [("E1", 36), ("E2", "[c]")]
    assert vacancies(profile, {f"e{i}": 30 for i in range(9)}) == [("E1", "[c]"), ("E2", "[c]")]
    assert vacancies(profile, {**many, "giant": 900}) == [("E1", "[c]"), ("E2", "[c]")]
    ((_, noisy), _) = vacancies(KEYED, many)
    assert isinstance(noisy, int)
    assert abs(noisy - 36) <= 3


def test_a_complement_is_judged_by_who_contributes() -> None:
    """Twelve people are outside the ad-hoc set, but only one of them has a pay: it must not be a difference."""
    rows = earners("E1", *[500] * 30) + earners("E2", 70_000, *[None] * 11)
    england = axis("area", [["E1", "E2"], ["W1"]])
    query = pay_of_people([axis("area", [["E1", "E3"], ["W1"]])])
    people = Atom(AtomKind.UNITS, "a5", "s5", "t3")
    query = cell_query(
        (*query.atoms, people), (*query.fragment.statistics, Tally("t3")), query.blocks[0].axes
    )
    guarded = with_guard(query, "area", [[england]], [(0, 1)])
    assert ask(guarded, rows, HIDING, "a1", "a2", "a4", "a5") == [
        ("[c]", "[c]", "[c]", 30),
        ("[c]", "[c]", "[c]", "[c]"),
    ]


def test_what_cannot_be_represented_stops_the_run_without_a_value() -> None:
    rows = earners("E1", *["90000000000000.00"] * 20)
    with pytest.raises(ProtectError) as caught:
        protected(pay_of_people([axis("area", [["E1"]])]), rows * 100, HIDING)
    assert caught.value.fault is ProtectFault.OVERFLOW
    assert "9" not in caught.value.detail


def test_a_plan_that_names_no_count_for_a_mean_is_not_run() -> None:
    atom = Atom(AtomKind.MEAN, "a0", "s0", "t0", decimals=2)
    query = cell_query([atom], [Magnitude("t0", PAY)], [])
    with pytest.raises(ProtectError) as caught:
        protected(query, earners("E1", 1), HIDING)
    assert caught.value.fault is ProtectFault.PLAN
