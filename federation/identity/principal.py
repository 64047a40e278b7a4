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


class Authenticator(Protocol):
    """Anything that can tell who holds a token: the built-in server, or an OpenID Connect provider."""

    def authenticate(self, token: str) -> Principal:
        """The principal that ``token`` was issued to.

        Raises:
            AuthenticationError: the token is malformed, not signed by an accepted key, meant for another
                audience, or expired.
        """
        ...
