"""Which holder a cell query goes to: this node's own, or those who hold the dataset elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from catalogue.catalogue import BoundDataset, Catalogue
from catalogue.held import Local, Parted, Remote
from catalogue.models import Mode
from connectors.protocol import CancelSignal
from federation.holders.protocol import Asker, Gathered, Holder, HolderAnswer
from federation.holders.remote import RemoteHolder
from policies.plan import CellQuery
from policies.protect import ProtectError, ProtectFault, withhold


class Gatherer(Protocol):
    """Puts the parts of a dataset together in one mode."""

    def gather(
        self,
        query: CellQuery,
        dataset: BoundDataset,
        held: Parted,
        asker: Asker,
        *,
        deadline: float,
        cancel: CancelSignal,
    ) -> Gathered: ...


@dataclass(frozen=True)
class RoutingHolder:
    """Answers a query where its dataset is held. ``asker`` is on whose behalf other nodes are asked."""

    catalogue: Catalogue
    local: Holder
    remote: RemoteHolder
    parted: Mapping[Mode, Gatherer]
    asker: Asker | None = None

    def on_behalf_of(self, asker: Asker) -> RoutingHolder:
        return replace(self, asker=asker)

    def answer(self, query: CellQuery, *, deadline: float, cancel: CancelSignal) -> HolderAnswer:
        """As ``Holder.answer``. Who is on nobody's behalf asks no other node.

        Raises:
            SourceError, ProtectError, RefusalError: there is nothing to release.
        """
        dataset = self.catalogue.datasets[query.dataset]
        held = dataset.held
        if isinstance(held, Local):
            return self.local.answer(query, deadline=deadline, cancel=cancel)
        if query.withheld:
            profile = self.catalogue.profile_of(query.dataset)
            if profile is None:
                raise ProtectError(ProtectFault.PROFILE, f"there is no profile {query.profile}")
            return Gathered(withhold(query, profile, ""), (), (), ())
        if self.asker is None:
            raise ValueError("other nodes are asked on somebody's behalf")
        if isinstance(held, Remote):
            return self.remote.gather(query, dataset, held, self.asker, deadline=deadline, cancel=cancel)
        gatherer = self.parted[held.mode]
        return gatherer.gather(query, dataset, held, self.asker, deadline=deadline, cancel=cancel)
