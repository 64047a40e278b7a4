"""Joint counts: several holders' people counted as if they stood in one table, digit for digit.

Each holder knows its own count and cell key; what it gives away is masked. The answer is that of one holder of
everybody wherever it may be given at all.
"""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue.models import CellKeys, ClassDisclosure, Frequency, Profile, PTableSpec, Rounding
from federation.masked.masks import MaskError, Purpose, Seat, unmasked
from federation.wire.exchange_key import ExchangeKey
from policies.cell_question import CellQuestion
from policies.cells import ProtectedCells, Status
from policies.plan import Box, CellQuery
from policies.protect import protect, ptable_of
from policies.protect.joint import eligible, joint_cells, joint_noise, joint_order, share_of, why_not_joint
from tests.support.cell_queries import NOISE, axis, count_people, marked, pay_of_people
from tests.support.naive_source import Row, run

KEYED = Profile(
    profile="keyed",
    title="Cell keys, ten at least",
    version="1",
    frequency=Frequency(minimum_frequency=10),
    cell_keys=CellKeys(counts=PTableSpec(maximum_noise=2, variance=1.05, smallest_published=1)),
)
EXACT = KEYED.model_copy(update={"cell_keys": None})
QUERY = count_people([axis("area"), axis("sex")], [axis("sex")], [])
BINDING = b"a session"


def people(seed: int, sizes: list[int]) -> list[Row]:
    """``sizes`` people for each area and sex, each with a random record key."""
    draw = random.Random(seed)
    cells = [(area, sex) for area in ("E1", "E2", "E3", "W1") for sex in ("F", "M")]
    return [
        {"area": area, "sex": sex, "health": "good", "record_key": draw.randrange(100_000_000)}
        for (area, sex), size in zip(cells, sizes, strict=True)
        for _ in range(size)
    ]


def jointly(query: CellQuery, parts: list[list[Row]], profile: Profile) -> tuple[ProtectedCells, np.ndarray]:
    """Both rounds, with what each node knows kept apart: the joint answer, and where it may be given."""
    shares = [share_of(query, run(query.fragment, rows), profile, NOISE) for rows in parts]
    may = eligible([share.publishes for share in shares], exact=profile.cell_keys is None)
    private = [ExchangeKey.generate() for _ in parts]
    public = [key.public for key in private]
    seats = [Seat(key, public, i, BINDING) for i, key in enumerate(private)]
    # Round B, keys: sealed for the first node, which reads their sum alone.
    sealed = [
        seat.seal(seat.masked(share.keys[may], Purpose.KEYS), 0)
        for seat, share in zip(seats, shares, strict=True)
    ]
    keys = unmasked([seats[0].open(text, i, int(may.sum())) for i, text in enumerate(sealed)])
    noise = joint_noise(keys, profile, NOISE)
    # Round B, values: the hub reads their sum alone.
    given_ = [share.counts[may] + (noise if i == 0 else 0) for i, share in enumerate(shares)]
    masked = [seat.masked(each, Purpose.VALUES) for seat, each in zip(seats, given_, strict=True)]
    total = np.zeros(may.size, dtype=np.int64)
    total[may] = unmasked(masked)
    return joint_cells(query, total, may, profile, "snapshots"), may


def of_one_holder(query: CellQuery, parts: list[list[Row]], profile: Profile) -> ProtectedCells:
    everybody = [row for rows in parts for row in rows]
    return protect(query, run(query.fragment, everybody), [], profile, NOISE, ptable_of(profile))


