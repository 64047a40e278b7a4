"""What must hold for every population, profile and way of asking."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue.fragment import RawCells
from catalogue.models import (
    CellKeys,
    ClassDisclosure,
    Dominance,
    Frequency,
    Limits,
    Profile,
    PTableSpec,
    Rounding,
)
from policies.cells import ProtectedCells, Status
from policies.plan import CellQuery
from policies.protect import NoiseKey, protect, ptable_of
from tests.support.cell_queries import LEAVES, axis, pay_of_people, with_guard
from tests.support.naive_source import Row, run

PLACES = [(area, sex) for area in LEAVES["area"] for sex in LEAVES["sex"]]


def population(sizes: list[int], seed: int) -> list[Row]:
    """So many people in each cell, of whom some have no pay or none but zero."""
    random = Random(seed)
    return [
        {"area": area, "sex": sex, "pay": pay(random), "record_key": random.randrange(100_000_000)}
        for (area, sex), size in zip(PLACES, sizes, strict=True)
        for _ in range(size)
    ]


def pay(random: Random) -> Decimal | None:
    pence = random.randrange(200_000)
    return random.choices([None, Decimal(0), Decimal(pence) / 100], [1, 1, 8])[0]


POPULATIONS = st.builds(
    population,
    st.lists(st.integers(0, 30), min_size=len(PLACES), max_size=len(PLACES)),
    st.integers(0, 2**32),
)
PTABLE = PTableSpec(maximum_noise=2, variance=1.05, smallest_published=1)
PROFILES = st.builds(
    Profile,
    profile=st.just("drawn"),
    title=st.just("Drawn"),
    version=st.just("1"),
    frequency=st.builds(Frequency, minimum_frequency=st.integers(3, 12), publish_zeros=st.booleans()),
    cell_keys=st.none() | st.just(CellKeys(counts=PTABLE)),
    dominance=st.sampled_from([Dominance(), Dominance(p_percent=Decimal(10))]),
    class_disclosure=st.sampled_from([ClassDisclosure(), ClassDisclosure(dimensions=("sex",))]),
    rounding=st.sampled_from(
        [Rounding(), Rounding(count_base=5), Rounding(count_base=10, zero_below=Decimal(3)),
         Rounding(magnitude_base={"pay": Decimal(100)})]
    ),
)  # fmt: skip
NOISES = st.builds(NoiseKey, st.binary(min_size=32, max_size=32), st.just(1))
EXAMPLES = settings(deadline=None, max_examples=40)

QUERY = pay_of_people([axis("area"), axis("sex")], [axis("area")], [])
ATOMS = range(len(QUERY.atoms))


def cells_of(rows: list[Row], profile: Profile, noise: NoiseKey, query: CellQuery = QUERY) -> ProtectedCells:
    guards = [run(guard.fragment, rows) for guard in query.guards]
    return protect(query, run(query.fragment, rows), guards, profile, noise, ptable_of(profile))


def table_of(rows: list[Row], profile: Profile, noise: NoiseKey, query: CellQuery = QUERY) -> pa.Table:
    return cells_of(rows, profile, noise, query).table


@EXAMPLES
@given(POPULATIONS, PROFILES, NOISES)
def test_hidden_and_only_hidden_values_are_null(rows: list[Row], profile: Profile, noise: NoiseKey) -> None:
    table = table_of(rows, profile, noise)
    for i in ATOMS:
        for value, status in zip(table[f"a{i}"].to_pylist(), table[f"s{i}"].to_pylist(), strict=True):
            assert (value is None) == Status(status).hidden


@EXAMPLES
@given(POPULATIONS, POPULATIONS, PROFILES, NOISES)
def test_rows_types_and_order_depend_on_metadata_alone(
    some: list[Row], others: list[Row], profile: Profile, noise: NoiseKey
) -> None:
    one, two = table_of(some, profile, noise), table_of(others, profile, noise)
    assert one.schema == two.schema
    assert one.select(["area", "sex", "grouping"]) == two.select(["area", "sex", "grouping"])
    assert one.num_rows == 8 + 4 + 1


@EXAMPLES
@given(POPULATIONS, PROFILES, NOISES, st.randoms())
def test_the_order_of_rows_changes_nothing(
    rows: list[Row], profile: Profile, noise: NoiseKey, random: Random
) -> None:
    raw = run(QUERY.fragment, rows)
    turned = [list(range(len(raw.cells))), list(range(len(raw.histograms["t2"])))]
    for order in turned:
        random.shuffle(order)
    shuffled = RawCells(
        raw.cells.take(pa.array(turned[0], pa.int64())),
        {"t2": raw.histograms["t2"].take(pa.array(turned[1], pa.int64()))},
        raw.snapshot,
    )
    ptable = ptable_of(profile)
    assert (
        protect(QUERY, raw, [], profile, noise, ptable).table
        == protect(QUERY, shuffled, [], profile, noise, ptable).table
    )


@EXAMPLES
@given(POPULATIONS, PROFILES, NOISES)
def test_a_cell_has_the_same_digits_in_any_company(
    rows: list[Row], profile: Profile, noise: NoiseKey
) -> None:
    """Class disclosure looks along a row, so it is left out: a single cell has no row."""
    profile = profile.model_copy(update={"class_disclosure": ClassDisclosure()})
    together = table_of(rows, profile, noise).to_pylist()
    alone = table_of(rows, profile, noise, pay_of_people([axis("sex", [["M"]]), axis("area", [["E2"]])]))
    (cell,) = alone.to_pylist()
    (same,) = [row for row in together if (row["area"], row["sex"]) == ("E2", "M")]
    names = [f"{letter}{i}" for i in ATOMS for letter in "as"]
    assert [cell[name] for name in names] == [same[name] for name in names]


@EXAMPLES
@given(POPULATIONS, PROFILES, NOISES)
def test_a_shown_sum_is_the_shown_mean_times_the_shown_count(
    rows: list[Row], profile: Profile, noise: NoiseKey
) -> None:
    exact = profile.cell_keys is None and profile.rounding == Rounding()
    for row in table_of(rows, profile, noise).to_pylist():
        if row["a1"] is not None and row["a2"] is not None and not exact:
            assert row["a1"] == row["a2"] * row["a0"]


@EXAMPLES
@given(POPULATIONS, PROFILES, NOISES)
def test_no_count_below_the_minimum_is_shown_and_noise_is_bounded(
    rows: list[Row], profile: Profile, noise: NoiseKey
) -> None:
    profile = profile.model_copy(update={"rounding": Rounding()})
    truth = run(QUERY.fragment, rows).cells.to_pylist()
    true = {(row["block"], row["p0"], row["p1"]): row["t0_n"] for row in truth}
    places = (
        [(0, a, s) for a in range(4) for s in range(2)] + [(1, a, None) for a in range(4)] + [(2, None, None)]
    )
    for place, row in zip(places, table_of(rows, profile, noise).to_pylist(), strict=True):
        if row["a0"] is not None:
            assert row["a0"] >= profile.frequency.minimum_frequency or (
                row["a0"] == 0 and profile.frequency.publish_zeros
            )
            assert abs(row["a0"] - true.get(place, 0)) <= (2 if profile.cell_keys else 0)


@EXAMPLES
@given(POPULATIONS, PROFILES, NOISES, st.integers(1, 2))
def test_nobody_cannot_be_told_from_one_or_two(
    rows: list[Row], profile: Profile, noise: NoiseKey, few: int
) -> None:
    """Without published zeros: the same statuses in the whole of an area without women, and with one or two."""
    minimum = profile.frequency.minimum_frequency + 2
    update: dict[str, object] = {"frequency": Frequency(minimum_frequency=minimum)}
    if profile.rounding.zero_below is not None:  # a checked profile leaves no gap between low and published
        update["rounding"] = profile.rounding.model_copy(update={"zero_below": Decimal(minimum)})
    profile = profile.model_copy(update=update)
    stay = [row for row in rows if (row["area"], row["sex"]) != ("E1", "F")]
    women = [woman(i) for i in range(few)]
    of_none, of_few = (
        table_of(people, profile, noise, pay_of_people([axis("area"), axis("sex", [["F"]])]))
        for people in (stay, stay + women)
    )
    assert of_none == of_few


def woman(i: int) -> Row:
    return {"area": "E1", "sex": "F", "pay": Decimal(500), "record_key": 1_234_567 * (i + 1)}


@EXAMPLES
@given(POPULATIONS, PROFILES, NOISES)
def test_a_sparse_answer_holds_what_the_dense_one_shows_beyond_zeros(
    rows: list[Row], profile: Profile, noise: NoiseKey
) -> None:
    dense = table_of(rows, profile, noise).to_pylist()
    sparse = cells_of(rows, profile.model_copy(update={"limits": Limits(dense_cells=1)}), noise)
    assert sparse.sparse
    assert sparse.table.to_pylist() == [row for row in dense if any(row[f"a{i}"] for i in ATOMS)]


@EXAMPLES
@given(POPULATIONS, PROFILES, NOISES)
def test_a_guarded_cell_is_shown_only_with_enough_people_outside_it(
    rows: list[Row], profile: Profile, noise: NoiseKey
) -> None:
    query = with_guard(
        pay_of_people([axis("area", [["E1", "E2"], ["W1"]])]),
        "area",
        [[axis("area", [["E1", "E2", "E3"], ["W1"]])]],
        [(0, 1)],
    )
    outside = sum(row["area"] == "E3" and row["pay"] is not None for row in rows)
    table = ptable_of(profile)
    if table is not None:
        # They are judged with their own noise, which may lift them over the minimum.
        outside += int(table.noise(np.full(101, outside), np.linspace(0, 1, 101, endpoint=False)).max())
    first = table_of(rows, profile, noise, query).to_pylist()[0]
    for i in ATOMS:
        if first[f"a{i}"]:
            assert outside >= profile.frequency.minimum_frequency
