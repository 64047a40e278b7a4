"""Statuses, and protected cells: what alone may cross the disclosure line."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import pyarrow as pa


class Status(IntEnum):
    """What became of a value, from best to worst; from LOW on the value is hidden (NULL).

    The letters are those of official statistics. All withholding that depends on data is CONFIDENTIAL.
    """

    PUBLISHED = 0
    UNRELIABLE = 1
    LOW = 2
    NOT_APPLICABLE = 3
    NOT_AVAILABLE = 4
    CONFIDENTIAL = 5

    @property
    def mark(self) -> str:
        return ("", "[u]", "[low]", "[z]", "[x]", "[c]")[self]

    @property
    def hidden(self) -> bool:
        return self >= FIRST_HIDDEN

    @property
    def meaning(self) -> str:
        return (
            "published",
            "unreliable: the sample is small, use with care",
            "low: rounds to zero",
            "not applicable: nothing to compute from",
            "not available",
            "confidential: withheld to protect the people or organisations it is about",
        )[self]


FIRST_HIDDEN = Status.LOW


@dataclass(frozen=True, slots=True)
class ProtectedCells:
    """Cells after protection, on the dense grid: key columns, then per atom a value and a status column.

    ``table`` columns: the query's key columns, ``grouping`` int64, atom columns ``a0``.. (NULL where hidden) and
    their statuses ``s0``.. (int8, see Status). ``sparse`` says that withheld and empty cells were left out alike.
    """

    relation: str
    table: pa.Table
    sparse: bool
    snapshot: str
