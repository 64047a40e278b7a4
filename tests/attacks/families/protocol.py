"""What answers a cell query: this node's own holder, or a remote node. Neither ever gives raw cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from connectors.protocol import CancelSignal
from policies.cells import ProtectedCells
from policies.plan import CellQuery
from policies.refusals import Refusal


@dataclass(frozen=True, slots=True)
class Pending:
    """The holder has yet to decide. ``body`` is whose decision it is, ``request`` its reference for the request."""

    body: str
    request: str


HolderAnswer = ProtectedCells | Refusal | Pending


class Holder(Protocol):
    """Decides, runs and protects a cell query where its data is held."""

    def answer(self, query: CellQuery, *, deadline: float, cancel: CancelSignal) -> HolderAnswer:
        """``deadline`` is in seconds of ``time.monotonic()``. A refusal is decided without data.

        Raises:
            SourceError: the source didn't answer, or changed while it did.
            ProtectError: what it answered can't be protected.
        """
