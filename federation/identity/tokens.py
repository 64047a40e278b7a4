"""JWT access tokens (RFC 9068), signed and verified by joserfc with one algorithm."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import OKPKey

from federation.identity.principal import AuthenticationError, NodeRole, Principal, TokenFault

ALGORITHM = "Ed25519"
TOKEN_TYPE = "at+jwt"  # the media type of RFC 9068, section 2.1, not a credential


@dataclass(frozen=True)
class AccessTokens:
    """Issues and checks the tokens of one issuer. ``now`` gives seconds since the epoch.

    The key lives in memory alone: a restart ends every session, and nothing on disk can mint a token.
    """

    issuer: str
    audience: str
    lifetime_seconds: int
    key: OKPKey
    now: Callable[[], float] = time.time

    @classmethod
    def with_new_key(cls, issuer: str, audience: str, lifetime_seconds: int) -> AccessTokens:
        key = OKPKey.generate_key("Ed25519", {"use": "sig", "alg": ALGORITHM}, auto_kid=True)
        return cls(issuer, audience, lifetime_seconds, key)

    def issue(self, principal: Principal, client_id: str) -> str:
        """A signed token that says who ``principal`` is."""
        issued = int(self.now())
        claims = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": principal.subject,
            "client_id": client_id,
            "name": principal.name,
            "body": principal.body,
            "roles": sorted(principal.roles),
            "iat": issued,
            "exp": issued + self.lifetime_seconds,
            "jti": uuid.uuid4().hex,
        }
        header = {"alg": ALGORITHM, "typ": TOKEN_TYPE, "kid": self.key.kid}
        return jwt.encode(header, claims, self.key, algorithms=[ALGORITHM])

    def authenticate(self, token: str) -> Principal:
        """See ``Authenticator``: signature, type, issuer, audience and expiry are all required to fit."""
        registry = jwt.JWTClaimsRegistry(
            now=lambda: int(self.now()),
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": self.audience},
            exp={"essential": True},
            sub={"essential": True},
        )
        try:
            decoded = jwt.decode(token, self.key, algorithms=[ALGORITHM])
            if decoded.header.get("typ") != TOKEN_TYPE:
                raise AuthenticationError(TokenFault.INVALID)
            registry.validate(decoded.claims)
            claims = decoded.claims
            return Principal(
                subject=str(claims["sub"]),
                name=str(claims["name"]),
                body=str(claims["body"]),
                roles=frozenset(NodeRole(role) for role in claims["roles"]),
            )
        except ExpiredTokenError:
            raise AuthenticationError(TokenFault.EXPIRED) from None
        except (JoseError, ValueError, KeyError, TypeError):
            raise AuthenticationError(TokenFault.INVALID) from None
