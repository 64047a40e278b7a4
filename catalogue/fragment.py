"""What is asked of a source: an engine-neutral aggregate over unit rows, and the raw cells that come back.

This is the seam between the compiler (which makes fragments and never sees an engine) and the connectors
(which run them and never see a policy). A fragment holds no text that a user typed.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import NoReturn

import pyarrow as pa

from catalogue.leaves import LeafSet

Scalar = str | int | bool | None

RECORD_KEY_MODULUS = 100_000_000


@dataclass(frozen=True, slots=True)
class Table:
    """A physical table of a source: ``location`` is a table name or, for file connectors, a path or glob.

    Of a dataset that another node holds ``connector`` is empty: nothing here reads it.
    """

    connector: str
    location: str
    dataset: str


@dataclass(frozen=True, slots=True)
class Join:
    """A declared many-to-one step; ``path`` names the relationships from the base table."""

    path: tuple[str, ...]
    table: Table
    from_column: str
    to_column: str


@dataclass(frozen=True, slots=True)
class Field:
    """A column of the base table (empty path) or of a joined one.

    ``expression`` is SQL in DuckDB's dialect over the physical columns of that one table, written by the
    custodian in the catalogue, never by a user; usually just a column name.
    """

    expression: str
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Grid:
    """Bins ``[minimum + i*step, minimum + (i+1)*step)``; values outside fall into the first and the last bin."""

    minimum: Decimal
    step: Decimal
    bins: int


@dataclass(frozen=True, slots=True)
class Column:
    """A column seen as leaves: ``values[i]`` is what the source stores for leaf i (None is the null leaf).

    With ``grid`` the stored value is numeric and leaf i is bin i; ``values`` then only says, by its length
    and a last None, how many leaves there are and whether the last is the null leaf.
    """

    field: Field
    values: tuple[Scalar, ...]
    grid: Grid | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """Rows whose column falls in ``leaves``. Never unknown: a null is in the null leaf or in none."""

    column: Column
    leaves: LeafSet


@dataclass(frozen=True, slots=True)
class Membership:
    """Rows whose unit does (or does not) occur among the rows of another dataset that meet ``where``."""

    table: Table
    joins: tuple[Join, ...]
    from_field: Field
    to_column: str
    where: tuple[Condition, ...]
    present: bool


@dataclass(frozen=True, slots=True)
class Axis:
    """How a column's leaves fall into parts: ``parts[i]`` is the part of leaf i, or -1 for none."""

    column: Column
    parts: tuple[int, ...]
    n_parts: int


@dataclass(frozen=True, slots=True)
class MembershipAxis:
    """Two parts: 0 the units without, 1 the units with a matching row."""

    membership: Membership


@dataclass(frozen=True, slots=True)
class Block:
    """One grouping set: the product of its axes' parts. No axis means one cell."""

    axes: tuple[Axis | MembershipAxis, ...]


@dataclass(frozen=True, slots=True)
class Measure:
    """A number per row in fixed point: ``field`` rounded to ``decimals`` places, null where it has no value.

    ``field`` None is the constant 1 (rows where a row is not a unit). ``nullable`` and ``signed`` let a
    connector leave out what can't occur.
    """

    name: str
    field: Field | None
    decimals: int
    nullable: bool = True
    signed: bool = False
    zeros: bool = True


@dataclass(frozen=True, slots=True)
class Tally:
    """Units that meet ``where`` (and have a value of ``measure``, where one is given).

    Raw columns, prefixed ``{id}_``: ``n`` int64 distinct units, ``key`` int64 sum of their record keys modulo
    RECORD_KEY_MODULUS; with a second unit in the fragment ``second`` int64 (up to ``enough_second_units``); with a
    weight ``w`` decimal and ``w2`` (sum of squared weights).
    """

    id: str
    where: tuple[Condition | Membership, ...] = ()
    measure: Measure | None = None


