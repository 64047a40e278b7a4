"""Statuses, and protected cells: what alone may cross the disclosure line."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import pyarrow as pa


class Status(IntEnum):
    """What became of a value, from best to worst; from LOW on the value is hidden (NULL).

    The letters are those of official statistics. All withholding that depends on data is CONFIDENTIAL. PARTIAL is a
    total that lacks the part of a node which did not answer.
    """

    PUBLISHED = 0
    UNRELIABLE = 1
    PARTIAL = 2
    LOW = 3
    NOT_APPLICABLE = 4
    NOT_AVAILABLE = 5
    CONFIDENTIAL = 6

    @property
    def mark(self) -> str:
        return ("", "[u]", "[part]", "[low]", "[z]", "[x]", "[c]")[self]

    @property
    def hidden(self) -> bool:
        return self >= FIRST_HIDDEN

    @property
    def meaning(self) -> str:
        return (
            "published",
            "unreliable: the sample is small, use with care",
            "a part is missing: a node did not answer, see the notes",
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
