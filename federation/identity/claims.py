"""From the claims of a token to a principal, as the settings map them: what they do not name gives nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from federation.identity.delegations import Delegations
from federation.identity.principal import (
    AdmissionFault,
    AuthenticationError,
    NodeRole,
    NotAdmitted,
    Principal,
    TokenFault,
)
from federation.identity.settings import ProviderSettings

LONGEST_SUBJECT = 240
LONGEST_NAME = 200


def principal_of(
    claims: Mapping[str, Any],
    provider: ProviderSettings,
    delegations: Delegations,
    acting_for: str | None,
    today: date,
) -> Principal:
    """Who holds a token with these claims.

    A program whose subject is its own client id (RFC 9068, section 2.2) is kept apart from people, who at some
    providers choose their subject: it is called ``program ID`` here, and no person is.

    Args:
        acting_for: the body that they want to act for; their own where it is None.

    Raises:
        AuthenticationError: INVALID, there is no usable subject.
        NotAdmitted: the claims give no body or no role, or no delegation is in force.
    """
    subject = subject_of(claims, provider)
    given = _text(value_at(claims, provider.claims.name))
    name = subject if given is None or len(given) > LONGEST_NAME else given
    body = provider.bodies.get(_single(value_at(claims, provider.claims.body)) or "")
    if acting_for is not None and acting_for != body:
        return delegations.acting(subject, name, acting_for, today)
    if body is None:
        raise NotAdmitted(AdmissionFault.NO_BODY)
    roles = _roles(value_at(claims, provider.claims.roles), provider.roles)
    if not roles:
        raise NotAdmitted(AdmissionFault.NO_ROLE)
    return Principal(subject, name, body, roles)


def subject_of(claims: Mapping[str, Any], provider: ProviderSettings) -> str:
    """Who a token is about.

    Raises:
        AuthenticationError: INVALID, the claim is missing, no text, too long, or not one word.
    """
    subject = _text(value_at(claims, provider.claims.subject))
    if subject is None or len(subject) > LONGEST_SUBJECT or not _is_name(subject):
        raise AuthenticationError(TokenFault.INVALID)
    return f"program {subject}" if subject == claims.get("client_id") else subject


def _is_name(subject: str) -> bool:
    """Nobody is called like what the node itself writes beside people: itself, and texts of several words."""
    return subject.isprintable() and " " not in subject and subject != "node"


def value_at(claims: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401  # whatever JSON can hold
    """The claim of that name, or where there is none what the steps between its dots lead to.

    >>> value_at({"realm_access": {"roles": ["a"]}, "x.y": 1}, "realm_access.roles")
    ['a']
    >>> value_at({"realm_access": {"roles": ["a"]}, "x.y": 1}, "x.y")
    1
    """
    if name in claims:
        return claims[name]
    found: Any = claims
    for step in name.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _single(value: object) -> str | None:
    """A text, or the only one of a list: of two organisations none is chosen for anybody."""
    return _text(value[0] if isinstance(value, list) and len(value) == 1 else value)


def _roles(value: object, known: Mapping[str, NodeRole]) -> frozenset[NodeRole]:
    given = value if isinstance(value, list) else [value]
    return frozenset(known[role] for role in given if isinstance(role, str) and role in known)
