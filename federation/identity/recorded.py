"""What is recorded of whom somebody acts for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from federation.audit.events import Detail, DetailValue
from federation.identity.principal import Delegation, Principal


def for_whom(principal: Principal) -> dict[Detail, DetailValue]:
    """For the audit trail: the body acted for, and the delegation where there is one."""
    if principal.delegation is None:
        return {Detail.BODY: principal.body}
    return {Detail.BODY: principal.body, Detail.DELEGATION: principal.delegation.delegation}


def delegation_of(principal: Principal) -> dict[str, Any] | None:
    """What is kept with a request or a decision, and named in statements: the delegation, the body acted for, its
    instrument and its last day; None for who acts for their own body."""
    given = principal.delegation
    if given is None:
        return None
    return {
        "delegation": given.delegation,
        "body": principal.body,
        "instrument": given.instrument,
        "until": given.until.isoformat(),
    }


def delegated(kept: Mapping[str, Any] | None) -> Delegation | None:
    """The delegation that ``delegation_of`` made ``kept`` from."""
    if kept is None:
        return None
    return Delegation(kept["delegation"], kept["instrument"], date.fromisoformat(kept["until"]))
