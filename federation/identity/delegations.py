"""Who acts for a body other than their own: looked up by day whenever somebody acts, never remembered as granted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from federation.identity.principal import AdmissionFault, Delegation, NotAdmitted, Principal
from federation.identity.settings import DelegationSettings


@dataclass(frozen=True, slots=True)
class Delegations:
    """The delegations of a node; of one person for one body at most one is in force."""

    listed: tuple[DelegationSettings, ...] = ()

    def of(self, subject: str, today: date) -> tuple[DelegationSettings, ...]:
        """Those of one person that are in force on a day (UTC)."""
        return tuple(
            each for each in self.listed if each.subject == subject and each.from_ <= today <= each.until
        )

    def acting(self, subject: str, name: str, body: str, today: date) -> Principal:
        """``subject`` as acting for ``body``, with the roles of the delegation and none of their own.

        Raises:
            NotAdmitted: NOT_DELEGATED, none is in force on this day (UTC).
        """
        for given in self.of(subject, today):
            if given.body == body:
                delegation = Delegation(given.delegation, given.instrument, given.until)
                return Principal(subject, name, body, frozenset(given.roles), delegation)
        raise NotAdmitted(AdmissionFault.NOT_DELEGATED)


NO_DELEGATIONS = Delegations()
