"""A population held in parts: protecting what the parts add up to is protecting the whole."""

from __future__ import annotations

from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from catalogue.fragment import RawCells
from catalogue.merge import merge
from catalogue.models import Profile
from policies.plan import CellQuery
from policies.protect import NoiseKey, protect, ptable_of
from tests.support.cell_queries import axis, pay_of_people
from tests.support.naive_source import Row, run
from tests.unit.protect.test_invariants import EXAMPLES, NOISES, POPULATIONS, PROFILES

PLAIN = pay_of_people([axis("area"), axis("sex")], [axis("area")], [])
WEIGHTED = pay_of_people([axis("area"), axis("sex")], [axis("area")], [], weight="weight")


@EXAMPLES
@given(
    st.sampled_from([PLAIN, WEIGHTED]),
    POPULATIONS,
    PROFILES,
    NOISES,
    st.lists(st.integers(0, 2), min_size=240, max_size=240),
)
def test_protecting_merged_parts_is_protecting_the_whole(
    query: CellQuery, rows: list[Row], profile: Profile, noise: NoiseKey, part_of: list[int]
) -> None:
    rows = [dict(row, weight=f"{1 + i % 4}.5") for i, row in enumerate(rows)]
    parts: list[list[Row]] = [[], [], []]
    for row, part in zip(rows, part_of, strict=False):
        parts[part].append(row)

    def together(a: RawCells, b: RawCells) -> RawCells:
        return merge(a, b, query.fragment)

    merged = reduce(together, (run(query.fragment, part) for part in parts))
    ptable = ptable_of(profile)
    whole = protect(query, run(query.fragment, rows), [], profile, noise, ptable)
    assert protect(query, merged, [], profile, noise, ptable).table == whole.table
