"""What answers a dry run: this node's own holder, for what whoever looks decides on. Everything else is withheld."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from connectors.protocol import CancelSignal
from federation.holders.local import LocalHolder
from policies.cells import ProtectedCells
from policies.plan import CellQuery
from policies.protect import CellEvidence, withhold


@dataclass(frozen=True, slots=True)
class Examined:
    """A cell query that was run at the source to be looked at: what its cells rest on, and of which snapshot."""

    query: CellQuery
    snapshot: str
    evidence: CellEvidence


@dataclass
class ExaminingHolder:
    """Implements ``Holder`` for one dry run. ``mine`` says whether whoever looks may look at a query.

    No source is asked for what is not: it is withheld, and so is what rests on it. ``passed_over`` counts both.
    """

    local: LocalHolder
    mine: Callable[[CellQuery], bool]
    examined: list[Examined] = field(default_factory=list)
    passed_over: int = 0

    def answer(self, query: CellQuery, *, deadline: float, cancel: CancelSignal) -> ProtectedCells:
        """See ``Holder``. Raises SourceError and ProtectError as the local holder does."""
        unknown = query.withheld and self.passed_over > 0
        if unknown or not self.mine(query):
            self.passed_over += 1
            return withhold(query, self.local.profile(query), "")
        cells, evidence = self.local.examine(query, deadline=deadline, cancel=cancel)
        self.examined.append(Examined(query, cells.snapshot, evidence))
        return cells
