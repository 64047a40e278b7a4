"""The seam between identity and the service: a token in, a principal or a typed fault out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Protocol


class NodeRole(StrEnum):
    """What a person or program may do at a node; a person may hold several."""

    PLANNER = "planner"
    ANALYST = "analyst"
    CUSTODIAN = "custodian"
    REVIEWER = "reviewer"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


@dataclass(frozen=True, slots=True)
class Delegation:
    """The permission to act for another body: its short name, the instrument that gives it, and its last day (UTC)."""

    delegation: str
    instrument: str
    until: date


@dataclass(frozen=True, slots=True)
class Principal:
    """Who acts. ``subject`` is stable and unique at this node; ``body`` is the organisation acted for, by
    ``delegation`` where it is not the person's own."""

    subject: str
    name: str
    body: str
    roles: frozenset[NodeRole]
    delegation: Delegation | None = None


class TokenFault(StrEnum):
    """Why a bearer token is not accepted."""

    MISSING = "token_missing"
    INVALID = "token_invalid"
    EXPIRED = "token_expired"


class AuthenticationError(Exception):
    """The request carries no token that this node accepts. Never holds the token."""

    def __init__(self, fault: TokenFault) -> None:
        super().__init__(_MESSAGES[fault])
        self.fault = fault


_MESSAGES = {
    TokenFault.MISSING: "this needs a bearer token",
    TokenFault.INVALID: "the bearer token is not one that this node accepts",
    TokenFault.EXPIRED: "the bearer token has expired",
}


class AdmissionFault(StrEnum):
    """Why somebody whose token is good may still not act."""

    NO_BODY = "body_not_known"
    NO_ROLE = "no_role"
    NOT_DELEGATED = "not_delegated"

    @property
    def meaning(self) -> str:
        return _NOT_ADMITTED[self][0]

    @property
    def remedy(self) -> str:
        return _NOT_ADMITTED[self][1]


_NOT_ADMITTED = {
    AdmissionFault.NO_BODY: (
        "the identity provider names no body for you that this node knows",
        "ask the keeper of the node to map your organisation to a body, or say for whom you act by delegation",
    ),
    AdmissionFault.NO_ROLE: (
        "the identity provider gives you no role that this node knows",
        "ask whoever keeps your account for a role at this node",
    ),
    AdmissionFault.NOT_DELEGATED: (
        "no delegation lets you act for this body today",
        "act for your own body, or ask the keeper of the node about the delegation and its dates",
    ),
}


class NotAdmitted(Exception):
    """The token is good, but whoever it stands for has no place at this node. Never holds a claim."""

    def __init__(self, fault: AdmissionFault) -> None:
        super().__init__(fault.meaning)
        self.fault = fault


class ProviderUnavailable(Exception):
    """The identity provider does not answer, or not as one does. Never holds what it said."""


class Authenticator(Protocol):
    """Anything that can tell who holds a token: the built-in server, or an OpenID Connect provider."""

    def authenticate(self, token: str, acting_for: str | None = None) -> Principal:
        """The principal that ``token`` was issued to, by delegation where they act for another body than their own.

        Raises:
            AuthenticationError: the token is malformed, not signed by an accepted key, meant for another
                audience, or expired.
            NotAdmitted: it is good, and gives no body or role; or no delegation is in force.
            ProviderUnavailable: the key that signed it is not known, and cannot be fetched now.
        """
        ...
