"""Tokens of an OpenID Connect provider, checked by joserfc: access tokens (RFC 9068) and ID tokens.

The key is found by the header's ``kid`` among the provider's own alone; what a header says of keys itself (``jwk``,
``jku``, ``x5c``, ``x5u``) is never followed, and the algorithm must be on the settings' list and fit the key (RFC 8725,
sections 3.1 and 3.10).
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import GuestProtocol

from federation.identity.claims import principal_of
from federation.identity.delegations import Delegations
from federation.identity.principal import AuthenticationError, Principal, TokenFault
from federation.identity.provider import Provider, PublicKey
from federation.identity.settings import ProviderSettings

LARGEST_TOKEN = 16_384
ID_TOKEN_TYPES = (None, "JWT")


@dataclass(frozen=True, slots=True)
class ProviderTokens:
    """An ``Authenticator`` for the tokens that a provider issues. ``now`` gives seconds since the epoch."""

    settings: ProviderSettings
    provider: Provider
    delegations: Delegations
    now: Callable[[], float] = time.time

    def authenticate(self, token: str, acting_for: str | None = None) -> Principal:
        """See ``Authenticator``: signature, algorithm, type, issuer, audience and times are all required to fit."""
        header, claims = self._checked(token, self.settings.audience)
        kind = header.get("typ")
        if (
            not isinstance(kind, str)
            or kind.lower().removeprefix("application/") != self.settings.token_type.lower()
        ):
            raise AuthenticationError(TokenFault.INVALID)
        today = datetime.fromtimestamp(self.now(), UTC).date()
        return principal_of(claims, self.settings, self.delegations, acting_for, today)

    def id_token(self, token: str, nonce: str) -> Mapping[str, Any]:
        """The claims of an ID token that answers ``nonce`` (OpenID Connect Core 1.0, section 3.1.3.7).

        Raises:
            AuthenticationError: it is not one, or answers another log-in.
            ProviderUnavailable: see ``Authenticator``.
        """
        header, claims = self._checked(token, self.settings.client_id)
        given = claims.get("nonce")
        audience = claims["aud"]
        alone = audience == self.settings.client_id or audience == [self.settings.client_id]
        if (
            header.get("typ") not in ID_TOKEN_TYPES
            or not isinstance(given, str)
            or not hmac.compare_digest(given.encode(), nonce.encode())
            or not (alone or claims.get("azp") == self.settings.client_id)
        ):
            raise AuthenticationError(TokenFault.INVALID)
        return claims

    def _checked(self, token: str, audience: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        if len(token) > LARGEST_TOKEN:
            raise AuthenticationError(TokenFault.INVALID)
        registry = jwt.JWTClaimsRegistry(
            now=lambda: int(self.now()),
            leeway=self.settings.clock_skew_seconds,
            iss={"essential": True, "value": self.settings.issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            sub={"essential": True},
        )
        try:
            decoded = jwt.decode(token, self._key, algorithms=self.settings.algorithms)
            registry.validate(decoded.claims)
        except ExpiredTokenError:
            raise AuthenticationError(TokenFault.EXPIRED) from None
        except (JoseError, ValueError, KeyError, TypeError, RecursionError):
            raise AuthenticationError(TokenFault.INVALID) from None
        return decoded.header, decoded.claims

    def _key(self, signed: GuestProtocol) -> PublicKey:
        """The provider's key that the header names; joserfc looks whether it is one for the header's algorithm."""
        kid = signed.headers().get("kid")
        key = self.provider.key(kid) if isinstance(kid, str) else None
        if key is None:
            raise AuthenticationError(TokenFault.INVALID)
        return key
