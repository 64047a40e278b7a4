"""Everything that goes wrong is a problem document with a stable code, and collects all faults."""

from __future__ import annotations

import re
import threading
import time
from typing import Any

import httpx
import pytest

from federation.api.limits import RateLimiter
from federation.api.problems import STATUS, TITLES
from federation.service.errors import ServiceCode, ServiceError
from tests.support.node import PURPOSE, STANDING_SQL, Running

ASK = {"sql": STANDING_SQL, "agreement": "planning", "purpose": PURPOSE}


def test_every_code_has_a_status_and_a_title() -> None:
    assert set(STATUS) == set(TITLES) == set(ServiceCode)


def problem(response: httpx.Response) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["status"] == response.status_code
    assert document["type"] == f"urn:devolved-federation:problem:{document['code']}"
    return document


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "code"),
    [
        ("GET", "/v1/nothing", {}, 404, "not_found"),
        ("GET", "/v1/requests/req_none", {}, 404, "not_found"),
        ("GET", "/v1/runs/run_none", {}, 404, "not_found"),
        ("GET", "/v1/releases/rel_none", {}, 404, "not_found"),
        ("GET", "/v1/catalogue/datasets/peple", {}, 404, "not_found"),
        ("PUT", "/v1/check", {"json": {}}, 405, "method_not_allowed"),
        ("GET", "/v1/releases/rel_none", {"headers": {"Accept": "image/png"}}, 406, "not_acceptable"),
        ("POST", "/v1/check", {"json": {"sql": "x" * 300_000}}, 413, "body_too_large"),
        ("POST", "/v1/check", {"content": b"sql", "headers": {"Content-Type": "text/plain"}}, 415, None),
        ("POST", "/v1/check", {"content": b"{", "headers": {"Content-Type": "application/json"}}, 422, None),
        ("POST", "/v1/check", {"json": {"sql": 1, "colour": 2}}, 422, "invalid_request"),
        ("GET", "/v1/requests?limit=0&state=odd", {}, 422, "invalid_request"),
    ],
)
def test_mistakes_of_a_request(
    node: Running, method: str, path: str, options: dict[str, Any], status: int, code: str | None
) -> None:
    with node.http("pat") as http:
        response = http.request(method, path, **options)
    assert response.status_code == status
    assert code in (None, problem(response)["code"])


def test_all_mistakes_of_a_body_are_told_at_once(node: Running) -> None:
    with node.http("pat") as http:
        found = problem(http.post("/v1/requests", json={"sql": 1, "colour": 2}))
    pointers = {fault.get("pointer") for fault in found["errors"]}
    assert pointers == {"/sql", "/colour", "/agreement", "/purpose"}
    assert all(fault["code"].startswith("invalid_") for fault in found["errors"])


def test_a_body_without_a_length_is_counted_as_it_streams(node: Running) -> None:
    with node.http("pat") as http:
        chunks = (b" " * 50_000 for _ in range(20))
        response = http.post("/v1/check", content=chunks, headers={"Content-Type": "application/json"})
    assert problem(response)["code"] == "body_too_large"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "token_missing"),
        ({"Authorization": "Bearer nonsense"}, "token_invalid"),
        ({"Authorization": "Basic cGF0OnBhdA=="}, "token_missing"),
    ],
)
def test_without_a_token_nothing_is_told(node: Running, headers: dict[str, str], code: str) -> None:
    with node.http() as http:
        for path in ("/v1/catalogue/datasets", "/v1/requests", "/v1/me", "/v1/releases/x"):
            response = http.get(path, headers=headers)
            assert response.status_code == 401
            assert response.headers["www-authenticate"].startswith("Bearer")
            assert problem(response)["errors"][0]["code"] == code


def test_a_refused_query_tells_code_place_rule_and_remedy(node: Running) -> None:
    with node.http("pat") as http:
        response = http.post("/v1/requests", json={**ASK, "sql": "SELECT\n  regoin FROM people"})
    (fault,) = problem(response)["errors"]
    assert response.status_code == 422
    assert fault["code"] == "unknown_column"
    assert fault["position"] == {"line": 2, "column": 3, "offset": 9}
    assert fault["rule"]
    assert "region" in fault["remedy"]


