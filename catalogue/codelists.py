"""Code lists: the real classifications to whose leaves all questions are reduced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

import pyarrow as pa

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

    def cut(self, level: str) -> CodeList:
        """The list with ``level`` as its leaves, for a table that holds no finer codes.

        Leaves are the level's codes in order of appearance. Kept are the coarser levels that give each of them
        one code, and the parts of groupings that are made of whole ones.

        Raises KeyError for a level that the list does not have.
        """
        if level == self.leaf_level.name:
            return self
        nodes = self.nodes[level]
        first = [next(iter(leaves)) for leaves in nodes.values()]
        levels = []
        for coarser in self.levels:
            nested = all(len({coarser.codes[leaf] for leaf in leaves}) == 1 for leaves in nodes.values())
            if nested:
                codes = tuple(coarser.codes[leaf] for leaf in first)
                names = tuple(coarser.names[leaf] for leaf in first)
                levels.append(Level(coarser.name, coarser.title, codes, names))
            if coarser.name == level:
                break

        def cut_part(part: GroupingPart) -> GroupingPart | None:
            kept = [i for i, leaves in enumerate(nodes.values()) if leaves <= part.leaves]
            whole = sum(len(leaves) for i, leaves in enumerate(nodes.values()) if i in set(kept))
            if whole != len(part.leaves):
                return None
            return GroupingPart(part.code, part.title, LeafSet.of(kept, len(nodes)))

        groupings = {}
        for name, grouping in self.groupings.items():
            parts = tuple(part for part in map(cut_part, grouping.parts) if part is not None)
            if parts:
                groupings[name] = Grouping(name, grouping.title, parts)
        population = self.population and tuple(
            sum(self.population[leaf] for leaf in leaves) for leaves in nodes.values()
        )
        return CodeList(
            self.name,
            self.title,
            self.source,
            self.vintage,
            CodeListKind.CODES,
            tuple(levels),
            groupings,
            population,
            f"{self.digest}/{level}",
        )

    def leaves_of(self, code: Code) -> LeafSet | None:
        """The leaves below a code, at the finest level that has it; None where no level has it."""
        for level in reversed(self.levels):
            if (leaves := self.nodes[level.name].get(code)) is not None:
                return leaves
        return None

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

    @cached_property
    def table(self) -> pa.Table:
        """The list as an open table, one row a leaf: each level's codes and names, each registered grouping's part."""
        columns: dict[str, pa.Array] = {}
        for level in self.levels:
            columns[level.name] = pa.array(level.codes)
            columns[f"{level.name}_name"] = pa.array(level.names, pa.string())
        for grouping in self.groupings.values():
            codes: list[str | None] = [None] * self.size
            for part in grouping.parts:
                for leaf in part.leaves:
                    codes[leaf] = part.code
            columns[grouping.name] = pa.array(codes, pa.string())
        if self.population is not None:
            columns["population"] = pa.array(self.population, pa.int64())
        return pa.table(columns)
