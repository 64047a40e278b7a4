"""The built-in authorization server: client credentials and a demo login, for demonstrations and tests only.

It is Authlib's server (RFC 6749) behind a thin adapter to the web framework. A real deployment has an identity
provider; a node whose ``environment`` is ``production`` does not start with this one unless told to.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, OAuth2Request
from authlib.oauth2.rfc6749.errors import InvalidGrantError, UnauthorizedClientError
from authlib.oauth2.rfc6749.grants import BaseGrant, ClientCredentialsGrant, TokenEndpointMixin
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload

from federation.identity.delegations import NO_DELEGATIONS, Delegations
from federation.identity.principal import Principal
from federation.identity.tokens import AccessTokens

NOTICE = "Built-in identity: for demonstrations and tests only. It is no identity provider."
DEMO_GRANT = "urn:devolved-federation:grant:demo-login"
DEMO_CLIENT = "demo"


@dataclass(frozen=True)
class Client(ClientMixin):  # type: ignore[misc]  # Authlib is untyped
    """A registered program, or the public client of the demo login (``secret_sha256`` None)."""

    client_id: str
    secret_sha256: str | None
    principal: Principal | None

    def get_client_id(self) -> str:
        return self.client_id

    def check_client_secret(self, client_secret: str) -> bool:
        given = hashlib.sha256(client_secret.encode()).hexdigest()
        return self.secret_sha256 is not None and hmac.compare_digest(given, self.secret_sha256)

    def check_endpoint_auth_method(self, method: str, _endpoint: str) -> bool:
        return (method == "none") == (self.secret_sha256 is None)

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == (DEMO_GRANT if self.secret_sha256 is None else "client_credentials")


class _ClientCredentials(ClientCredentialsGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post")


class _DemoLogin(BaseGrant, TokenEndpointMixin):  # type: ignore[misc]
    """An extension grant (RFC 6749, section 4.5): names a configured demo person, asks for no password."""

    TOKEN_ENDPOINT_AUTH_METHODS = ("none",)
    GRANT_TYPE = DEMO_GRANT

    def validate_token_request(self) -> None:
        client = self.authenticate_token_endpoint_client()
        if not client.check_grant_type(self.GRANT_TYPE):
            raise UnauthorizedClientError
        person = self.server.persons.get(self.request.payload.data.get("person", ""))
        if person is None:
            raise InvalidGrantError("no demo person of that name is configured at this node")
        self.request.client, self.request.user = client, person

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        token = self.generate_token(user=self.request.user, include_refresh_token=False)
        return 200, token, self.TOKEN_RESPONSE_HEADER


class _Request(OAuth2Request):  # type: ignore[misc]
    @property
    def form(self) -> Mapping[str, str]:
        data: Mapping[str, str] = self.payload.data
        return data


@dataclass(frozen=True, slots=True)
class TokenResponse:
    """What the token endpoint answers, for any web framework to send."""

    status: int
    body: Mapping[str, Any]
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _TokenRequest:
    uri: str
    form: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=dict)


class BuiltinIdentity(AuthorizationServer):  # type: ignore[misc]
    """An ``Authenticator`` that also issues the tokens it accepts.

    Args:
        tokens: issues and checks the access tokens.
        programs: registered programs by client id.
        persons: who may be chosen at the demo login; empty where there is none.
        delegations: who may act for a body other than their own.
    """

    def __init__(
        self,
        tokens: AccessTokens,
        programs: Mapping[str, Client],
        persons: Mapping[str, Principal],
        delegations: Delegations = NO_DELEGATIONS,
    ) -> None:
        super().__init__()
        self.tokens = tokens
        self.persons = persons
        self.delegations = delegations
        self._clients = dict(programs)
        self.register_token_generator("default", self._generate)
        self.register_grant(_ClientCredentials)
        if persons:
            self._clients[DEMO_CLIENT] = Client(DEMO_CLIENT, None, None)
            self.register_grant(_DemoLogin)

    def authenticate(self, token: str, acting_for: str | None = None) -> Principal:
        own = self.tokens.authenticate(token)
        if acting_for is None or acting_for == own.body:
            return own
        today = datetime.fromtimestamp(self.tokens.now(), UTC).date()
        return self.delegations.acting(own.subject, own.name, acting_for, today)

    def token(self, uri: str, form: Mapping[str, str], headers: Mapping[str, str]) -> TokenResponse:
        """Answer a token request (RFC 6749, section 3.2). ``uri`` must be HTTPS or a loopback address."""
        try:
            response: TokenResponse = self.create_token_response(_TokenRequest(uri, form, headers))
        except ValueError:  # Authlib decodes Basic credentials without a look at what they are
            return TokenResponse(401, {"error": "invalid_client", "notice": NOTICE}, ())
        return response

    # What Authlib asks of the adapter to a web framework:

    def query_client(self, client_id: str) -> Client | None:
        return self._clients.get(client_id)

    def save_token(self, token: Mapping[str, Any], request: OAuth2Request) -> None:
        """Tokens carry all they need; none is kept."""

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """No listeners."""

    def create_oauth2_request(self, request: _TokenRequest) -> OAuth2Request:
        made = _Request("POST", request.uri, headers=dict(request.headers))
        made.payload = BasicOAuth2Payload(dict(request.form))
        return made

    def handle_response(
        self, status: int, body: Mapping[str, Any], headers: list[tuple[str, str]]
    ) -> TokenResponse:
        return TokenResponse(status, {**body, "notice": NOTICE}, tuple(headers))

    def _generate(self, client: Client, user: Principal | None = None, **_: object) -> dict[str, Any]:
        principal = user or client.principal
        if principal is None:
            raise UnauthorizedClientError
        return {
            "access_token": self.tokens.issue(principal, client.client_id),
            "token_type": "Bearer",
            "expires_in": self.tokens.lifetime_seconds,
        }
