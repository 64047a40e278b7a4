"""This node's own holder: connector, then protection. Raw cells live inside ``answer`` and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from catalogue.catalogue import Catalogue
from catalogue.fragment import Fragment, RawCells, SourceError, SourceFault, tables_of
from catalogue.models import Profile
from catalogue.strictest import profile_for
from connectors.negotiation import agree
from connectors.protocol import CancelSignal, Connector
from federation.holders.verification import Verification, VerificationRecord
from policies.cells import ProtectedCells
from policies.plan import CellQuery
from policies.protect import (
    CellEvidence,
    NoiseKey,
    ProtectError,
    ProtectFault,
    enough_second_units,
    evidence_withheld,
    examine,
    protect,
    ptable_of,
    withhold,
)
from policies.protect.joint import Share, share_of


class LocalHolder:
    """Answers from this node's sources under the profiles of its catalogue.

    ``connectors`` are by the name that the catalogue gives them; ``noise`` is the custodian's noise secret;
    ``record`` remembers which data was held against the catalogue. What may be asked was decided before: the holder
    refuses nothing, it withholds cell by cell.
    """

    def __init__(
        self,
        connectors: Mapping[str, Connector],
        catalogue: Catalogue,
        noise: NoiseKey,
        record: VerificationRecord,
    ) -> None:
        self._connectors = connectors
        self._catalogue = catalogue
        self._noise = noise
        self._verification = Verification(connectors, catalogue, record)

    def answer(self, query: CellQuery, *, deadline: float, cancel: CancelSignal) -> ProtectedCells:
        """The protected cells of ``query``.

        All its fragments, those of guards too, read one state of the source, and one that was verified.

        Raises:
            SourceError: the source can't do what is asked, didn't answer, changed while it was read, or is not what the
                catalogue says.
            ProtectError: the profile is missing or doesn't fit, or a number is too large.
        """
        profile = self.profile(query)
        if query.withheld:
            return self._withheld(query, profile)
        ptable = ptable_of(profile)
        enough = enough_second_units(profile, ptable)
        fragments = [replace(each, enough_second_units=enough) for each in _fragments(query)]
        raw, *guards = self._read(fragments, deadline, cancel)
        return protect(query, raw, guards, profile, self._noise, ptable)

    def examine(
        self, query: CellQuery, *, deadline: float, cancel: CancelSignal
    ) -> tuple[ProtectedCells, CellEvidence]:
        """What ``answer`` gives, and what it rests on, for the custodian of the data alone. Raises as ``answer``."""
        profile = self.profile(query)
        if query.withheld:
            return self._withheld(query, profile), evidence_withheld(query)
        raw, *guards = self._read(_fragments(query), deadline, cancel)
        return examine(query, raw, guards, profile, self._noise, ptable_of(profile))

    def share(self, query: CellQuery, *, deadline: float, cancel: CancelSignal) -> Share:
        """This node's part of a joint count. Raises as ``answer``, for a query that can't be counted jointly too."""
        (raw,) = self._read((query.fragment,), deadline, cancel)
        return share_of(query, raw, self.profile(query), self._noise)

    def _withheld(self, query: CellQuery, profile: Profile) -> ProtectedCells:
        tables = dict.fromkeys(table for fragment in _fragments(query) for table in tables_of(fragment))
        return withhold(query, profile, self._connector(query.fragment.table.connector).snapshot(*tables))

    def _read(
        self, fragments: Sequence[Fragment], deadline: float, cancel: CancelSignal
    ) -> tuple[RawCells, ...]:
        """What the source answers, from one state of it that was verified, to fragments that it can answer."""
        connector = self._connector(fragments[0].table.connector)
        agree(connector, fragments)
        tables = dict.fromkeys(table for fragment in fragments for table in tables_of(fragment))
        before = connector.snapshot(*tables)
        names = dict.fromkeys(table.dataset for table in tables)
        self._verification.require(names, deadline=deadline, cancel=cancel)
        raw = connector.run(fragments, deadline=deadline, cancel=cancel)
        if connector.snapshot(*tables) != before:
            raise SourceError(SourceFault.CHANGED, "the source changed while it was verified and read")
        return raw

    def profile(self, query: CellQuery) -> Profile:
        """The strictest profile of all that the query reads. Raises ProtectError where there is none."""
        profile = profile_for(self._catalogue, [table.dataset for table in tables_of(query.fragment)])
        if profile is None:
            raise ProtectError(ProtectFault.PROFILE, f"there is no profile {query.profile}")
        return profile

    def _connector(self, name: str) -> Connector:
        if name not in self._connectors:
            raise SourceError(SourceFault.MISSING, f"no connector is called {name}")
        return self._connectors[name]


def _fragments(query: CellQuery) -> tuple[Fragment, ...]:
    return (query.fragment, *(guard.fragment for guard in query.guards))
