"""Log-in at the pages through the provider: authorization code with PKCE, state and nonce, by Authlib.

RFC 9700 (best current practice), sections 2.1.1 and 4.7; OpenID Connect Core 1.0, section 3.1. What ties the answer to
the browser that asked lies in the database, is taken once, and does not outlive ten minutes.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote_plus, urlencode

import httpx
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.client import OAuth2Client
from sqlalchemy import delete

from federation.identity.claims import subject_of
from federation.identity.principal import AuthenticationError, NotAdmitted, Principal, ProviderUnavailable
from federation.identity.provider import Metadata
from federation.identity.provider_tokens import ProviderTokens
from federation.identity.records import PendingLogin
from federation.identity.sessions import digest_of
from federation.state.database import Database

MINUTES_TO_LOG_IN = timedelta(minutes=10)
START = "/"
_ERROR_CODE = re.compile(r"[a-z_]{1,40}")
_LOCAL_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]{0,2000}")


class LoginFailed(Exception):
    """The provider's answer is not one to a log-in that this browser began, or is a refusal."""


@dataclass(frozen=True, slots=True)
class Begun:
    """Where the browser goes, and what it keeps until it comes back."""

    url: str
    cookie: str


@dataclass(frozen=True, slots=True)
class Finished:
    """Who has logged in, who they are where they act for nobody else (if anybody), and the path that they wanted."""

    principal: Principal
    own: Principal | None
    next_path: str


