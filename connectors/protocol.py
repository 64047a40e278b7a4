"""What every connector offers, whatever engine is behind it. One suite, tests/connectors, holds them all to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from catalogue.catalogue import BoundDataset
from catalogue.fragment import Fragment, RawCells, Table
from connectors.advice import Advice


class TypeKind(StrEnum):
    """The few kinds of stored types between which rendering has to tell."""

    INTEGER = "integer"
    DECIMAL = "decimal"
    FLOAT = "float"
    TEXT = "text"
    BOOLEAN = "boolean"
    DATE = "date"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class ColumnType:
    """An engine-neutral type. ``precision`` and ``scale`` are decimal digits, of INTEGER and DECIMAL alone."""

    kind: TypeKind
    precision: int = 0
    scale: int = 0


class Capability(StrEnum):
    """What a connector's engine can be asked for; a fragment that needs more is refused before it runs."""

    SECOND_UNIT = "second_unit"
    HOLDING = "holding"
    WEIGHT = "weight"
    MEMBERSHIP = "membership"
    HISTOGRAM = "histogram"
    CANCEL = "cancel"


class FindingKind(StrEnum):
    """In which way data is not what the catalogue says."""

    MISSING_TABLE = "missing_table"
    MISSING_COLUMN = "missing_column"
    WRONG_TYPE = "wrong_type"
    EMPTY = "empty"
    NULL_UNIT = "null_unit"
    DUPLICATE_UNIT = "duplicate_unit"
    RECORD_KEY_NULL = "record_key_null"
    RECORD_KEY_RANGE = "record_key_out_of_range"
    RECORD_KEY_VARIES = "record_key_varies_within_unit"
    UNKNOWN_CODE = "code_outside_code_list"
    LEVEL_DIFFERS = "coarser_column_contradicts_code_list"
    UNEXPECTED_NULL = "null_in_non_nullable_column"
    OUT_OF_RANGE = "measure_out_of_range"
    WEIGHT = "weight_missing_or_negative"
    DUPLICATE_KEY = "relationship_key_not_unique"
    UNREADABLE = "source_unreadable"

    @property
    def is_error(self) -> bool:
        """An empty dataset is worth a word but breaks nothing: its cells are empty."""
        return self is not FindingKind.EMPTY


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference between catalogue and data. ``detail`` names columns and types, never values or counts."""

    kind: FindingKind
    dataset: str
    column: str
    detail: str


class CancelSignal(Protocol):
    """What a connector needs of ``threading.Event``."""

    def is_set(self) -> bool: ...


class Connector(Protocol):
    """Runs fragments against one source, inside the custodian's process only.

    Every method may raise SourceError, whose text never holds a value or the engine's own words.
    """

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What fragments may ask for."""

    def snapshot(self, *tables: Table) -> str:
        """The identity of what the tables hold now: equal as long as nobody changed them.

        Raises SourceError MISSING or UNREACHABLE.
        """

    def describe(self, table: Table) -> Mapping[str, ColumnType]:
        """The columns that the table really has, in its order."""

    def run(
        self, fragments: Sequence[Fragment], *, deadline: float, cancel: CancelSignal
    ) -> tuple[RawCells, ...]:
        """Run the fragments to their end, to ``deadline`` (``time.monotonic()`` seconds) or until ``cancel`` is set.

        All of them read one state of the source. Its snapshot, over all tables that any of them reads, is taken
        before the first and after the last read; if it differs the cells are dropped and SourceError CHANGED is
        raised. Every RawCells bears that snapshot.
        """

    def explain(self, fragment: Fragment) -> tuple[str, ...]:
        """The statements that ``run`` would send, for the custodian to read."""

    def verify(
        self,
        dataset: BoundDataset,
        related: Mapping[str, BoundDataset],
        *,
        deadline: float,
        cancel: CancelSignal,
    ) -> tuple[Finding, ...]:
        """Hold the data against the catalogue; ``related`` are the datasets that relationships lead to.

        An empty tuple means that fragments of this dataset compute what they say.
        """

    def check(self, tables: Sequence[Table]) -> tuple[Advice, ...]:
        """What of the source's set-up is wrong or unwise, for datasets that stand in these tables."""

    def close(self) -> None:
        """Let go of the source. Runs under way end as cancelled."""