@dataclass(frozen=True, slots=True)
class Magnitude:
    """The total of a measure over units that meet ``where``.

    Raw columns, prefixed ``{id}_``: ``n``, ``key`` (and ``second``) over units with a non-null, non-zero value;
    ``present`` int64 rows (units where a row is a unit) with a non-null value; ``sum`` decimal(38, decimals);
    ``top1``..``top{top}`` decimal, the largest absolute totals by holding (by unit where there is none);
    with ``squares`` also ``sumsq`` decimal(38, 2*decimals), ``low`` and ``high`` (smallest and largest value);
    with a weight ``w`` (of rows with a value), ``w2``, ``wsum`` (of weight times value) and, for the coefficient of
    variation, ``wsumsq`` double (of weight times squared value).
    """

    id: str
    measure: Measure
    where: tuple[Condition | Membership, ...] = ()
    top: int = 2
    squares: bool = False


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts of a measure on its grid. Long form in a table of its own: ``block``, ``p*``, ``bin``, ``n``
    (and ``w``)."""

    id: str
    measure: Measure
    grid: Grid
    where: tuple[Condition | Membership, ...] = ()


Statistic = Tally | Magnitude | Histogram


@dataclass(frozen=True, slots=True)
class Fragment:
    """One instrumented aggregate over one source.

    ``unit`` None declares that a row is a unit (verified at import), so that nothing needs COUNT(DISTINCT).
    All blocks and statistics share ``where`` and should share one scan. Second units need only be counted up to
    ``enough_second_units``, and as that many where there are more; all of them where it is None.
    """

    table: Table
    joins: tuple[Join, ...]
    unit: Field | None
    record_key: Field
    second_unit: Field | None
    holding: Field | None
    weight: Field | None
    where: tuple[Condition | Membership, ...]
    blocks: tuple[Block, ...]
    statistics: tuple[Statistic, ...]
    enough_second_units: int | None = None


def tables_of(fragment: Fragment) -> tuple[Table, ...]:
    """Every table that a fragment reads, the base table first, without repetition."""
    found: dict[Table, None] = {fragment.table: None}
    found.update((join.table, None) for join in fragment.joins)
    memberships = [c for c in fragment.where if isinstance(c, Membership)]
    for block in fragment.blocks:
        memberships += [axis.membership for axis in block.axes if isinstance(axis, MembershipAxis)]
    for statistic in fragment.statistics:
        memberships += [c for c in statistic.where if isinstance(c, Membership)]
    for membership in memberships:
        found[membership.table] = None
        found.update((join.table, None) for join in membership.joins)
    return tuple(found)


class RawCells:
    """True statistics of cells, before protection. Lives in the custodian's process alone: it has no
    serialiser and shows nothing of its content.

    ``cells``: one row per non-empty cell: ``block`` int32, ``p0``.. int32 (part per axis of the block, by
    position; null beyond its axes), then each statistic's columns. A cell of rows that no statistic reads may be
    absent. ``histograms``: by statistic id.
    ``snapshot`` is the source's identity before the first and after the last read.
    """

    __slots__ = ("cells", "histograms", "snapshot")

    def __init__(self, cells: pa.Table, histograms: dict[str, pa.Table], snapshot: str) -> None:
        self.cells = cells
        self.histograms = histograms
        self.snapshot = snapshot

    def __repr__(self) -> str:
        return "RawCells(withheld)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("raw cells do not leave the custodian's process")


class SourceFault(StrEnum):
    """Why a source did not answer; safe to show, never with the engine's own text."""

    UNREACHABLE = "source_unreachable"
    MISSING = "source_missing"
    DENIED = "source_denied"
    SCHEMA = "source_schema_differs"
    UNSUPPORTED = "source_unsupported"
    UNSOUND = "source_data_unsound"
    CHANGED = "source_changed"
    TIMEOUT = "source_timeout"
    CANCELLED = "run_cancelled"
    RESOURCES = "source_out_of_resources"
    FAILED = "source_failed"


class SourceError(Exception):
    """A typed failure of a source. ``detail`` names tables and columns, never values."""

    def __init__(self, fault: SourceFault, detail: str) -> None:
        super().__init__(f"{fault}: {detail}")
        self.fault = fault
        self.detail = detail
