"""What the audit trail says of whom somebody acts for."""

from __future__ import annotations

from federation.audit.events import Detail, DetailValue
from federation.identity.principal import Principal


def for_whom(principal: Principal) -> dict[Detail, DetailValue]:
    """The body acted for, and the delegation where there is one; the settings say which instrument that is."""
    if principal.delegation is None:
        return {Detail.BODY: principal.body}
    return {Detail.BODY: principal.body, Detail.DELEGATION: principal.delegation.delegation}