sizes = st.lists(st.sampled_from([0, 1, 5, 9, 10, 11, 14, 40, 200]), min_size=8, max_size=8)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(sizes, min_size=3, max_size=5),
    st.integers(0, 2**32),
    st.sampled_from([KEYED, EXACT, KEYED.model_copy(update={"rounding": Rounding(count_base=5)})]),
)
def test_the_joint_answer_is_that_of_one_holder_digit_for_digit(
    all_sizes: list[list[int]], seed: int, profile: Profile
) -> None:
    parts = [people(seed + i, each) for i, each in enumerate(all_sizes)]
    answer, may = jointly(QUERY, parts, profile)
    whole = of_one_holder(QUERY, parts, profile)
    assert answer.table.schema == whole.table.schema
    for row, (given_, expected) in enumerate(
        zip(answer.table.to_pylist(), whole.table.to_pylist(), strict=True)
    ):
        if may[row]:
            assert given_ == expected
        else:
            assert (given_["a0"], given_["s0"]) == (None, Status.CONFIDENTIAL)


def test_a_count_that_is_small_everywhere_is_not_given_though_it_would_be_large_together() -> None:
    """Nobody alone knows that it is large enough: it could be that everybody else has none."""
    answer, _ = jointly(count_people([]), [people(i, [9, 0, 0, 0, 0, 0, 0, 0]) for i in range(4)], EXACT)
    assert marked(answer, "a0") == [("[c]",)]


def test_a_count_that_one_holder_alone_hides_is_not_given() -> None:
    """Its part would be the joint count less what the others publish."""
    large, small = [200, 0, 0, 0, 0, 0, 0, 0], [3, 0, 0, 0, 0, 0, 0, 0]
    parts = [people(i, each) for i, each in enumerate([large, large, large, small])]
    assert marked(jointly(count_people([]), parts, KEYED)[0], "a0") == [("[c]",)]
    two_hide = [*parts[:3], people(9, small), people(10, small)]
    ((value,),) = marked(jointly(count_people([]), two_hide, KEYED)[0], "a0")
    assert isinstance(value, int)
    assert abs(value - 606) <= 2


def test_the_order_of_the_question_changes_no_place() -> None:
    """Else words for two orders would be other numbers under the same masks, and differ by one node's own."""
    rows = people(3, [1, 2, 3, 4, 5, 6, 7, 8])
    areas, backwards = [["E1"], ["E2"], ["E3", "W1"]], [["E3", "W1"], ["E1"], ["E2"]]
    one = count_people([axis("area", areas), axis("sex")])
    other = count_people([axis("sex"), axis("area", backwards)])
    shares = [share_of(replace(q, guards=()), run(q.fragment, rows), KEYED, NOISE) for q in (one, other)]
    for name in ("counts", "keys", "publishes"):
        assert getattr(shares[0], name).tolist() == getattr(shares[1], name).tolist()
    # And each hub reads the totals onto its own grid.
    everywhere = np.ones(6, dtype=np.bool_)
    found = {}
    for query in (one, other):
        names = [column for block in query.blocks for each in block.axes for column in each.keys]
        answer = joint_cells(replace(query, guards=()), np.arange(100, 106), everywhere, KEYED, "s")
        found[query] = {
            frozenset(str(row[name]) for name in names): row["a0"] for row in answer.table.to_pylist()
        }
    assert found[one] == found[other]
    assert sorted(found[one].values()) == [100, 101, 102, 103, 104, 105]


areas = st.sampled_from(
    [[["E1"], ["E2"], ["E3"], ["W1"]], [["E1", "E2"], ["E3"], ["W1"]], [["E2"], ["E1", "E3", "W1"]]]
)
axes = st.tuples(
    areas, st.sampled_from([[["F"], ["M"]], [["F", "M"]]]), st.just([["good"], ["fair"], ["bad"]])
)


def asked(parts: tuple[list[list[str]], ...], order: list[int], shuffle: random.Random) -> CellQuery:
    found = []
    for n in order:
        cut = list(parts[n])
        shuffle.shuffle(cut)
        found.append(axis(("area", "sex", "health")[n], cut))
    return count_people(found, found[:1])