@pytest.mark.parametrize(
    ("person", "path", "body"),
    [
        ("olu", "/v1/requests", ASK),
        ("ada", "/v1/check", ASK),
        ("pat", "/v1/requests/req_x/refuse", {"reason": "no"}),
        ("ada", "/v1/requests/req_x/runs", {}),
    ],
)
def test_a_role_that_may_not_is_told_which_may(
    node: Running, person: str, path: str, body: dict[str, str]
) -> None:
    with node.http(person) as http:
        found = problem(http.post(path, json=body))
    assert found["code"] == "not_permitted"
    assert re.search(r"planner|custodian", found["detail"])


def test_a_caller_who_asks_too_often_is_told_when_to_come_back() -> None:
    now = [0.0]
    limiter = RateLimiter(2, lambda: now[0])
    limiter.take("pat")
    limiter.take("pat")
    limiter.take("eve")
    with pytest.raises(ServiceError) as caught:
        limiter.take("pat")
    assert caught.value.code is ServiceCode.TOO_MANY_REQUESTS
    assert caught.value.retry_after == 30
    now[0] = 30.0
    limiter.take("pat")


def test_the_limiter_forgets_callers_rather_than_grow() -> None:
    limiter = RateLimiter(1)
    for number in range(RateLimiter.CALLERS + 5):
        limiter.take(str(number))
    assert len(limiter._buckets) == RateLimiter.CALLERS


def test_the_event_loop_answers_while_queries_compile(node: Running) -> None:
    """Health is served by the event loop itself: were a query parsed on it, it would wait for the query."""
    wide = "SELECT " + ", ".join(f"count(*) + {i} AS c{i}" for i in range(1500)) + " FROM people"
    with node.http("pat") as slow, node.http() as http:
        took: list[float] = []

        def ask() -> None:
            start = time.monotonic()
            slow.post("/v1/check", json={"sql": wide})
            took.append(time.monotonic() - start)

        thread = threading.Thread(target=ask)
        thread.start()
        time.sleep(0.02)
        waits = []
        while thread.is_alive():
            start = time.monotonic()
            assert http.get("/healthz").status_code == 200
            waits.append(time.monotonic() - start)
        thread.join()
    assert took[0] > 0.2, "the query was too quick to prove anything"
    assert max(waits) < took[0] / 2


def test_mistakes_in_a_body_are_told_in_words(node: Running) -> None:
    with node.http("pat") as http:
        broken = http.post("/v1/check", content=b"{bad", headers={"Content-Type": "application/json"}).json()
        wrong = http.post("/v1/check", json={"query": "SELECT 1"}).json()
    assert [fault["message"] for fault in broken["errors"]] == ["the body is not JSON, from character 1 on"]
    assert "pointer" not in broken["errors"][0]
    assert [(fault["pointer"], fault["message"]) for fault in wrong["errors"]] == [
        ("/sql", "sql: is missing"),
        ("/query", "query: there is no such field"),
    ]


@pytest.mark.parametrize("body", [b'{"sql": "\xff"}', b"[" * 100_000], ids=["not UTF-8", "deep"])
def test_a_body_that_cannot_be_decoded_is_told_so(node: Running, body: bytes) -> None:
    with node.http("pat") as http:
        response = http.post("/v1/check", content=body, headers={"Content-Type": "application/json"})
    found = problem(response)
    assert (found["status"], found["code"]) == (422, "invalid_request")
    assert found["detail"] == "the body is not JSON in UTF-8, or is nested too deeply"


@pytest.mark.parametrize("value", ["{}", "[]", "NaN", "true", "[[1]]"])
def test_a_parameter_of_a_wrong_type_is_one_mistake_in_words(node: Running, value: str) -> None:
    content = f'{{"sql": "SELECT 1", "parameters": {{"a": {value}}}}}'
    with node.http("pat") as http:
        response = http.post("/v1/check", content=content, headers={"Content-Type": "application/json"})
    (fault,) = problem(response)["errors"]
    assert fault["pointer"] == "/parameters/a"
    assert fault["message"].startswith("parameters.a: should be a text, a number")
