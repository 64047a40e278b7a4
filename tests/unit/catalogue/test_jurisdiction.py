"""No atom of what a body may ask for singles out a neighbour."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from catalogue.codelists import CodeList, CodeListKind, Level
from catalogue.jurisdiction import permitted_atoms
from catalogue.leaves import LeafSet


def geography(regions: str, countries: str | None = None) -> CodeList:
    """A code list of one leaf per letter of ``regions``: the letter is its region, a dot is no region."""
    leaves = tuple(f"L{i}" for i in range(len(regions)))
    region = tuple(None if letter == "." else letter for letter in regions)
    country = tuple(countries or "E" * len(regions))
    return CodeList("g", "g", "s", "1", CodeListKind.CODES, (
        Level("country", "Country", country, country),
        Level("region", "Region", region, region),
        Level("area", "Area", leaves, leaves),
    ))  # fmt: skip


def named(codelist: CodeList, sets: tuple[LeafSet, ...]) -> list[list[int]]:
    return [list(leaves) for leaves in sets]


def test_own_areas_in_full_and_others_by_region() -> None:
    codelist = geography("NNNNNSSSS")
    areas = permitted_atoms(codelist, LeafSet.of([0, 1], 9), "region", 3)
    assert named(codelist, areas.atoms) == [[0], [1], [2, 3, 4], [5, 6, 7, 8]]
    assert areas.coarsened == ()
    assert areas.permits(codelist.nodes["region"]["N"])
    assert areas.permits(LeafSet.full(9))
    assert not areas.permits(LeafSet.of([2], 9))
    assert not areas.permits(LeafSet.of([0, 2], 9))


def test_a_single_neighbour_is_seen_with_the_next_region_of_the_country() -> None:
    codelist = geography("NNNSSSSSMMMMWWW", "EEEEEEEEEEEEWWW")
    areas = permitted_atoms(codelist, LeafSet.of([0, 1], 15), "region", 3)
    assert named(codelist, areas.atoms) == [[0], [1], [2, 8, 9, 10, 11], [3, 4, 5, 6, 7], [12, 13, 14]]
    assert [coarse.nodes for coarse in areas.coarsened] == [("M", "N")]
    assert not areas.permits(codelist.nodes["region"]["N"])
    assert not areas.permits(codelist.nodes["region"]["M"])
    assert areas.permits(codelist.nodes["country"]["E"])


def test_leaves_without_a_region_are_told_apart_by_country_alone() -> None:
    codelist = geography("NNNN......", "EEEEWWWSSS")
    areas = permitted_atoms(codelist, LeafSet.of([0], 10), "region", 3)
    assert named(codelist, areas.atoms) == [[0], [1, 2, 3], [4, 5, 6], [7, 8, 9]]


def test_too_few_foreign_leaves_in_all_are_never_shown() -> None:
    areas = permitted_atoms(geography("NNNN"), LeafSet.of([0, 1], 4), "region", 3)
    assert [list(atom) for atom in areas.atoms] == [[0], [1]]
    assert list(areas.outside) == [2, 3]
    assert not areas.permits(LeafSet.full(4))


@given(
    st.lists(st.sampled_from("ABCD."), min_size=1, max_size=14),
    st.lists(st.sampled_from("EW"), min_size=14, max_size=14),
    st.sets(st.integers(0, 13)),
    st.integers(2, 5),
)
def test_atoms_are_disjoint_and_none_is_small(
    regions: list[str], countries: list[str], own: set[int], minimum: int
) -> None:
    size = len(regions)
    mine = LeafSet.of([i for i in own if i < size], size)
    codelist = geography("".join(regions), "".join(countries[:size]))
    areas = permitted_atoms(codelist, mine, "region", minimum)
    together = areas.outside
    for atom in areas.atoms:
        assert not together & atom
        together = together | atom
        assert (len(atom) == 1 and atom <= mine) or (not atom & mine and len(atom) >= minimum)
    assert together.is_full