def people_at(query: CellQuery) -> list[Box]:
    """Whom each place of a joint vector is about."""
    cells = [
        Box.of(dict(zip([each.dimension for each in block.axes], parts, strict=True)))
        for block in query.blocks
        for parts in product(*(each.parts for each in block.axes))
    ]
    return [cells[place] for place in joint_order(query)]


@given(axes, st.permutations([0, 1, 2]), st.permutations([1, 2]), st.randoms(use_true_random=False))
def test_questions_of_one_digest_have_the_same_people_in_each_place(
    parts: tuple[list[list[str]], ...], order: list[int], rest: list[int], shuffle: random.Random
) -> None:
    one = asked(parts, order, shuffle)
    other = asked(parts, [order[0], *(order[n] for n in rest)], shuffle)
    assert CellQuestion.of(one).canonical() == CellQuestion.of(other).canonical()
    assert people_at(one) == people_at(other)
    assert sorted(joint_order(one).tolist()) == list(range(one.size))


def test_what_one_node_gives_says_nothing_by_itself() -> None:
    """Over a thousand cells of the same value the words of one node are all different, and so are two nodes' sums."""
    private = [ExchangeKey.generate() for _ in range(3)]
    public = [key.public for key in private]
    words = [
        Seat(key, public, i, BINDING).masked(np.full(1000, 7), Purpose.VALUES)
        for i, key in enumerate(private)
    ]
    assert len(set(words[0].tolist())) == 1000
    assert len(set((words[0] + words[1]).tolist())) == 1000
    assert unmasked(words).tolist() == [21] * 1000


def test_masks_of_another_session_or_purpose_do_not_cancel() -> None:
    private = [ExchangeKey.generate() for _ in range(3)]
    public = [key.public for key in private]
    seats = [Seat(key, public, i, BINDING) for i, key in enumerate(private)]
    odd = Seat(private[2], public, 2, b"another session")
    values = np.array([1, 2, 3])
    honest = [seat.masked(values, Purpose.VALUES) for seat in seats[:2]]
    assert unmasked([*honest, odd.masked(values, Purpose.VALUES)]).tolist() != [3, 6, 9]
    assert unmasked([*honest, seats[2].masked(values, Purpose.KEYS)]).tolist() != [3, 6, 9]


def test_a_sealed_message_is_for_one_reader_one_sender_and_one_session() -> None:
    private = [ExchangeKey.generate() for _ in range(3)]
    public = [key.public for key in private]
    seats = [Seat(key, public, i, BINDING) for i, key in enumerate(private)]
    sealed = seats[1].seal(np.array([5], dtype=np.uint64), 0)
    assert seats[0].open(sealed, 1, 1).tolist() == [5]
    other = Seat(private[0], public, 0, b"another session")
    for reader, sender in [(seats[0], 2), (seats[2], 1), (other, 1)]:
        with pytest.raises(MaskError):
            reader.open(sealed, sender, 1)
    with pytest.raises(MaskError):
        seats[0].open(sealed, 1, 2)
    with pytest.raises(MaskError):
        seats[0].open(sealed[:-1] + bytes([sealed[-1] ^ 1]), 1, 1)


@pytest.mark.parametrize(
    ("query", "profile", "word"),
    [
        (pay_of_people([]), KEYED, "counts of units"),
        (
            QUERY,
            KEYED.model_copy(update={"frequency": Frequency(minimum_frequency=5)}),
            "depends on the count",
        ),
        (
            QUERY,
            KEYED.model_copy(update={"cell_keys": CellKeys(counts=PTableSpec(named="ten_five"))}),
            "depends",
        ),
        (
            QUERY,
            KEYED.model_copy(update={"class_disclosure": ClassDisclosure(dimensions=("sex",))}),
            "one category",
        ),
    ],
)
def test_what_cannot_be_counted_jointly_is_refused_with_its_reason(
    query: CellQuery, profile: Profile, word: str
) -> None:
    reason = why_not_joint(query, profile)
    assert reason is not None
    assert word in reason
    assert why_not_joint(QUERY, KEYED) is None
