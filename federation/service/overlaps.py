"""How a question stands to what was released before of the same people, found from canonical boxes in the ledger.

Questions about the same people have equal boxes however they were worded (``catalogue.leaves``), so what is found here
is exact: no data is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from federation.runs.ledger import partition_digest, read_box
from federation.state.models import LedgerEntry
from federation.state.published import Released
from policies.boxes import is_empty
from policies.plan import Box, CellQuery


class Relation(StrEnum):
    """How the people or organisations of a question stand to those of an earlier release, the closest first."""

    SAME_CELLS = "same_cells"
    SAME_PEOPLE = "same_people"
    INSIDE = "inside"
    AROUND = "around"
    PARTLY = "partly"
    UNKNOWN = "unknown"
    APART = "apart"

    @property
    def meaning(self) -> str:
        return {
            Relation.SAME_CELLS: "the very same cells",
            Relation.SAME_PEOPLE: "the same selection, divided or measured in another way",
            Relation.INSIDE: "this question selects a part of what that one did",
            Relation.AROUND: "that one selected a part of what this question does",
            Relation.PARTLY: "the selections overlap",
            Relation.UNKNOWN: "the two selections cannot be compared",
            Relation.APART: "nobody is in both",
        }[self]


@dataclass(frozen=True, slots=True)
class Overlap:
    """An earlier release about some of the same people or organisations, and how it stands to the question: the
    closest of its cell queries. ``shared`` are the dimensions that both use."""

    released: Released
    relation: Relation
    meaning: str
    shared: list[str]


def overlaps(queries: Sequence[CellQuery], earlier: Iterable[tuple[LedgerEntry, Released]]) -> list[Overlap]:
    """Those of ``earlier`` that share people with any of ``queries``, the closest first and then as they were given.

    Each release is there once, as its closest cell query stands. Those whose code lists had another length, and all
    where there are no ``queries``, since the dataset is only joined to, are not comparable and stay in.
    """
    asked = [(partition_digest(query), _boxes_of(query), set(_dimensions(query))) for query in queries]
    found: dict[str, Overlap] = {}
    for entry, released in earlier:
        boxes, used = _boxes_in(entry), {_plain(name, entry.dataset) for name in released.dimensions}
        stands: list[tuple[Relation, set[str]]] = [
            (Relation.SAME_CELLS if partition == entry.partition else _closest(own, boxes), dimensions)
            for partition, own, dimensions in asked
        ]
        for relation, dimensions in stands or [(Relation.UNKNOWN, set[str]())]:
            known = found.get(entry.release_id)
            if known is None or _rank(relation) < _rank(known.relation):
                shared = sorted(used & dimensions)
                found[entry.release_id] = Overlap(released, relation, relation.meaning, shared)
    close = [each for each in found.values() if each.relation is not Relation.APART]
    return sorted(close, key=lambda each: _rank(each.relation))


def relation_of(box: Box, other: Box) -> Relation:
    """How the people of ``box`` stand to those of ``other``.

    >>> from catalogue.leaves import LeafSet
    >>> north = Box.of({"region": LeafSet.of([0], 2)})
    >>> relation_of(north, Box()), relation_of(Box(), north), relation_of(north, north)
    (<Relation.INSIDE: 'inside'>, <Relation.AROUND: 'around'>, <Relation.SAME_PEOPLE: 'same_people'>)
    >>> relation_of(north, Box.of({"region": LeafSet.of([1], 2)}))
    <Relation.APART: 'apart'>
    """
    try:
        both = box & other
    except ValueError:
        return Relation.UNKNOWN
    if is_empty(both):
        return Relation.APART
    if box == other:
        return Relation.SAME_PEOPLE
    if both == box:
        return Relation.INSIDE
    return Relation.AROUND if both == other else Relation.PARTLY


def _rank(relation: Relation) -> int:
    return list(Relation).index(relation)


def _closest(boxes: Iterable[Box], others: Sequence[Box]) -> Relation:
    return min((relation_of(box, other) for box in boxes for other in others), key=_rank)


def _boxes_of(query: CellQuery) -> set[Box]:
    """What a query's atoms count, in names that do not depend on the dataset's."""
    return {_renamed(query.where & atom.where, query.dataset) for atom in query.atoms}


def _boxes_in(entry: LedgerEntry) -> list[Box]:
    boxes: list[Mapping[str, Any]] = [atom["box"] for atom in entry.atoms]
    where = read_box(entry.box)
    return [_renamed(where & read_box(box), entry.dataset) for box in boxes]


def _dimensions(query: CellQuery) -> list[str]:
    named = {axis.dimension for block in query.blocks for axis in block.axes}
    boxed = {name for atom in query.atoms for name in (query.where & atom.where).dimensions}
    return [_plain(name, query.dataset) for name in named | boxed]


def _renamed(box: Box, dataset: str) -> Box:
    return Box.of({_plain(name, dataset): leaves for name, leaves in box.sets})


def _plain(dimension: str, dataset: str) -> str:
    """A dimension without its dataset: snapshots of one series have datasets of different names.

    >>> _plain("people.sex", "people")
    'sex'
    """
    return dimension.removeprefix(f"{dataset}.")