@dataclass(frozen=True, slots=True)
class CodeFlow:
    """The pages as a client of the provider. ``secret`` is None for one that the provider knows without."""

    tokens: ProviderTokens
    database: Database
    public_url: str
    secret: str | None

    def begin(self, next_path: str, acting_for: str | None, now: datetime) -> Begun:
        """Send a browser to the provider. Whatever ``next_path`` is, it ends at a path of this node.

        Raises:
            ProviderUnavailable: the provider can't be asked where it logs people in.
        """
        metadata = self.tokens.provider.metadata()
        cookie, state, nonce = (secrets.token_urlsafe(32) for _ in range(3))
        verifier = secrets.token_urlsafe(48)
        url, _ = self._client().create_authorization_url(
            metadata.authorization_endpoint,
            state=state,
            code_verifier=verifier,
            nonce=nonce,
            **self.tokens.settings.parameters,
        )
        with self.database.write() as session:
            session.execute(delete(PendingLogin).where(PendingLogin.ends_at <= now))
            session.add(
                PendingLogin(
                    digest=digest_of(cookie),
                    state=state,
                    nonce=nonce,
                    verifier=verifier,
                    next_path=local_path(next_path),
                    acting_for=acting_for,
                    ends_at=now + MINUTES_TO_LOG_IN,
                )
            )
        return Begun(str(url), cookie)

    def finish(self, cookie: str, answer: Mapping[str, str], now: datetime) -> Finished:
        """Who it is that comes back from the provider with ``answer``, the parameters of the address.

        Raises:
            LoginFailed: it does not fit what this browser began, or the provider refuses.
            NotAdmitted: the person has no body or role at this node.
            ProviderUnavailable: the provider does not answer.
        """
        pending = self._taken(cookie, now)
        if pending is None or not hmac.compare_digest(
            pending.state.encode(), answer.get("state", "").encode()
        ):
            raise LoginFailed("this log-in was not begun in this browser, took too long, or was used before")
        if answer.get("iss", self.tokens.settings.issuer) != self.tokens.settings.issuer:
            raise LoginFailed("another identity provider answered than was asked")  # RFC 9207
        if "code" not in answer:
            error = answer.get("error", "")
            code = error if _ERROR_CODE.fullmatch(error) else "no code"
            raise LoginFailed(f"the identity provider did not log you in ({code})")
        access, identity = self._redeemed(answer["code"], pending.verifier)
        try:
            claims = self.tokens.id_token(identity, pending.nonce)
            subject = subject_of(claims, self.tokens.settings)
            principal = self.tokens.authenticate(access, pending.acting_for)
        except AuthenticationError:
            raise LoginFailed("the identity provider gave tokens that this node does not accept") from None
        if principal.subject != subject:
            raise LoginFailed("the identity provider gave tokens of two different people")
        own = principal if pending.acting_for is None else self._own(access)
        return Finished(principal, own, pending.next_path)

    def logout_url(self) -> str:
        """Where a browser goes that has logged out here: to the provider, where it offers that (OpenID Connect
        RP-Initiated Logout 1.0, section 2), else to the start."""
        try:
            end_session = self.tokens.provider.metadata().end_session_endpoint
        except ProviderUnavailable:
            end_session = None
        if end_session is None:
            return START
        back = {
            "client_id": self.tokens.settings.client_id,
            "post_logout_redirect_uri": f"{self.public_url}{START}",
        }
        return f"{end_session}{'&' if '?' in end_session else '?'}{urlencode(back)}"

    def _own(self, access: str) -> Principal | None:
        """Who holds a token that was accepted, without any delegation."""
        try:
            return self.tokens.authenticate(access)
        except NotAdmitted:
            return None

    def _taken(self, cookie: str, now: datetime) -> PendingLogin | None:
        """What the browser began; of two that bring the same, one gets it."""
        mine = PendingLogin.digest == digest_of(cookie)
        with self.database.write() as session:
            taken = delete(PendingLogin).where(mine, PendingLogin.ends_at > now).returning(PendingLogin)
            return session.scalars(taken).one_or_none()

    def _redeemed(self, code: str, verifier: str) -> tuple[str, str]:
        """The access token and the ID token for a code (RFC 6749, section 4.1.3)."""
        metadata = self.tokens.provider.metadata()
        try:
            token = self._client().fetch_token(
                metadata.token_endpoint,
                grant_type="authorization_code",
                code=code,
                code_verifier=verifier,
                redirect_uri=self._redirect_uri,
                **self._credentials(metadata),
                **self.tokens.settings.parameters,
            )
        except OAuth2Error:
            raise LoginFailed(
                "the identity provider did not accept the log-in: it was used before, or is over"
            ) from None
        except (httpx.HTTPError, ValueError) as error:  # Authlib's word for what is no JSON object
            raise ProviderUnavailable(type(error).__name__) from None
        access, identity = token.get("access_token"), token.get("id_token")
        if not isinstance(access, str) or not isinstance(identity, str):
            raise LoginFailed("the identity provider gave no tokens")
        return access, identity

    def _credentials(self, metadata: Metadata) -> dict[str, object]:
        """How the pages prove who they are, encoded as RFC 6749, section 2.3.1 asks."""
        client_id = self.tokens.settings.client_id
        if self.secret is None:
            return {"auth": httpx.Auth(), "client_id": client_id}
        if metadata.secret_in_form:
            return {"auth": httpx.Auth(), "client_id": client_id, "client_secret": self.secret}
        return {"auth": httpx.BasicAuth(quote_plus(client_id), quote_plus(self.secret))}

    def _client(self) -> OAuth2Client:
        settings = self.tokens.settings
        return OAuth2Client(
            self.tokens.provider.http,
            client_id=settings.client_id,
            scope=" ".join(settings.scopes),
            redirect_uri=self._redirect_uri,
            code_challenge_method="S256",
        )

    @property
    def _redirect_uri(self) -> str:
        return f"{self.public_url}/login/callback"


def local_path(path: str) -> str:
    """The path if it is one of this node's own, as every browser reads it; else the start.

    >>> local_path("/requests?state=open"), local_path("//evil.example"), local_path("/\\\\evil.example")
    ('/requests?state=open', '/', '/')
    """
    return path if _LOCAL_PATH.fullmatch(path) else START
