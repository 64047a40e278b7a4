"""This node's own holder: connector, then protection. Raw cells live inside ``answer`` and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping

from catalogue.catalogue import Catalogue
from catalogue.fragment import SourceError, SourceFault, tables_of
from catalogue.strictest import profile_for
from connectors.protocol import CancelSignal, Connector
from federation.holders.verification import Verification, VerificationRecord
from policies.cells import ProtectedCells
from policies.plan import CellQuery
from policies.protect import NoiseKey, ProtectError, ProtectFault, protect, ptable_of, withhold


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

        Every fragment, of guards too, must have read the same data, and data that was verified: the source's
        identity is taken before the verification and after the last fragment.

        Raises:
            SourceError: the source didn't answer, changed between the fragments, or is not what the catalogue says.
            ProtectError: the profile is missing or doesn't fit, or a number is too large.
        """
        profile = profile_for(self._catalogue, [table.dataset for table in tables_of(query.fragment)])
        if profile is None:
            raise ProtectError(ProtectFault.PROFILE, f"there is no profile {query.profile}")
        fragments = (query.fragment, *(guard.fragment for guard in query.guards))
        connector = self._connector(query.fragment.table.connector)
        tables = dict.fromkeys(table for fragment in fragments for table in tables_of(fragment))
        before = connector.snapshot(*tables)
        if query.withheld:
            return withhold(query, profile, before)
        names = dict.fromkeys(table.dataset for table in tables)
        self._verification.require(names, deadline=deadline, cancel=cancel)
        raw, *guards = (connector.run(f, deadline=deadline, cancel=cancel) for f in fragments)
        if connector.snapshot(*tables) != before:
            raise SourceError(SourceFault.CHANGED, "the source changed while it was read")
        return protect(query, raw, guards, profile, self._noise, ptable_of(profile))

    def _connector(self, name: str) -> Connector:
        if name not in self._connectors:
            raise SourceError(SourceFault.MISSING, f"no connector is called {name}")
        return self._connectors[name]
