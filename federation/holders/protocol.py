"""What answers a cell query: this node's own holder, or other nodes. None of them ever gives raw cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from connectors.protocol import CancelSignal
from federation.identity.principal import Delegation
from federation.release.statement import DecisionRef
from federation.wire.channel import NodeUnavailable, Unavailability
from federation.wire.conditions import Conditions
from policies.cells import ProtectedCells
from policies.plan import CellQuery
from policies.refusals import Refusal


@dataclass(frozen=True, slots=True)
class Pending:
    """The holder has yet to decide. ``body`` is whose decision it is, ``request`` its reference for the request."""

    body: str
    request: str


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision at this node that a question to another one rests on."""

    dataset: str
    custodian: str
    kind: str
    decided_by: str
    decided_at: datetime
    valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class PartGiven:
    """What another node released for a query: enough to find it there and to hold it to its word."""

    node: str
    release: str
    statement_digest: str
    table_digest: str
    snapshot: str
    key_epoch: int
    decisions: tuple[DecisionRef, ...]


@dataclass(frozen=True, slots=True)
class Absent:
    """A node that gave nothing, and why. ``reference`` is empty, or the id of a request there, or a stable code;
    ``conditions`` are those on which that request was approved, if whoever asked has yet to accept them."""

    node: str
    reason: Unavailability
    reference: str
    conditions: Conditions | None = None

    @classmethod
    def of(cls, error: NodeUnavailable) -> Absent:
        return cls(error.node, error.reason, error.detail, error.conditions)

    def __str__(self) -> str:
        return f"{self.node}: {self.reason.meaning}" + (f" ({self.reference})" if self.reference else "")


@dataclass(frozen=True, slots=True)
class Gathered:
    """Protected cells that other nodes gave; what those did not give who are absent is not available in them."""

    cells: ProtectedCells
    parts: tuple[PartGiven, ...]
    absent: tuple[Absent, ...]
    notes: tuple[str, ...]

    @property
    def empty(self) -> bool:
        """Whether nobody gave anything."""
        return bool(self.absent) and not self.parts


HolderAnswer = ProtectedCells | Gathered | Refusal | Pending


class Holder(Protocol):
    """Decides, runs and protects a cell query where its data is held."""

    def answer(self, query: CellQuery, *, deadline: float, cancel: CancelSignal) -> HolderAnswer:
        """``deadline`` is in seconds of ``time.monotonic()``. A refusal is decided without data.

        Raises:
            SourceError: the source didn't answer, or changed while it did.
            ProtectError: what it answered can't be protected.
        """


@dataclass(frozen=True, slots=True)
class Agreed:
    """That the requester accepted the conditions with this digest, on which a node approved its ``request``."""

    request: str
    conditions: str


@dataclass(frozen=True, slots=True)
class Asker:
    """On whose behalf other nodes are asked: the request at this node, and the terms that it names. ``delegation`` is
    what lets the requester act for ``body``, where it is not their own; ``agreed`` is what the requester accepted of
    each node, ``justification`` what the answer is for in their words."""

    requester: str
    body: str
    agreement: str
    purpose: str
    request: str
    plan_digest: str
    approvals: Sequence[Decided] = ()
    delegation: Delegation | None = None
    agreed: Mapping[str, Sequence[Agreed]] = field(default_factory=dict)
    justification: str = ""
