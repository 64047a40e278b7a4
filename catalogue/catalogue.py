"""The loaded catalogue: documents resolved against each other, as the compiler and the service read them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, reduce
from operator import or_
from types import MappingProxyType

from pydantic import BaseModel

from catalogue.codelists import CodeList
from catalogue.digests import document_digest
from catalogue.fragment import Grid, Scalar
from catalogue.held import Held, Local, Parted, Remote
from catalogue.leaves import LeafSet
from catalogue.models import (
    Agreement,
    Body,
    CustomArea,
    Dataset,
    Profile,
    Relationship,
    Role,
    StandardQuery,
    StandingRule,
    Variable,
)


@dataclass(frozen=True)
class Dimension:
    """What a dataset can be cut by: one leaf variable with its code list, or a measure on its declared grid.

    Leaf ``i < codelist.size`` (or grid bin i) is a value; the last leaf is the null leaf where ``nullable``.
    ``areas`` are the masks of the registered custom areas of the dataset on this code list.
    """

    name: str
    expression: str
    codelist: CodeList | None
    grid: Grid | None
    nullable: bool
    sensitive: bool
    areas: frozenset[int] = frozenset()

    @property
    def size(self) -> int:
        if self.codelist is not None:
            values = self.codelist.size
        else:
            assert self.grid is not None
            values = self.grid.bins
        return values + self.nullable

    @property
    def full(self) -> LeafSet:
        return LeafSet.full(self.size)

    @property
    def null_leaf(self) -> int | None:
        return self.size - 1 if self.nullable else None

    def widen(self, leaves: LeafSet) -> LeafSet:
        """A leaf set of the code list as one of this dimension (which may have a null leaf more)."""
        return LeafSet(leaves.mask, self.size)

    def stored_values(self) -> tuple[Scalar, ...]:
        """What the source stores per leaf, None for the null leaf; bin numbers for a grid."""
        if self.codelist is not None:
            values: tuple[Scalar, ...] = self.codelist.leaf_level.codes
        else:
            values = tuple(range(self.size - self.nullable))
        return (*values, None) if self.nullable else values

    @cached_property
    def free_masks(self) -> frozenset[int]:
        """Sets that need no guard: nodes, registered groupings, everything, all that has a value, the null leaf."""
        full = self.full.mask
        null = 1 << self.size - 1 if self.nullable else 0
        base = self.codelist.free_masks if self.codelist is not None else frozenset()
        return base | self.areas | {full, full & ~null} | ({null} if null else set())


@dataclass(frozen=True)
class BoundDataset:
    """A dataset with its variables resolved to dimensions and measures."""

    document: Dataset
    dimensions: Mapping[str, Dimension]

    @property
    def name(self) -> str:
        return self.document.dataset

    def variable(self, name: str) -> Variable:
        return self.document.variables[name]

    def dimension_of(self, variable: str) -> Dimension | None:
        """The dimension that a variable is read through: its own, its leaf variable's, or its measure grid."""
        return self.dimensions.get(self.document.variables[variable].of or variable)

    def level_of(self, variable: str) -> str | None:
        document = self.document.variables[variable]
        dimension = self.dimension_of(variable)
        if document.role is not Role.DIMENSION or dimension is None or dimension.codelist is None:
            return None
        return document.level or dimension.codelist.leaf_level.name

    def relationship(self, name: str) -> Relationship:
        return self.document.relationships[name]

    @cached_property
    def held(self) -> Held:
        """Who holds the dataset. The loader has seen to it that the parts, where there are some, are whole."""
        source = self.document.source
        if source.node is not None:
            return Remote(source.node, source.location)
        if source.parts is not None and source.split is not None:
            dimension = self.dimension_of(source.split)
            level = self.level_of(source.split)
            assert dimension is not None
            assert dimension.codelist is not None
            assert level is not None
            nodes = dimension.codelist.nodes[level]
            empty = LeafSet.empty(dimension.codelist.size)
            parts = {
                node: dimension.widen(reduce(or_, (nodes[code] for code in codes), empty))
                for node, codes in sorted(source.parts.items())
            }
            return Parted(MappingProxyType(parts), dimension.name, source.location, source.mode)
        assert source.connector is not None
        return Local(source.connector, source.location)


@dataclass(frozen=True)
class Catalogue:
    """Everything that a configuration directory says, validated as a whole. ``version`` is its digest."""

    datasets: Mapping[str, BoundDataset]
    codelists: Mapping[str, CodeList]
    profiles: Mapping[str, Profile]
    bodies: Mapping[str, Body]
    agreements: Mapping[str, Agreement]
    areas: Mapping[str, CustomArea] = field(default_factory=dict)
    standing_rules: Mapping[str, StandingRule] = field(default_factory=dict)
    standard_queries: Mapping[str, StandardQuery] = field(default_factory=dict)
    version: str = ""

    @cached_property
    def digests(self) -> Mapping[str, str]:
        """The digest of every document that a plan can stand on, as ``dataset:people`` and so on."""
        documents: dict[str, BaseModel] = {f"dataset:{name}": d.document for name, d in self.datasets.items()}
        documents |= {f"profile:{name}": profile for name, profile in self.profiles.items()}
        documents |= {f"agreement:{name}": agreement for name, agreement in self.agreements.items()}
        return {
            **{name: document_digest(document) for name, document in documents.items()},
            **{f"codelist:{name}": codelist.digest for name, codelist in self.codelists.items()},
        }

    def profile_of(self, dataset: str) -> Profile | None:
        return self.profiles.get(self.datasets[dataset].document.profile)


def measure_grid(variable: Variable) -> Grid | None:
    """The grid on which a measure's thresholds and quantiles fall, or None where none is declared in full."""
    if variable.minimum is None or variable.maximum is None or variable.step is None:
        return None
    return Grid(
        variable.minimum, variable.step, int((variable.maximum - variable.minimum) / variable.step) + 1
    )


def bind_dataset(
    document: Dataset, codelists: Mapping[str, CodeList], areas: Iterable[CustomArea] = ()
) -> BoundDataset:
    """Resolve a validated dataset. A measure with a full grid (minimum, maximum, step) is also a dimension.

    A dimension whose column holds codes of a coarser level has that level's codes as its leaves.

    Raises KeyError for a code list that is not there; the loader has reported it before.
    """
    dimensions: dict[str, Dimension] = {}
    for name, variable in document.variables.items():
        expression = variable.expression or name
        if variable.role is Role.DIMENSION and variable.of is None:
            assert variable.codelist is not None
            codelist = codelists[variable.codelist]
            if variable.level is not None:
                codelist = codelist.cut(variable.level)
            registered = frozenset(
                _area_mask(area, codelist)
                for area in areas
                if area.dataset == document.dataset and area.codelist == codelist.name
            )
            dimensions[name] = Dimension(
                name, expression, codelist, None, variable.nullable, variable.sensitive, registered
            )
        elif variable.role is Role.MEASURE and (grid := measure_grid(variable)) is not None:
            dimensions[name] = Dimension(name, expression, None, grid, variable.nullable, variable.sensitive)
    return BoundDataset(document, dimensions)


def _area_mask(area: CustomArea, codelist: CodeList) -> int:
    mask = 0
    for code in area.codes:
        leaves = codelist.leaves_of(code)
        mask |= leaves.mask if leaves is not None else 0
    return mask
