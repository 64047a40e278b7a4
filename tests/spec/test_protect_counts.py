"""Counts as a requester sees them: a small population in, the protected table out, row by row."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.models import (
    CellKeys,
    ClassDisclosure,
    Frequency,
    Limits,
    Profile,
    PTableSpec,
    Rounding,
    SizeBand,
)
from policies.plan import CellQuery
from policies.protect import enough_second_units, protect, ptable_of
from tests.support.cell_queries import LEAVES, NOISE, axis, box, count_people, marked, with_guard
from tests.support.naive_source import Row, run
from tests.support.null_profile import NULL_PROFILE

HIDING = Profile(
    profile="hiding", title="Hides under ten", version="1", frequency=Frequency(minimum_frequency=10)
)
KEYED = HIDING.model_copy(
    update={"cell_keys": CellKeys(counts=PTableSpec(maximum_noise=2, variance=1.05, smallest_published=1))}
)


def people(**cells: int) -> list[Row]:
    """``E1F=12`` is twelve women in area E1, in good health, at two employers, each with a record key."""
    return [
        {
            "area": cell[:2],
            "sex": cell[2],
            "health": "good",
            "record_key": (int.from_bytes(cell.encode(), "big") * 911 + 7_919_777 * i) % 100_000_000,
            "employer": f"{cell}{i % 2}",
        }
        for cell, size in cells.items()
        for i in range(size)
    ]


def ask(query: CellQuery, rows: list[Row], profile: Profile, *names: str) -> list[tuple[object, ...]]:
    raw = run(query.fragment, rows)
    guards = [run(guard.fragment, rows) for guard in query.guards]
    return marked(protect(query, raw, guards, profile, NOISE, ptable_of(profile)), *names)


def test_a_null_profile_changes_nothing() -> None:
    rows = people(E1F=12, E1M=3, E2F=1)
    assert ask(count_people([axis("area")]), rows, NULL_PROFILE, "area", "grouping", "a0") == [
        ("E1", 0, 15),
        ("E2", 0, 1),
        ("E3", 0, 0),
        ("W1", 0, 0),
    ]


def test_a_count_below_the_minimum_and_an_empty_cell_look_the_same() -> None:
    rows = people(E1F=10, E2F=9, E3F=1)
    assert ask(count_people([axis("area")]), rows, HIDING, "area", "a0") == [
        ("E1", 10),
        ("E2", "[c]"),
        ("E3", "[c]"),
        ("W1", "[c]"),
    ]


def test_every_grouping_set_has_its_own_rows_and_the_keys_it_lacks_are_null() -> None:
    rows = people(E1F=12, E1M=11)
    area = axis("area", [["E1"]])
    rolled_up = count_people([area, axis("sex")], [area], [])
    assert ask(rolled_up, rows, HIDING, "area", "sex", "grouping", "a0") == [
        ("E1", "F", 0, 12),
        ("E1", "M", 0, 11),
        ("E1", None, 1, 23),
        (None, None, 3, 23),
    ]


def test_impossible_cells_are_zero_for_everybody_to_see() -> None:
    """COUNT(*) FILTER (WHERE sex = 'F') among men: the code list says so, not the data."""
    rows = people(E1F=12, E1M=11)
    women_by_sex = count_people([axis("sex")], within=box(sex=["F"]))
    assert ask(women_by_sex, rows, HIDING, "sex", "a0") == [("F", 12), ("M", 0)]


def test_the_minimum_of_second_units_is_judged_on_a_perturbed_number() -> None:
    """On the true one, [c] would tell of a single person whether theirs is the second employer."""
    frequency = Frequency(minimum_frequency=10, minimum_second_units=2)
    profile = KEYED.model_copy(update={"frequency": frequency})
    query = count_people([axis("area", [["E1"]])], second_unit="employer")
    rows = people(E1F=40)
    shown = {
        ask(
            query,
            [{**row, "record_key": (row["record_key"] * k) % 100_000_000} for row in rows],
            profile,
            "s0",
        )[0]
        for k in range(1, 60, 2)
    }
    assert len(shown) == 2


def test_a_second_unit_has_a_minimum_of_its_own() -> None:
    """Twenty people of one employer say how that employer is doing."""
    frequency = Frequency(minimum_frequency=10, minimum_second_units=2)
    profile = HIDING.model_copy(update={"frequency": frequency})
    rows = [dict(row, employer="one") if row["area"] == "E2" else row for row in people(E1F=20, E2F=20)]
    query = count_people([axis("area", [["E1"], ["E2"]])], second_unit="employer")
    assert ask(query, rows, profile, "area", "a0") == [("E1", 20), ("E2", "[c]")]


@given(
    st.lists(st.integers(0, 30), min_size=3, max_size=3),
    st.integers(1, 9),
    st.sampled_from((None, PTableSpec(maximum_noise=3, variance=2), PTableSpec(named="ten_five"))),
)
def test_counting_second_units_until_there_are_enough_changes_no_decision(
    employers: list[int], minimum: int, spec: PTableSpec | None
) -> None:
    """Whatever the noise does to their number, from there on it passes."""
    keys = CellKeys(counts=spec) if spec is not None else None
    frequency = Frequency(minimum_frequency=10, minimum_second_units=minimum)
    profile = HIDING.model_copy(update={"frequency": frequency, "cell_keys": keys})
    rows = [
        dict(row, employer=i % employers[number])
        for number, area in enumerate(("E1F", "E2F", "W1F"))
        for i, row in enumerate(people(**{area: employers[number] * 2}))
    ]
    query = count_people([axis("area")], [], second_unit="employer")
    enough = enough_second_units(profile, ptable_of(profile))
    capped = run(replace(query.fragment, enough_second_units=enough), rows)
    assert enough is not None
    assert max(capped.cells["t0_second"].to_pylist(), default=0) <= enough
    shown = marked(protect(query, capped, [], profile, NOISE, ptable_of(profile)), "a0")
    assert shown == ask(query, rows, profile, "a0")


def test_everybody_in_one_category_hides_the_row() -> None:
    """All twenty people of E2 have good health: publishing that tells it of each of them."""
    profile = HIDING.model_copy(update={"class_disclosure": ClassDisclosure(dimensions=("health",))})
    rows = [dict(row, health="bad") if i < 10 else row for i, row in enumerate(people(E1F=20, E2F=20))]
    query = count_people([axis("area", [["E1"], ["E2"], ["E3"]]), axis("health")])
    assert ask(query, rows, profile, "area", "health", "a0") == [
        ("E1", "good", 10),
        ("E1", "fair", "[c]"),
        ("E1", "bad", 10),
        ("E2", "good", "[c]"),
        ("E2", "fair", "[c]"),
        ("E2", "bad", "[c]"),
        ("E3", "good", "[c]"),
        ("E3", "fair", "[c]"),
        ("E3", "bad", "[c]"),
    ]


# England without E3 beside England: the rest must itself pass the minimum, and nobody is below it.
SOME_OF_ENGLAND = [["E1", "E2"], ["W1"]]
ENGLAND = [["E1", "E2", "E3"], ["W1"]]


@pytest.mark.parametrize("others", [0, 1, 9])
def test_all_but_a_small_group_is_withheld_whether_or_not_anybody_is_in_it(others: int) -> None:
    rows = people(E1F=20, E2F=20, E3F=others)
    query = count_people([axis("area", SOME_OF_ENGLAND)])
    guarded = with_guard(query, "area", [[axis("area", ENGLAND)]], [(0, 1)])
    assert ask(guarded, rows, HIDING, "area", "a0") == [("E1+E2", "[c]"), ("W1", "[c]")]


def test_an_ad_hoc_set_with_enough_people_outside_it_is_published() -> None:
    rows = people(E1F=20, E2F=20, E3F=10)
    query = count_people([axis("area", SOME_OF_ENGLAND)])
    guarded = with_guard(query, "area", [[axis("area", ENGLAND)]], [(0, 1)])
    assert ask(guarded, rows, HIDING, "area", "a0") == [("E1+E2", 40), ("W1", "[c]")]


def test_a_restriction_in_where_is_guarded_in_every_cell() -> None:
    """WHERE area IN ('E1', 'E2'), by sex: among men nobody is left outside, among women ten are."""
    rows = people(E1F=20, E1M=20, E3F=10)
    query = count_people([axis("sex")], within=box(area=["E1", "E2"]))
    guarded = with_guard(query, "area", [[axis("sex")]], [None])
    assert ask(guarded, rows, HIDING, "sex", "a0") == [("F", 20), ("M", "[c]")]


def test_a_neighbour_that_is_everybody_needs_no_axis() -> None:
    rows = people(E1F=20, E1M=20, W1F=10)
    query = count_people([axis("area", [["E1", "E2", "E3"]]), axis("sex")])
    guarded = with_guard(query, "area", [[axis("sex")]], [(0,)])
    assert ask(guarded, rows, HIDING, "sex", "a0") == [("F", 20), ("M", "[c]")]


def test_a_block_without_the_guarded_dimension_is_not_bound() -> None:
    rows = people(E1F=20, E2F=20, E3F=1)
    query = count_people([axis("area", SOME_OF_ENGLAND)], [])
    guarded = with_guard(query, "area", [[axis("area", ENGLAND)], []], [(0, 1), ()])
    assert ask(guarded, rows, HIDING, "area", "a0") == [("E1+E2", "[c]"), ("W1", "[c]"), (None, 41)]


def test_with_cell_keys_the_minimum_tests_the_count_that_would_be_shown() -> None:
    """What is shown is never below ten; some cells of nine people are shown and some of ten are not."""
    shown = []
    for size in (9, 10, 11):
        for shift in range(40):
            rows = [dict(row, record_key=row["record_key"] + 31 * shift) for row in people(E1F=size)]
            shown.append((size, ask(count_people([]), rows, KEYED, "a0")[0][0]))
    published = [(size, value) for size, value in shown if isinstance(value, int)]
    assert {value for _, value in published} == {10, 11, 12, 13}
    assert all(abs(size - value) <= 2 for size, value in published)
    assert any(size == 9 for size, _ in published)
    assert (10, "[c]") in shown


def test_the_same_people_have_the_same_count_however_they_are_asked_for() -> None:
    rows = people(E1F=40, E1M=35, E2F=50)
    by_filter = ask(count_people([], within=box(area=["E1"], sex=["F"])), rows, KEYED, "a0")
    by_group = ask(count_people([axis("area"), axis("sex")]), rows, KEYED, "area", "sex", "a0")
    turned = count_people([], [axis("sex"), axis("area")])
    by_other_order = ask(turned, rows[::-1], KEYED, "area", "sex", "a0")
    assert by_group[0][:2] == ("E1", "F")
    assert by_group[0] in by_other_order
    assert by_filter == [by_group[0][2:]]


TEN_FIVE = HIDING.model_copy(update={"cell_keys": CellKeys(counts=PTableSpec(named="ten_five"))})
FURTHER_EDUCATION = Profile(
    profile="further_education",
    title="Nearest ten, low under five",
    version="1",
    frequency=Frequency(minimum_frequency=5),
    rounding=Rounding(count_base=10, zero_below=Decimal(5)),
)
HIGHER_EDUCATION = Profile(
    profile="higher_education",
    title="Nearest five, nothing under 2.5",
    version="1",
    frequency=Frequency(minimum_frequency=1, publish_zeros=True),
    rounding=Rounding(count_base=5, zero_below=Decimal("2.5")),
)
SIZE_BANDS = Profile(
    profile="size_bands",
    title="Rounded by size",
    version="1",
    frequency=Frequency(minimum_frequency=1),
    rounding=Rounding(
        size_bands=(SizeBand(minimum=1, maximum=49, base=5), SizeBand(minimum=50, maximum=None, base=25))
    ),
)


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        (TEN_FIVE, {0: "[c]", 1: "[c]", 9: "[c]", 10: 10, 12: 10, 13: 15, 49: 50, 62: 60}),
        (FURTHER_EDUCATION, {0: "[low]", 1: "[low]", 4: "[low]", 5: 10, 14: 10, 15: 20, 62: 60}),
        (HIGHER_EDUCATION, {0: 0, 1: 0, 2: 0, 3: 5, 7: 5, 8: 10, 62: 60}),
        (SIZE_BANDS, {0: "[c]", 1: "[c]", 2: "[c]", 3: 5, 49: 50, 50: 50, 62: 50, 63: 75}),
    ],
    ids=lambda value: value.profile if isinstance(value, Profile) else "",
)
def test_rounding_never_tells_nobody_from_a_few(profile: Profile, expected: dict[int, object]) -> None:
    found = {n: ask(count_people([]), people(E1F=n), profile, "a0")[0][0] for n in expected}
    assert found == expected


def test_above_the_stated_size_only_published_cells_remain() -> None:
    profile = HIDING.model_copy(update={"limits": Limits(dense_cells=3)})
    query = count_people([axis("area")])
    cells = protect(query, run(query.fragment, people(E1F=10, E2F=9)), [], profile, NOISE, None)
    assert cells.sparse
    assert marked(cells, "area", "a0", "grouping") == [("E1", 10, 0)]


def test_a_source_without_anybody_gives_the_whole_grid() -> None:
    assert ask(count_people([axis("area")]), [], HIDING, "area", "a0") == [
        (code, "[c]") for code in LEAVES["area"]
    ]


def test_a_restriction_is_guarded_in_the_parts_that_it_cuts_through() -> None:
    """COUNT(*) FILTER (WHERE area <> 'E2'), by country: nobody is in E2. England is cut, Wales is not."""
    rows = people(E1F=40, W1F=30)
    countries = replace(axis("area", ENGLAND), adhoc=(False, False))
    query = count_people([countries], within=box(area=["E1", "E3", "W1"]))
    guarded = with_guard(query, "area", [[countries]], [(0, -1)])
    assert ask(guarded, rows, HIDING, "area", "a0") == [("E1+E2+E3", "[c]"), ("W1", 30)]
