"""Registered groupings cost nothing to ask for, so a custodian reviews each against the others."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from catalogue.codelists import CodeList
from catalogue.documents import Sourced
from catalogue.draft import Draft
from catalogue.faults import Fault
from catalogue.leaves import LeafSet
from catalogue.yaml_source import Step

_Place = tuple[Step, ...]


def warn_slivers(draft: Draft) -> Iterator[Fault]:
    """A part that differs from another part, or from a node, by a single leaf: the two, side by side, single that
    leaf out with noise of its own, once more for each such pair."""
    for codelist in draft.codelists.values():
        parts = _parts(codelist)
        nodes = [
            (f"the node `{code}`", leaves)
            for level in codelist.document.levels[:-1]
            for code, leaves in codelist.document.nodes[level.name].items()
        ]
        for path, name, leaves in parts:
            for other, node in nodes:
                yield from _sliver(codelist, path, (name, leaves), (other, node))
        for (_, first, a), (path, second, b) in combinations(parts, 2):
            yield from _sliver(codelist, path, (second, b), (first, a))


def _parts(codelist: Sourced[CodeList]) -> list[tuple[_Place, str, LeafSet]]:
    return [
        (("groupings", name, "parts", part.code), f"`{part.code}` of `{name}`", part.leaves)
        for name, grouping in codelist.document.groupings.items()
        for part in grouping.parts
    ]


def _sliver(
    codelist: Sourced[CodeList], path: _Place, one: tuple[str, LeafSet], other: tuple[str, LeafSet]
) -> Iterator[Fault]:
    (name, a), (other_name, b) = one, other
    if len(a) < 2 or len(b) < 2 or (a.mask ^ b.mask).bit_count() != 1:
        return
    leaf = next(iter(LeafSet(a.mask ^ b.mask, a.size)))
    code = codelist.document.leaf_level.codes[leaf]
    yield codelist.fault(
        path, f"{name} differs from {other_name} by the one leaf `{code}`", "review whether both are needed"
    )
