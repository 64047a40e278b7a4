"""What a node, or who passes for one, says of its identity provider: what is not safe is not followed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from federation.client import FederationError, NodeUnreachable, NotAuthenticated, connect
from federation.client.kept import KeptLogin, KeptTokens, forget, keep, kept_login

NODE, ISSUER = "https://node.example", "https://id.example"
RESOURCE = "/.well-known/oauth-protected-resource"


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def client(answer: Callable[[httpx.Request], httpx.Response]) -> tuple[httpx.Client, list[httpx.Request]]:
    sent: list[httpx.Request] = []

    def recorded(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return answer(request)

    return httpx.Client(base_url=NODE, transport=httpx.MockTransport(recorded)), sent


def saying(resource: Any, **provider: Any) -> Callable[[httpx.Request], httpx.Response]:
    described = {"issuer": ISSUER, "token_endpoint": f"{ISSUER}/token"} | provider

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == RESOURCE:
            return httpx.Response(200, json=resource)
        if request.url.path.endswith("openid-configuration"):
            return httpx.Response(200, json=described)
        return httpx.Response(400, json={"error": "invalid_client"})

    return answer


NAMED = {"resource": NODE, "authorization_servers": [ISSUER]}


@pytest.mark.parametrize(
    ("resource", "provider"),
    [
        ([], {}),
        ({"resource": NODE}, {}),
        ({"resource": NODE, "authorization_servers": []}, {}),
        ({"resource": NODE, "authorization_servers": [1]}, {}),
        ({"resource": NODE, "authorization_servers": [ISSUER, "https://evil.example"]}, {}),
        ({"resource": NODE, "authorization_servers": ["http://id.example"]}, {}),
        ({"resource": NODE, "authorization_servers": ["file:///etc"]}, {}),
        (NAMED, {"issuer": "https://evil.example"}),
        (NAMED, {"token_endpoint": "http://id.example/token"}),
        (NAMED, {"token_endpoint": None}),
        (NAMED, {"device_authorization_endpoint": "http://id.example/device"}),
    ],
)
def test_a_secret_goes_only_to_a_provider_that_is_safe(resource: Any, provider: dict[str, Any]) -> None:
    http, sent = client(saying(resource, **provider))
    with pytest.raises(NodeUnreachable):
        connect(NODE, client_id="dashboard", client_secret="s3cret", http=http)
    assert all("s3cret" not in request.content.decode() for request in sent)
    assert all("Authorization" not in request.headers for request in sent)


def test_what_the_node_wants_told_takes_the_place_of_nothing() -> None:
    told = {"authorization_parameters": {"grant_type": "password", "client_id": "other", "resource": "r"}}
    http, sent = client(saying(NAMED | told, token_endpoint_auth_methods_supported=["client_secret_post"]))
    with pytest.raises(NotAuthenticated, match="invalid_client"):
        connect(NODE, client_id="dashboard", client_secret="s3cret", http=http)
    form = dict(httpx.QueryParams(sent[-1].content.decode()))
    assert form == {
        "grant_type": "client_credentials",
        "client_id": "dashboard",
        "client_secret": "s3cret",
        "resource": "r",
    }


def test_where_people_have_no_log_in_it_is_told() -> None:
    with pytest.raises(NotAuthenticated, match="no log-in for command lines"):
        connect(NODE, http=client(saying(NAMED))[0])
    with pytest.raises(NotAuthenticated, match="by name alone"):
        connect(NODE, http=client(saying(NAMED | {"authorization_servers": [NODE]}))[0])
    with pytest.raises(NotAuthenticated, match="federation login"):
        connect(NODE, http=client(saying(NAMED))[0], show=None)
    with pytest.raises(ValueError, match="or none of them"):
        connect(NODE, client_id="dashboard")


def test_a_refresh_token_goes_to_who_gave_it_whatever_the_node_says_now() -> None:
    keep(KeptLogin(NODE, ISSUER, "cli", {}, "old", "r3fresh", 0.0))
    http, sent = client(saying({"resource": NODE, "authorization_servers": ["https://evil.example"]}))
    found = kept_login(NODE)
    assert found is not None
    with pytest.raises(NotAuthenticated, match="log in again"):
        KeptTokens(http, found).current()
    assert [request.url.host for request in sent if b"r3fresh" in request.content] == ["id.example"]


@pytest.mark.parametrize("answer", [httpx.Response(500), httpx.Response(200, text="<html>")])
def test_a_log_in_is_forgotten_even_if_the_provider_is_away(answer: httpx.Response) -> None:
    keep(KeptLogin(NODE, ISSUER, "cli", {}, "old", "r3fresh", 0.0))
    assert forget(client(lambda _: answer)[0], NODE)
    assert kept_login(NODE) is None


def test_what_a_provider_sends_does_not_move_the_cursor() -> None:
    begun = {
        "device_code": "d",
        "user_code": "AB\x1b[2JCD",
        "verification_uri": f"{ISSUER}/device\u202e",
        "expires_in": "soon",
        "interval": True,
    }
    device = {"device_authorization_endpoint": f"{ISSUER}/device/auth"}

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/device/auth":
            return httpx.Response(200, json=begun)
        return saying(NAMED | {"device_client_id": "cli"}, **device)(request)

    shown: list[str] = []

    def show(code: object) -> None:
        shown.append(str(code))
        raise FederationError("seen")

    with pytest.raises(FederationError, match="seen"):
        connect(NODE, http=client(answer)[0], show=show)
    assert shown == [
        f"To log in, open {ISSUER}/device in a browser, on any device,\nand enter the code AB[2JCD (within 10 minutes)."
    ]
