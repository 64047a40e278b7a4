"""This node's own part of a joint count. What it is stays here; where the node alone would publish is its answer."""

from __future__ import annotations

import threading
from collections import OrderedDict

import numpy as np
import pyarrow as pa

from catalogue.catalogue import Catalogue
from catalogue.models import Profile
from connectors.protocol import CancelSignal
from federation.holders.local import LocalHolder
from policies.cell_question import CellQuestion
from policies.cells import ProtectedCells, Status
from policies.plan import CellQuery
from policies.protect import ProtectError, ProtectFault, cells_of
from policies.protect.grid import check_grid
from policies.protect.joint import Share, by_atom

KEPT = 4


class JointHolder:
    """Answers a cell query of counts with ones and zeros: one where this node by itself would publish the count.

    The shares of the last few questions are kept in memory, for the rounds that follow; a share that is not there
    any more is computed again, and is the same as long as the source is.
    """

    def __init__(self, local: LocalHolder, catalogue: Catalogue) -> None:
        self._local = local
        self._catalogue = catalogue
        self._kept: OrderedDict[tuple[str, str], Share] = OrderedDict()
        self._lock = threading.Lock()

    def answer(self, query: CellQuery, *, deadline: float, cancel: CancelSignal) -> ProtectedCells:
        """See ``Holder``. Raises SourceError and ProtectError as the local holder does."""
        share = self._computed(query, deadline, cancel)
        grid, profile = check_grid(query), self.profile(query)
        if grid.size > profile.limits.dense_cells:
            raise ProtectError(ProtectFault.PLAN, "more cells than the profile shows one by one")
        shown = np.full(grid.size, Status.PUBLISHED, dtype=np.int8)
        parts = by_atom(query, share.publishes)
        found = {
            atom.column: (pa.array(part.astype(np.int64)), shown, part)
            for atom, part in zip(query.atoms, parts, strict=True)
        }
        return cells_of(query, grid, found, profile, share.snapshot)

    def share(
        self, query: CellQuery, snapshot: str, *, deadline: float, cancel: CancelSignal
    ) -> Share | None:
        """The share that was computed on ``snapshot``; None where the source is another by now."""
        with self._lock:
            kept = self._kept.get((self._question(query), snapshot))
        if kept is not None:
            return kept
        share = self._computed(query, deadline, cancel)
        return share if share.snapshot == snapshot else None

    def profile(self, query: CellQuery) -> Profile:
        """The profile under which a joint count is given. Raises ProtectError where there is none."""
        return self._local.profile(query)

    def forget(self) -> None:
        """Keep no share any longer: the next round computes them anew."""
        with self._lock:
            self._kept.clear()

    def _question(self, query: CellQuery) -> str:
        return CellQuestion.of(query).digest(self._catalogue.datasets[query.dataset])

    def _computed(self, query: CellQuery, deadline: float, cancel: CancelSignal) -> Share:
        share = self._local.share(query, deadline=deadline, cancel=cancel)
        with self._lock:
            self._kept[self._question(query), share.snapshot] = share
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return share
