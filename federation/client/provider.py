"""The identity provider of a node: as the node names it (RFC 9728), and as it describes itself (OpenID Discovery)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from federation.addresses import is_safe_url
from federation.client.errors import NodeUnreachable

RESOURCE = "/.well-known/oauth-protected-resource"


@dataclass(frozen=True, slots=True)
class Named:
    """What a node says of its provider: who that is, and what to ask it for."""

    issuer: str
    device_client_id: str | None
    scopes: tuple[str, ...]
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a provider gives tokens, and whether it takes a program's secret in the form alone."""

    token: str
    device: str | None
    revocation: str | None
    secret_in_form: bool
    offline_access: bool


def named_by(http: httpx.Client) -> Named | None:
    """The provider that the node at the client's address names; None where it issues its tokens itself.

    Raises:
        NodeUnreachable: the node does not answer, or what answers is none.
    """
    document = _document(http, RESOURCE)
    issuers = document.get("authorization_servers")
    issuer = issuers[0] if isinstance(issuers, list) and len(issuers) == 1 else None
    if not isinstance(issuer, str):
        raise NodeUnreachable(f"what answers at {http.base_url} is no node")
    if issuer == document.get("resource"):
        return None
    parameters, scopes = document.get("authorization_parameters"), document.get("scopes_supported")
    client = document.get("device_client_id")
    return Named(
        issuer=issuer,
        device_client_id=client if isinstance(client, str) else None,
        scopes=tuple(map(str, scopes)) if isinstance(scopes, list) else (),
        parameters={str(name): str(value) for name, value in parameters.items()}
        if isinstance(parameters, dict)
        else {},
    )


def endpoints_of(http: httpx.Client, issuer: str) -> Endpoints:
    """Where the provider ``issuer`` is asked what.

    Raises:
        NodeUnreachable: it does not answer, names another issuer, or has an address that others could listen at.
    """
    if not is_safe_url(issuer):
        raise _unusable(issuer)
    document = _document(http, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    addresses = {
        name: document.get(f"{name}_endpoint") for name in ("token", "device_authorization", "revocation")
    }
    ways, scopes = document.get("token_endpoint_auth_methods_supported"), document.get("scopes_supported")
    safe = all(url is None or (isinstance(url, str) and is_safe_url(url)) for url in addresses.values())
    if document.get("issuer") != issuer or not safe or addresses["token"] is None:
        raise _unusable(issuer)
    return Endpoints(
        token=addresses["token"],
        device=addresses["device_authorization"],
        revocation=addresses["revocation"],
        secret_in_form=isinstance(ways, list) and "client_secret_basic" not in ways,
        offline_access=isinstance(scopes, list) and "offline_access" in scopes,
    )


def _unusable(issuer: str) -> NodeUnreachable:
    return NodeUnreachable(
        f"the identity provider {issuer} can't be used: it is not reached safely, or describes itself wrongly",
        code="identity_provider_unavailable",
    )


def _document(http: httpx.Client, url: str) -> Mapping[str, Any]:
    try:
        response = http.get(url, auth=httpx.Auth(), headers={"Accept": "application/json"})
        document = response.json() if response.is_success else None
    except httpx.HTTPError as error:
        place = http.base_url if url.startswith("/") else url
        raise NodeUnreachable(f"no answer from {place} ({type(error).__name__}): is it running?") from None
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise NodeUnreachable(
            f"what answers at {http.base_url if url.startswith('/') else url} is no node or provider"
        )
    return document
