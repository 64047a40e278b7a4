"""Errors print the code, the place and what to do; transport retries only what is safe to repeat."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from federation.client import NodeUnreachable, NotAuthenticated, QueryRefused, TooManyRequests
from federation.client.check import Check
from federation.client.tokens import FormTokens
from federation.client.transport import Transport

SQL = "SELECT\n\tregoin FROM people"
REFUSAL = {
    "code": "unknown_column",
    "message": "there is no column `regoin`",
    "rule": "every name resolves",
    "remedy": "did you mean `region`?",
    "position": {"line": 2, "column": 2, "offset": 8},
    "suggestion": "SELECT region FROM people",
}
PROBLEM = {"code": "query_refused", "detail": "refused", "errors": [REFUSAL]}


def transport(
    handler: Callable[[httpx.Request], httpx.Response], **form: str
) -> tuple[Transport, list[float]]:
    slept: list[float] = []
    http = httpx.Client(base_url="http://node", transport=httpx.MockTransport(handler))
    tokens = FormTokens(http, "/oauth/token", form) if form else None
    return Transport(http, tokens, slept.append), slept


def test_a_refusal_shows_the_place_the_rule_and_the_way_out() -> None:
    node, _ = transport(lambda _: httpx.Response(422, json=PROBLEM))
    with pytest.raises(QueryRefused) as caught:
        node.post("/v1/requests", {}, sql=SQL)
    assert str(caught.value).splitlines() == [
        "unknown_column: there is no column `regoin`",
        "    \tregoin FROM people",
        "    \t^",
        "    rule: every name resolves",
        "    what to do: did you mean `region`?",
        "    this would be accepted: SELECT region FROM people",
    ]


def test_a_check_is_false_and_can_be_raised() -> None:
    check = Check.read(SQL, {"accepted": False, "refusals": [REFUSAL]})
    assert not check
    assert "did you mean" in str(check)
    with pytest.raises(QueryRefused, match="unknown_column"):
        check.raise_for_refusal()


def test_waits_as_long_as_the_node_asks_and_then_gives_up() -> None:
    slow = httpx.Response(429, json={"detail": "slow"}, headers={"Retry-After": "7"})
    node, slept = transport(lambda _: slow)
    with pytest.raises(TooManyRequests) as caught:
        node.get("/v1/me")
    assert slept == [7.0, 7.0, 7.0]
    assert caught.value.retry_after == 7


@pytest.mark.parametrize(("key", "sent"), [(None, 1), ("k", 4)])
def test_a_post_is_repeated_only_under_a_key(key: str | None, sent: int) -> None:
    seen: list[str | None] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("Idempotency-Key"))
        raise httpx.ConnectError("no")

    node, _ = transport(refuse)
    with pytest.raises(NodeUnreachable, match="is the node running"):
        node.post("/v1/requests", {}, key=key)
    assert seen == [key] * sent


def test_logs_in_again_after_the_node_forgot_the_token() -> None:
    issued = iter(["old", "new"])
    accepted = ["Bearer old"]

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            return httpx.Response(200, json={"access_token": next(issued), "expires_in": 600})
        seen.append(request.headers["Authorization"])
        known = request.headers["Authorization"] in accepted
        return httpx.Response(200, json={"ok": True}) if known else httpx.Response(401, json={})

    seen: list[str] = []
    node, _ = transport(handler, grant_type="client_credentials")
    node.get("/v1/me")
    accepted[:] = ["Bearer new"]
    node.get("/v1/me")
    assert seen == ["Bearer old", "Bearer old", "Bearer new"]


def test_a_wrong_secret_is_told() -> None:
    node, _ = transport(lambda _: httpx.Response(401, json={"error": "invalid_client"}), grant_type="x")
    with pytest.raises(NotAuthenticated, match="invalid_client"):
        node.get("/v1/me")


@pytest.mark.parametrize("answer", [httpx.Response(200, text="<html>"), httpx.Response(200, json=[1])])
def test_something_else_at_the_address_is_no_node(answer: httpx.Response) -> None:
    node, _ = transport(lambda _: answer)
    with pytest.raises(NodeUnreachable, match="is no node"):
        node.get("/v1/me")
