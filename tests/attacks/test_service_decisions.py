"""Whoever asks tries to get by the decision of a custodian: by values, by digests, by the passing of time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.node import CUSTODIAN_SQL, PURPOSE, Running, running, write_node

GOING = {"queued", "running"}
TERMS = {"agreement": "planning", "purpose": PURPOSE}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(write_node(tmp_path_factory.mktemp("node"))) as found:
        yield found


def ask(node: Running, sql: str, **parameters: Any) -> dict[str, Any]:
    body = {"sql": sql, **TERMS, "parameters": parameters}
    answer = node.http("pat").post("/v1/requests", json=body)
    assert answer.status_code == 201, answer.text
    view: dict[str, Any] = answer.json()
    return view


def run(node: Running, request: str, **parameters: Any) -> httpx.Response:
    return node.http("pat").post(f"/v1/requests/{request}/runs", json={"parameters": parameters})


@pytest.mark.parametrize(
    ("condition", "harmless", "beyond"),
    [
        ("sex IN ('F', $v)", "M", "F"),
        ("sex = 'F' OR $v = 1", 1, 2),
        ("age >= $v", 16, 30),
        ("pay > $v", 0, 500),
    ],
)
def test_a_value_does_not_widen_a_standing_rule(
    node: Running, condition: str, harmless: Any, beyond: Any
) -> None:
    """The rule allows the area alone. With the first value the condition is true of everybody, with the second not."""
    sql = f"SELECT region, count(*) AS people FROM people WHERE {condition} GROUP BY region"
    request = ask(node, sql, v=[harmless, beyond])
    assert request["state"] == "approved"
    assert run(node, request["request"], v=harmless).status_code == 202
    refused = run(node, request["request"], v=beyond)
    assert (refused.status_code, refused.json()["code"]) == (409, "request_not_usable")


@pytest.mark.parametrize("digest", ["", "sha256:", "sha256:" + "0" * 64])
def test_nobody_approves_without_the_plan_that_was_reviewed(node: Running, digest: str) -> None:
    request = ask(node, CUSTODIAN_SQL)["request"]
    body = {"reason": "fine", "plan_digest": digest}
    answer = node.http("olu").post(f"/v1/requests/{request}/approve", json=body)
    assert (answer.status_code, answer.json()["code"]) == (409, "plan_changed")
    assert node.http("olu").get(f"/v1/requests/{request}").json()["state"] == "submitted"


def test_a_parameter_may_be_a_fraction_and_nothing_but_its_domain(node: Running) -> None:
    sql = "SELECT region, count(*) AS people FROM people WHERE pay > $v GROUP BY region"
    request = ask(node, sql, v=[500.5, 600.25])
    body = {"reason": "fine", "plan_digest": request["plan_digest"]}
    assert node.http("olu").post(f"/v1/requests/{request['request']}/approve", json=body).status_code == 200
    assert run(node, request["request"], v=550.5).json()["errors"][0]["code"] == "parameter_invalid"
    started = run(node, request["request"], v=600.25)
    assert started.status_code == 202
    pat = node.http("pat")
    while (view := pat.get(f"/v1/runs/{started.json()['run']}?wait=5").json())["state"] in GOING:
        pass
    assert view["state"] == "done", view
