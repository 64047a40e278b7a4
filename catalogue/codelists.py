"""Code lists: the real classifications to whose leaves all questions are reduced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from catalogue.leaves import LeafSet

Code = str | int


class CodeListKind(StrEnum):
    CODES = "codes"
    INTEGERS = "integers"


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a classification: for each leaf the code of its parent here, or None where it has none."""

    name: str
    title: str
    codes: tuple[Code | None, ...]
    names: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class GroupingPart:
    code: str
    title: str
    leaves: LeafSet


@dataclass(frozen=True, slots=True)
class Grouping:
    """A registered grouping: sets of leaves that a custodian reviewed and that cost nothing to ask for."""

    name: str
    title: str
    parts: tuple[GroupingPart, ...]


@dataclass(frozen=True)
class CodeList:
    """A classification with its hierarchy. Leaves are in file order; ``levels[-1]`` is the leaf level.

    Levels need not nest in each other (a skills-plan area may cross a combined authority), so each level maps
    leaves to codes of its own, and every node of every level is a set of leaves.
    """

    name: str
    title: str
    source: str
    vintage: str
    kind: CodeListKind
    levels: tuple[Level, ...]
    groupings: Mapping[str, Grouping] = field(default_factory=dict)
    population: tuple[int, ...] | None = None
    digest: str = ""

    @property
    def leaf_level(self) -> Level:
        return self.levels[-1]

    @property
    def size(self) -> int:
        """Number of leaves, without the null leaf of a nullable column."""
        return len(self.leaf_level.codes)

    def level(self, name: str) -> Level:
        for level in self.levels:
            if level.name == name:
                return level
        raise KeyError(name)

    @cached_property
    def nodes(self) -> Mapping[str, Mapping[Code, LeafSet]]:
        """For each level the leaves below each of its codes."""
        result: dict[str, dict[Code, LeafSet]] = {}
        for level in self.levels:
            masks: dict[Code, int] = {}
            for index, code in enumerate(level.codes):
                if code is not None:
                    masks[code] = masks.get(code, 0) | 1 << index
            result[level.name] = {code: LeafSet(mask, self.size) for code, mask in masks.items()}
        return result

    @cached_property
    def free_masks(self) -> frozenset[int]:
        """Masks of every node and every part of a registered grouping: the sets that need no guard."""
        nodes = {leaves.mask for level in self.nodes.values() for leaves in level.values()}
        parts = {part.leaves.mask for grouping in self.groupings.values() for part in grouping.parts}
        return frozenset(nodes | parts | {LeafSet.full(self.size).mask})
