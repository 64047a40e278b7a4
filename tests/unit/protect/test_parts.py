"""Parts put together: what adds up, what withholds the total, and that the order of nodes changes no digit."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from catalogue.catalogue import BoundDataset, Dimension
from catalogue.leaves import LeafSet
from policies.cells import Status
from policies.parts import Combination, PartCells, combine
from policies.plan import Atom, AtomKind, CellQuery
from tests.support.cell_queries import LEAVES, axis, count_people, pay_of_people
from tests.support.labour import CODELISTS, datasets

PARTS = {
    "england": LeafSet.of([0, 1], 4),
    "scotland": LeafSet.of([2], 4),
    "wales": LeafSet.of([3], 4),
}
C, LOW, Z = Status.CONFIDENTIAL, Status.LOW, Status.NOT_APPLICABLE


def _dataset() -> BoundDataset:
    """People whose pay may be missing, a row each."""
    document = datasets(Path(), "profile")["people"]
    dimensions = {name: Dimension(name, name, CODELISTS["sex"], None, False, False) for name in LEAVES}
    return BoundDataset(document, dimensions)


PEOPLE = _dataset()


def given(**columns: Sequence[Any]) -> PartCells:
    """By column a value for each cell, or the status that hides it."""
    values: dict[str, Any] = {}
    statuses = {}
    for name, cells in columns.items():
        array = np.empty(len(cells), np.object_)
        array[:] = [None if isinstance(cell, Status) else cell for cell in cells]
        values[name] = array
        statuses[name] = np.array([c if isinstance(c, Status) else 0 for c in cells], np.int8)
    return PartCells(values, statuses)


def put_together(query: CellQuery, parts: Mapping[str, PartCells]) -> dict[str, list[Any]]:
    """By atom the values, or the marks of those that are hidden or partial."""
    cells, _ = combine(Combination.of(query, PEOPLE), "area", PARTS, parts, "", sparse=False)
    found = {}
    for atom in query.atoms:
        pairs = zip(cells.table[atom.column].to_pylist(), cells.table[atom.status].to_pylist(), strict=True)
        found[atom.column] = [(v, Status(s).mark) if s else v for v, s in pairs]
    return found


def test_counts_add_up_and_a_hidden_part_hides_the_total() -> None:
    query = count_people([axis("sex")])
    parts = {
        "england": given(a0=[100, 50]),
        "scotland": given(a0=[20, C]),
        "wales": given(a0=[30, 10]),
    }
    assert put_together(query, parts)["a0"] == [150, (None, "[c]")]


def test_a_small_part_that_rounds_to_zero_hides_the_total_too() -> None:
    query = count_people([axis("sex")])
    parts = {"england": given(a0=[100, LOW]), "scotland": given(a0=[LOW, LOW]), "wales": given(a0=[30, LOW])}
    assert put_together(query, parts)["a0"] == [(None, "[c]"), (None, "[low]")]


def test_a_missing_part_marks_the_total() -> None:
    query = count_people([axis("area")], [axis("sex")])
    parts = {
        "england": given(a0=[40, 60, Z, Z, 70, 30]),
        "wales": given(a0=[Z, Z, Z, 25, 15, C]),
    }
    assert put_together(query, parts)["a0"] == [
        *(40, 60, (None, "[x]"), 25),
        *((85, "[part]"), (None, "[c]")),
    ]


def moments(values: Sequence[int]) -> list[Any]:
    return [len(values), Decimal(statistics.mean(values)), Decimal(statistics.variance(values))]


@pytest.mark.parametrize("order", list(permutations(PARTS)))
def test_means_and_spreads_are_those_of_everybody(order: tuple[str, ...]) -> None:
    people = {"england": [10, 20, 60, 90], "scotland": [5, 15], "wales": [100, 200, 300]}
    atoms = [atom for atom in pay_of_people([]).atoms if atom.kind is not AtomKind.QUANTILE]
    query = replace(pay_of_people([]), atoms=tuple(atoms))
    combination = Combination.of(query, PEOPLE)
    kinds = {atom.kind: atom.column for atom in combination.asked}
    assert set(kinds) == {AtomKind.UNITS, AtomKind.MEAN, AtomKind.VARIANCE}
    parts = {}
    for node in order:
        n, mean, variance = moments(people[node])
        columns = {
            kinds[AtomKind.UNITS]: [n],
            kinds[AtomKind.MEAN]: [mean],
            kinds[AtomKind.VARIANCE]: [variance],
        }
        parts[node] = given(**columns)
    found = put_together(query, parts)
    everybody = [value for values in people.values() for value in values]
    mean = Decimal(str(round(statistics.mean(everybody), 2)))
    assert found["a0"] == [9]
    assert found["a2"] == [mean]
    assert found["a1"] == [mean * 9]
    assert found["a3"] == [Decimal(str(round(statistics.stdev(everybody), 2)))]


def test_a_quantile_is_one_nodes_alone() -> None:
    atom = next(atom for atom in pay_of_people().atoms if atom.kind is AtomKind.QUANTILE)
    query = replace(pay_of_people([axis("area")], []), atoms=(replace(atom, column="a0", status="s0"),))
    parts = {
        "england": given(a0=[Decimal(500), Decimal(510), Z, Z, Decimal(505)]),
        "scotland": given(a0=[Z, Z, Decimal(480), Z, Decimal(480)]),
        "wales": given(a0=[Z, Z, Z, C, C]),
    }
    found = put_together(query, parts)["a0"]
    assert found == [Decimal(500), Decimal(510), Decimal(480), (None, "[c]"), (None, "[x]")]


def test_what_nobody_can_be_in_is_nought() -> None:
    """An impossible cell is 0 wherever it stands; a mean over nobody has no value."""
    units = Atom(AtomKind.UNITS, "a0", "s0", "t0")
    query = replace(count_people([axis("sex")]), atoms=(units,))
    parts = {node: given(a0=[0, 0]) for node in PARTS}
    assert put_together(query, parts)["a0"] == [0, 0]
