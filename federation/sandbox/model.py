"""What goes into the child process and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Limits:
    """What one presentation may use: time from when the job is handed over, memory beyond what an idle engine maps.

    ``max_rows`` and ``max_bytes`` (of Arrow data) bound the result.
    """

    deadline_seconds: float = 20.0
    cpu_seconds: int = 20
    memory_bytes: int = 1 << 30
    max_rows: int = 1_000_000
    max_bytes: int = 256 << 20


@dataclass(frozen=True, slots=True)
class PresentedNote:
    """A note that applies, and how many rows it is about."""

    kind: str
    text: str
    rows: int


@dataclass(frozen=True, slots=True)
class PresentedTable:
    """Values, then their statuses (int8, policies.cells.Status), under the names of ``Presentation.columns``.

    ``notes`` are those that count at least one row.
    """

    table: pa.Table
    notes: tuple[PresentedNote, ...]


class Fault(StrEnum):
    """Why a presentation gave no table. Constant texts: what went wrong in the engine may hold a value."""

    TIMEOUT = "presentation_timeout"
    MEMORY = "presentation_out_of_memory"
    TOO_LARGE = "presentation_too_large"
    ENGINE = "presentation_engine_error"

    @property
    def meaning(self) -> str:
        return {
            Fault.TIMEOUT: "the presentation of the result took longer than it may",
            Fault.MEMORY: "the presentation of the result needed more memory than it may use",
            Fault.TOO_LARGE: "the result has more rows or bytes than a result may have",
            Fault.ENGINE: "the engine could not compute the presentation of the result",
        }[self]


class PresentationError(Exception):
    """Carries a Fault, and the kind of the engine's error where there is one: never its text."""

    def __init__(self, fault: Fault, engine: str | None = None) -> None:
        super().__init__(fault.meaning + (f" ({engine})" if engine else ""))
        self.fault = fault
        self.engine = engine
