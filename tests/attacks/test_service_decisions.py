"""Whoever asks tries to get by the decision of a custodian: by values, by digests, by the passing of time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.node import BOTH_SQL, CUSTODIAN_SQL, PURPOSE, Running, running, write_node

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


OURS = ("dry_runs", "passed_over", "fewest", "small", "empty", "What the data gives")
"""What only an answer to somebody who decides may hold."""


def test_a_dry_run_is_seen_by_who_decides_on_that_data_and_leaves_nothing_with_the_requester(
    node: Running,
) -> None:
    """Both custodians look, each at its own data; requester, auditor and each other see nothing of it."""
    request = ask(node, BOTH_SQL)
    path = f"/v1/requests/{request['request']}"
    people = {name: node.http(name) for name in ("pat", "eve", "olu", "sam", "ada")}
    codes = {name: people[name].post(f"{path}/dry-run").status_code for name in people}
    assert codes == {"pat": 403, "eve": 403, "olu": 201, "sam": 201, "ada": 403}
    for name, dataset in (("olu", "people"), ("sam", "vacancies")):
        (seen,) = people[name].get(f"{path}/evidence").json()["dry_runs"]
        assert ([part["datasets"] for part in seen["parts"]], seen["passed_over"]) == ([[dataset]], 1)
        assert (seen["made_by"], seen["plan_digest"]) == (name, request["plan_digest"])
    assert [people[name].get(f"{path}/evidence").status_code for name in ("pat", "eve")] == [403, 403]
    known = people["ada"].get(f"{path}/evidence").json()["dry_runs"]
    assert [(each["made_by"], each["parts"]) for each in known] == [("sam", []), ("olu", [])]
    for name in ("olu", "sam"):
        body = {"reason": "fine", "plan_digest": request["plan_digest"], "maximum_runs": 1}
        assert people[name].post(f"{path}/approve", json=body).status_code == 200
    assert people["pat"].get(path).json()["runs_left"] == 1, "looking uses nothing up"
    run_id = run(node, request["request"]).json()["run"]
    release = finished(people["pat"], run_id)["release"]
    addresses = [path, *(f"{path}/{part}" for part in ("explanation", "versions", "runs")), "/v1/notices"]
    addresses += [f"/v1/comments/request/{request['request']}", f"/v1/runs/{run_id}"]
    addresses += [f"/v1/releases/{release}{part}" for part in ("", "/about", "/provenance", "/statement")]
    for name in ("pat", "ada"):
        answers = [people[name].get(address) for address in addresses]
        assert {answer.status_code for answer in answers} == {200}
        assert not [each for answer in answers for each in OURS if f'"{each}"' in answer.text]
    recorded = people["ada"].get(f"/v1/audit/events?limit=1000&subject={request['request']}").json()["events"]
    looks = [event for event in recorded if event["action"].startswith("dry_run")]
    assert [(event["actor"], event["action"]) for event in looks] == [
        ("olu", "dry_run.started"),
        ("olu", "dry_run.done"),
        ("sam", "dry_run.started"),
        ("sam", "dry_run.done"),
    ]
    details = {"body", "datasets", "plan_digest", "snapshots"}
    assert all(set(event["details"]) <= details for event in looks)


@pytest.fixture(scope="module")
def women(node: Running) -> str:
    """A release of women by region."""
    request = ask(node, "SELECT region, count(*) AS women FROM people WHERE sex = 'F' GROUP BY region")
    body = {"reason": "fine", "plan_digest": request["plan_digest"]}
    path = f"/v1/requests/{request['request']}/approve"
    assert node.http("olu").post(path, json=body).status_code == 200
    release: str = finished(node.http("pat"), run(node, request["request"]).json()["run"])["release"]
    return release


@pytest.mark.parametrize(
    ("sql", "relation"),
    [
        ("SELECT region, count(*) AS others FROM people WHERE sex = 'F' GROUP BY region", "same_cells"),
        ("SELECT count(*) AS n FROM people WHERE sex IN ('F')", "same_people"),
        ("SELECT age, count(*) AS n FROM people WHERE sex = 'F' AND region = 'N' GROUP BY age", "inside"),
        ("SELECT sex, count(*) AS n FROM people GROUP BY sex", "around"),
        ("SELECT sex, count(*) AS n FROM people WHERE region = 'N' GROUP BY sex", "partly"),
        ("SELECT age, count(*) AS n FROM people WHERE NOT sex = 'F' GROUP BY age", None),
    ],
)
def test_however_it_is_worded_a_question_is_held_against_what_was_released(
    node: Running, women: str, sql: str, relation: str | None
) -> None:
    request = ask(node, sql)["request"]
    found = node.http("olu").get(f"/v1/requests/{request}/evidence").json()["overlaps"]
    stands = [each["relation"] for each in found if each["released"]["release"] == women]
    assert stands == ([] if relation is None else [relation])


def finished(client: httpx.Client, run_id: str) -> dict[str, Any]:
    while True:
        view: dict[str, Any] = client.get(f"/v1/runs/{run_id}?wait=10").json()
        if view["state"] not in GOING:
            return view
