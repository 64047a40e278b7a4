"""How programs and people come by their tokens: at the node's identity provider, or at the node itself."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote_plus

import httpx

from federation.client.device import DeviceCode, device_login
from federation.client.errors import NotAuthenticated
from federation.client.provider import endpoints_of, named_by
from federation.client.tokens import FormTokens, Tokens

TOKEN = "/oauth/token"
"""The token endpoint of a node with the built-in identity."""


def program_tokens(http: httpx.Client, client_id: str, secret: str) -> Tokens:
    """Tokens of a program (RFC 6749, section 4.4)."""
    form = {"grant_type": "client_credentials"}
    in_form = form | {"client_id": client_id, "client_secret": secret}
    named = named_by(http)
    if named is None:
        return FormTokens(http, TOKEN, in_form)
    endpoints = endpoints_of(http, named.issuer)
    if endpoints.secret_in_form:
        return FormTokens(http, endpoints.token, {**named.parameters, **in_form})
    # Encoded as RFC 6749, section 2.3.1 asks.
    auth = httpx.BasicAuth(quote_plus(client_id), quote_plus(secret))
    return FormTokens(http, endpoints.token, {**named.parameters, **form}, auth)


def person_tokens(http: httpx.Client, node: str, show: Callable[[DeviceCode], None] | None) -> Tokens:
    """Tokens of the log-in that is kept for a node, or of a new one, which is kept.

    Args:
        show: shows a person the code; None where nobody is there to read it.

    Raises:
        NotAuthenticated: there is none, and nobody to log in; or the node logs people in by name alone.
    """
    from federation.client.kept import KeptTokens, kept_login  # only here: its lock is of POSIX alone

    kept = kept_login(node)
    if kept is not None:
        return KeptTokens(http, kept)
    if show is None:
        raise NotAuthenticated("nobody is logged in at this node: federation login")
    return new_login(http, node, show)


def new_login(http: httpx.Client, node: str, show: Callable[[DeviceCode], None]) -> Tokens:
    """Have a person log in, and keep that in place of any earlier log-in at the node.

    Raises:
        NotAuthenticated: see ``device_login``; or the node has no identity provider.
    """
    from federation.client.kept import KeptLogin, KeptTokens, keep

    named = named_by(http)
    if named is None:
        raise NotAuthenticated("this node has no identity provider: people log in by name alone (person)")
    answer = device_login(http, named, endpoints_of(http, named.issuer), show)
    login = KeptLogin.of(node, named.issuer, named.device_client_id or "", named.parameters, answer)
    keep(login)
    return KeptTokens(http, login)
