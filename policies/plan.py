"""What the compiler makes of a query: cell queries below the disclosure line, one presentation above it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from catalogue.fragment import Fragment
from catalogue.leaves import LeafSet
from policies.presentation.model import Presentation


class AtomKind(StrEnum):
    UNITS = "units"
    COUNT = "count"
    SUM = "sum"
    MEAN = "mean"
    VARIANCE = "variance"
    STDDEV = "stddev"
    QUANTILE = "quantile"


@dataclass(frozen=True, slots=True)
class Box:
    """A predicate in canonical form: per dimension a set of leaves; a dimension that is not named is whole.

    ``sets`` is sorted by dimension and never holds a full set, so equal boxes are the same question.
    """

    sets: tuple[tuple[str, LeafSet], ...] = ()

    @classmethod
    def of(cls, sets: Mapping[str, LeafSet]) -> Box:
        return cls(tuple(sorted((name, leaves) for name, leaves in sets.items() if not leaves.is_full)))

    def __and__(self, other: Box) -> Box:
        merged = dict(self.sets)
        for name, leaves in other.sets:
            merged[name] = merged[name] & leaves if name in merged else leaves
        return Box.of(merged)

    def get(self, name: str) -> LeafSet | None:
        return dict(self.sets).get(name)

    @property
    def dimensions(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.sets)


@dataclass(frozen=True, slots=True)
class Atom:
    """One protected number per cell. ``statistic`` is the id of the fragment statistic that it is made from.

    ``count`` is the id of the statistic that counts the rows with a value, over the same box: a Tally with the
    measure, or a Magnitude of ones where a row is not a unit. SUM, MEAN, VARIANCE, STDDEV and QUANTILE need it, so
    that AVG * COUNT(x) is SUM(x) to the digit. ``decimals`` are those of the number shown; SUM and MEAN of one
    measure must have the same, because the SUM that is shown is the rounded MEAN times the count.
    """

    kind: AtomKind
    column: str
    status: str
    statistic: str
    where: Box = Box()
    measure: str | None = None
    quantile: Decimal | None = None
    decimals: int = 0
    weighted: bool = False
    count: str | None = None


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """A column of the grid that says which cell it is: its values come from the domain, never from the data."""

    name: str
    type: str
    title: str


@dataclass(frozen=True, slots=True)
class GridAxis:
    """The parts of one dimension in one block. ``values[j][p]`` is the value of key ``keys[j]`` for part p;
    ``adhoc[p]`` says that the part is neither a node nor a registered grouping, so a guard binds it."""

    dimension: str
    keys: tuple[str, ...]
    values: tuple[tuple[object, ...], ...]
    parts: tuple[LeafSet, ...]
    adhoc: tuple[bool, ...]
    sensitive: bool = False


@dataclass(frozen=True, slots=True)
class GridBlock:
    """One grouping set of a cell query; ``grouping`` is DuckDB's GROUPING() bit mask over all keys."""

    axes: tuple[GridAxis, ...]
    grouping: int = 0

    @property
    def size(self) -> int:
        size = 1
        for axis in self.axes:
            size *= len(axis.parts)
        return size


class Neighbour(StrEnum):
    """On which side of an ad-hoc set the set stands that it is held against."""

    AROUND = "around"
    INSIDE = "inside"


@dataclass(frozen=True, slots=True)
class Guard:
    """Neighbours of ad-hoc sets: what lies between a cell and its neighbour must itself pass the minimum frequency.

    ``fragment`` counts the neighbours: block i of it belongs to block i of the query. Its statistics are those that
    the bound atoms name (``statistic``, unless a histogram, and ``count``), under the same ids, with their boxes
    moved: like is compared with like, since a difference of ten people of whom one has a pay would give that pay
    away. ``parents[i]`` says what is bound in block i: a tuple has, for each part of the dimension's axis, the part
    of the neighbour in the fragment's axis (left out where the neighbour is everything), -1 for a part that is not
    bound; None binds the whole block, which does not group the dimension; ``()`` binds nothing in it, and where the
    query's block groups the dimension, the fragment's block then lacks that axis. ``atoms`` are the columns that it
    binds.
    """

    dimension: str
    fragment: Fragment
    parents: tuple[tuple[int, ...] | None, ...]
    atoms: tuple[str, ...]
    side: Neighbour = Neighbour.AROUND


@dataclass(frozen=True, slots=True)
class CellQuery:
    """One aggregate over the unit rows of one source, with all that protects it.

    The presentation reads it as relation ``relation``. ``fragment.blocks[i]`` matches ``blocks[i]``, axis by axis.
    ``partitions`` is what it charges. ``withheld`` says that a stage before it was hidden: then nothing is asked of the
    source and every value is confidential.
    """

    relation: str
    dataset: str
    profile: str
    where: Box
    keys: tuple[KeyColumn, ...]
    blocks: tuple[GridBlock, ...]
    atoms: tuple[Atom, ...]
    fragment: Fragment
    guards: tuple[Guard, ...] = ()
    partitions: int = 0
    withheld: bool = False

    @property
    def size(self) -> int:
        return sum(block.size for block in self.blocks)


@dataclass(frozen=True, slots=True)
class AppliedRule:
    """A rule that changed or bounds the query, and what it put in."""

    rule: str
    effect: str


@dataclass(frozen=True, slots=True)
class Stage:
    """A scalar subquery below the line: answered first, snapped to the grid and bound as a literal."""

    query: CellQuery
    presentation: Presentation
    measure: str


@dataclass(frozen=True, slots=True)
class ClearedPlan:
    """A query that may run, once it is approved. ``digest`` is over everything that an approval binds."""

    sql: str
    queries: tuple[CellQuery, ...]
    presentation: Presentation
    lookups: tuple[str, ...]
    rules: tuple[AppliedRule, ...]
    question: str
    digest: str
    stages: tuple[Stage, ...] = ()
    warnings: tuple[str, ...] = ()
    parameters: Mapping[str, object] = field(default_factory=dict)
