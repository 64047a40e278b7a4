"""Sessions at the pages with the built-in identity: cookies, forms of other sites, and what a session is good for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio
import httpx
import pytest
from fastapi import Depends, FastAPI, Request, Response

from federation.api.app import create_app
from federation.api.signed_in import open_session, require_same_site, session_of, signed_in
from federation.identity.principal import Principal
from federation.service.node import Node
from tests.support.node import running, write_node

HTTPS = "https://node.example"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with running(write_node(tmp_path_factory.mktemp("node"))) as found:
        yield found.node


def application(node: Node, public_url: str) -> FastAPI:
    """The node's application under another address, with pages as there may be some."""
    settings = node.settings.model_copy(update={"public_url": public_url})
    app = create_app(replace(node, settings=settings))

    @app.post("/enter", dependencies=[Depends(require_same_site)])
    def enter(request: Request, response: Response) -> None:
        assert node.token_issuer is not None
        pat = node.token_issuer.persons["pat"]
        open_session(request, response, pat, pat)

    @app.get("/who")
    def who(request: Request, somebody: Principal | None = Depends(signed_in)) -> dict[str, str]:  # noqa: B008
        session = session_of(request)
        return (
            {} if somebody is None or session is None else {"who": somebody.name, "token": session.csrf_token}
        )

    return app


class Browser:
    """Keeps cookies, and follows no redirect."""

    def __init__(self, app: FastAPI, address: str = HTTPS) -> None:
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=address)

    @property
    def cookies(self) -> httpx.Cookies:
        return self._client.cookies

    def get(self, path: str) -> httpx.Response:
        return anyio.run(self._client.get, path)

    def post(self, path: str, data: dict[str, str] | None = None, **headers: str) -> httpx.Response:
        return anyio.run(partial(self._client.post, path, data=data, headers=headers))


@pytest.mark.parametrize(
    ("address", "name"),
    [(HTTPS, "__Host-federation-session"), ("http://127.0.0.1:8642", "federation-session")],
)
def test_the_cookie_is_for_this_host_its_requests_and_no_script(node: Node, address: str, name: str) -> None:
    browser = Browser(application(node, address), address)
    answer = browser.post("/enter")
    (cookie,) = answer.headers.get_list("set-cookie")
    value, *flags = (part.strip() for part in cookie.split(";"))
    assert value.startswith(f"{name}=")
    secure = {"Secure"} if address.startswith("https:") else set()
    assert set(flags) == {"HttpOnly", "Path=/", "SameSite=lax", *secure}
    assert browser.get("/who").json()["who"] == "Pat Planner"


def test_who_logs_in_again_has_another_session(node: Node) -> None:
    browser = Browser(application(node, HTTPS))
    browser.post("/enter")
    before = browser.cookies["__Host-federation-session"]
    browser.post("/enter")
    assert browser.cookies["__Host-federation-session"] != before
    assert node.sessions.find(before, node.clock()) is None


def test_log_out_ends_at_the_start_and_the_cookie_is_gone(node: Node) -> None:
    browser = Browser(application(node, HTTPS))
    browser.post("/enter")
    token = browser.get("/who").json()["token"]
    refused = browser.post("/logout", data={"csrf_token": "0" * 64})
    assert (refused.status_code, refused.json()["code"]) == (403, "csrf_refused")
    answer = browser.post("/logout", data={"csrf_token": token})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert browser.get("/who").json() == {}
    assert browser.post("/logout", data={"csrf_token": token}).status_code == 403


@pytest.mark.parametrize(
    ("site", "status"), [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)]
)
def test_a_form_of_another_site_logs_nobody_in(node: Node, site: str, status: int) -> None:
    browser = Browser(application(node, HTTPS))
    answer = browser.post("/enter", **{"Sec-Fetch-Site": site})
    assert answer.status_code == status


def test_without_a_provider_there_is_no_log_in_there(node: Node) -> None:
    browser = Browser(application(node, HTTPS))
    assert browser.get("/login").status_code == 404
    assert browser.get("/login/callback").status_code == 404


def test_a_delegation_counts_with_the_built_in_identity_too(tmp_path: Path) -> None:
    directory = write_node(tmp_path)
    delegations = """\
identity:
  delegations:
    - delegation: eve_for_ay
      subject: eve
      body: greater_ay
      roles: [planner]
      instrument: Deed of 1 March
      from: 2020-01-01
      until: 2090-12-31
"""
    settings = (directory / "node.yaml").read_text().replace("identity:\n", delegations)
    (directory / "node.yaml").write_text(settings)
    with running(directory) as found, found.http("eve") as http:
        assert http.get("/v1/me").json()["body"] == "effshire"
        acting = {"Acting-For": "greater_ay"}
        assert http.get("/v1/me", headers=acting).json()["body"] == "greater_ay"
        ask = {"sql": "SELECT region, count(*) FROM people GROUP BY region", "agreement": "planning"}
        body = ask | {"purpose": "skills planning"}
        assert http.post("/v1/requests", json=body, headers=acting).status_code == 201
        with found.http("ada") as auditor:
            events = auditor.get("/v1/audit/events").json()["events"]
        (submitted,) = [event for event in events if event["action"] == "request.submitted"]
        assert (submitted["details"]["body"], submitted["details"]["delegation"]) == (
            "greater_ay",
            "eve_for_ay",
        )
        # The same key for another body is another act.
        keyed = {"Idempotency-Key": "k"}
        assert http.post("/v1/requests", json=body, headers=acting | keyed).status_code == 201
        assert http.post("/v1/requests", json=body, headers=keyed).json()["code"] in (
            "idempotency_key_reused",
            "query_refused",
        )
