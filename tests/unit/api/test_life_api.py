"""The whole life of a request over HTTP: drafts, comments, conditions, appeals, suspension, quorums, purposes."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from federation.audit.events import text_digest
from federation.client.verify import verify_statement
from tests.support.node import (
    BOTH_SQL,
    CUSTODIAN_SQL,
    FILES,
    PURPOSE,
    STANDING_SQL,
    Running,
    running,
    write_node,
)

Person = Callable[..., dict[str, Any]]
CHANGES = {
    "node.yaml": FILES["node.yaml"].replace(
        "  programs:\n",
        "    - {person: rex, name: Rex Reviewer, body: office, roles: [reviewer]}\n"
        "  delegations:\n"
        "    - {delegation: eve_for_ay, subject: eve, body: greater_ay, roles: [planner], instrument: Deed of 1 March,"
        " from: 2020-01-01, until: 2090-12-31}\n"
        "    - {delegation: sam_for_office, subject: sam, body: office, roles: [reviewer], instrument: Minute 4,"
        " from: 2020-01-01, until: 2090-06-30}\n"
        "  programs:\n",
        1,
    ),
    "profiles/counts.yaml": FILES["profiles/counts.yaml"]
    + """\
---
profile: together
title: Counts that two bodies let go
version: "1"
frequency: {minimum_frequency: 10}
cell_keys: {counts: {maximum_noise: 2, variance: 1.05, smallest_published: 1}}
approval: {quorum: 2, organisations: 2, also: [office]}
""",
    "datasets/vacancies.yaml": FILES["datasets/vacancies.yaml"].replace(
        "profile: counts", "profile: together"
    ),
    "agreements/planning.yaml": FILES["agreements/planning.yaml"].replace(
        "  purposes: [skills planning]\n",
        "  purposes: [skills planning]\n  other_purposes: needs_a_person\n  excluded_purposes: [Marketing]\n",
        1,
    ),
}
VACANCIES_SQL = "SELECT region, count(*) AS n FROM vacancies GROUP BY region ORDER BY 1"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(write_node(tmp_path_factory.mktemp("node"), CHANGES)) as found:
        yield found


@pytest.fixture(scope="module")
def people(node: Running) -> Iterator[dict[str, httpx.Client]]:
    clients = {name: node.http(name) for name in ("pat", "eve", "olu", "oma", "sam", "ada", "rex")}
    yield clients
    for client in clients.values():
        client.close()


@pytest.fixture
def act(people: dict[str, httpx.Client]) -> Person:
    """An act of somebody on a request, and the answer to it."""

    def send(who: str, request: str, what: str, **body: Any) -> dict[str, Any]:
        return people[who].post(f"/v1/requests/{request}/{what}", json=body or None).json()  # type: ignore[no-any-return]

    return send


@pytest.fixture
def ask(people: dict[str, httpx.Client]) -> Callable[..., dict[str, Any]]:
    def send(sql: str = CUSTODIAN_SQL, **more: Any) -> dict[str, Any]:
        body = {"sql": sql, "agreement": "planning", "purpose": PURPOSE} | more
        return people["pat"].post("/v1/requests", json=body).json()  # type: ignore[no-any-return]

    return send


def approval(request: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"reason": "fine", "plan_digest": request["plan_digest"]} | more


def test_a_draft_is_its_writers_alone_and_compiled_when_submitted(
    people: dict[str, httpx.Client], act: Person, ask: Person
) -> None:
    draft = ask("SELECT nothing", draft=True, agreement=None, purpose=None)
    assert (draft["state"], draft["version"], draft["datasets"]) == ("draft", 0, {})
    path = f"/v1/requests/{draft['request']}"
    seen = {who: people[who].get(path).status_code for who in ("pat", "eve", "olu", "sam", "ada")}
    assert seen == {"pat": 200, "eve": 404, "olu": 404, "sam": 404, "ada": 200}
    assert act("pat", draft["request"], "submit")["code"] == "query_refused"
    saved = people["pat"].put(path, json={"sql": CUSTODIAN_SQL, "agreement": "planning"}).json()
    assert (saved["state"], saved["sql"]) == ("draft", CUSTODIAN_SQL)
    submitted = act("pat", draft["request"], "submit")
    assert (submitted["state"], submitted["version"]) == ("submitted", 1)
    assert submitted["waiting_for"] == ["office"]
    assert people["pat"].put(path, json={"sql": "x"}).json()["code"] == "wrong_state"
    assert act("pat", draft["request"], "withdraw")["state"] == "withdrawn"


def test_a_request_without_terms_is_none_unless_it_is_a_draft(ask: Person) -> None:
    (fault,) = ask(agreement=None)["errors"]
    assert (fault["code"], fault["pointer"]) == ("invalid_missing", "/agreement")


def test_what_an_answer_is_for_is_kept_with_each_version_and_told_nobody_else(
    people: dict[str, httpx.Client], act: Person, ask: Person, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = ask(justification=" To choose courses \n")
    request, terms = asked["request"], {"agreement": "planning", "purpose": PURPOSE}
    assert asked["justification"] == "To choose courses"
    act("olu", request, "return", reason="for when?")
    again = act("pat", request, "submit", sql=CUSTODIAN_SQL, **terms, justification="Courses for March")
    assert again["justification"] == "Courses for March"
    versions = people["olu"].get(f"/v1/requests/{request}/versions").json()["versions"]
    assert [each["justification"] for each in versions] == ["To choose courses", "Courses for March"]
    assert ask()["justification"] == ""
    assert ask(justification="x" * 4001)["status"] == 422
    events = people["ada"].get("/v1/audit/events?limit=1000").json()["events"]
    digests = [e["details"].get("reason_digest") for e in events if e["subject"] == request]
    assert text_digest("To choose courses") in digests
    register = people["pat"].get("/register").text
    logged = capfd.readouterr()
    for text in (json.dumps(events), logged.out, logged.err, register, people["pat"].get("/metrics").text):
        assert "ourses" not in text


def test_what_is_returned_keeps_its_history(
    people: dict[str, httpx.Client], act: Person, ask: Person
) -> None:
    request = ask()["request"]
    assert act("olu", request, "take-up")["state"] == "under_review"
    returned = act("olu", request, "return", reason="of which year?")
    assert (returned["state"], returned["usable"]) == ("returned", False)
    assert act("oma", request, "approve", **approval(returned))["code"] == "wrong_state"
    other = STANDING_SQL.replace("region", "sex")
    again = act("pat", request, "submit", sql=other, agreement="planning", purpose=PURPOSE)
    assert (again["state"], again["version"], again["sql"]) == ("submitted", 2, other)
    assert again["decisions"][0]["reason"] == "of which year?"
    kept = people["olu"].get(f"/v1/requests/{request}/versions").json()["versions"]
    assert [(each["version"], each["sql"]) for each in kept] == [(1, CUSTODIAN_SQL), (2, other)]
    assert people["eve"].get(f"/v1/requests/{request}/versions").status_code == 404
    stale = act("olu", request, "approve", **approval(returned))
    assert stale["code"] == "plan_changed"
    assert act("olu", request, "approve", **approval(again))["state"] == "approved"


def test_conditions_bind_before_the_first_run_and_runs_are_used_up(
    people: dict[str, httpx.Client], act: Person, ask: Person
) -> None:
    request = ask()
    number = request["request"]
    bounds = {"conditions": "Show it to nobody", "maximum_runs": 1}
    approved = act("olu", number, "approve", **approval(request, **bounds))
    assert (approved["state"], approved["usable"], approved["runs_left"]) == ("approved", False, 1)
    assert "conditions" in act("pat", number, "runs")["detail"]
    assert act("olu", number, "accept")["code"] == "not_permitted"
    accepted = act("pat", number, "accept")
    assert (accepted["state"], accepted["usable"]) == ("active", True)
    run = act("pat", number, "runs")["run"]
    assert act("pat", number, "runs")["code"] in ("wrong_state", "request_not_usable")
    while people["pat"].get(f"/v1/runs/{run}?wait=10").json()["state"] in ("queued", "running"):
        pass
    over = people["pat"].get(f"/v1/requests/{number}").json()
    assert (over["state"], over["usable"], over["runs_left"]) == ("exhausted", False, 0)
    listed = people["pat"].get("/v1/requests?state=exhausted").json()["requests"]
    assert number in {each["request"] for each in listed}


def test_an_appeal_is_for_somebody_else(act: Person, ask: Person) -> None:
    request = ask()["request"]
    refused = act("olu", request, "refuse", reason="too fine", code="disclosure_risk")
    assert (refused["state"], refused["decisions"][0]["code"]) == ("refused", "disclosure_risk")
    assert act("pat", request, "appeal", reason="it is by region")["state"] == "under_review"
    assert act("olu", request, "approve", **approval(refused))["code"] == "decision_not_allowed"
    assert act("oma", request, "approve", **approval(refused))["state"] == "approved"
    assert act("olu", request, "refuse", reason="x", code="made_up")["code"] == "invalid_request"


def test_a_reviewer_decides_on_an_appeal_and_on_nothing_before_it(act: Person, ask: Person) -> None:
    request = ask()
    number, body = request["request"], approval(request)
    assert act("rex", number, "approve", **body)["code"] == "decision_not_allowed"
    act("olu", number, "refuse", reason="too fine", code="disclosure_risk")
    act("pat", number, "appeal", reason="it is by region")
    approved = act("rex", number, "approve", **body)
    assert (approved["state"], approved["decisions"][-1]["decided_by"]) == ("approved", "rex")
    assert [each["role"] for each in approved["decisions"]] == ["custodian", "requester", "reviewer"]
    assert act("rex", number, "revoke", reason="second thoughts")["code"] == "not_permitted"


DEED = {
    "delegation": "eve_for_ay",
    "body": "greater_ay",
    "instrument": "Deed of 1 March",
    "until": "2090-12-31",
}
MINUTE = {"delegation": "sam_for_office", "body": "office", "instrument": "Minute 4", "until": "2090-06-30"}


def test_capacities_and_delegations_stand_in_request_audit_register_and_statement(
    node: Running, act: Person, people: dict[str, httpx.Client]
) -> None:
    eve, sam = ({"Acting-For": body} for body in ("greater_ay", "office"))
    body = {"sql": CUSTODIAN_SQL, "agreement": "planning", "purpose": PURPOSE}
    asked = people["eve"].post("/v1/requests", json=body, headers=eve).json()
    number, path = asked["request"], f"/v1/requests/{asked['request']}"
    assert (asked["requester"], asked["body"], asked["delegation"]) == ("eve", "greater_ay", DEED)
    act("olu", number, "refuse", reason="too fine", code="disclosure_risk")
    assert people["eve"].post(f"{path}/appeal", json={"reason": "no"}).json()["code"] == "not_permitted"
    people["eve"].post(f"{path}/appeal", json={"reason": "it is by region"}, headers=eve)
    decided = people["sam"].post(f"{path}/approve", json=approval(asked), headers=sam).json()
    assert (decided["decisions"][-1]["role"], decided["decisions"][-1]["delegation"]) == ("reviewer", MINUTE)
    run = people["eve"].post(f"{path}/runs", json={"parameters": {}}, headers=eve).json()["run"]
    while (found := people["pat"].get(f"/v1/runs/{run}?wait=10").json())["state"] in ("queued", "running"):
        pass
    release = found["release"]
    token = people["pat"].get(f"/v1/releases/{release}/statement").text
    said = verify_statement(token, people["pat"].get("/v1/keys").json()).payload["authority"]
    assert (said["requester"], said["delegation"]) == ("eve", DEED)
    (named,) = said["decisions"]
    assert (named["decided_by"], named["role"], named["delegation"]) == ("sam", "reviewer", MINUTE)
    prov = people["pat"].get(f"/v1/releases/{release}/provenance").text
    crate = people["pat"].get(f"/v1/releases/{release}/crate").content
    with zipfile.ZipFile(io.BytesIO(crate)) as archive:
        metadata = archive.read("ro-crate-metadata.json").decode()
    for text in (prov, metadata):
        assert all(each in text for each in ("Deed of 1 March", "2090-12-31", "Minute 4", "as reviewer"))
    events = people["ada"].get(f"/v1/audit/events?subject={number}").json()["events"]
    details = [event["details"] for event in events]
    assert {("role", "reviewer"), ("delegation", "sam_for_office")} <= set(details[-1].items())
    assert details[0]["delegation"] == "eve_for_ay"
    with httpx.Client(base_url=node.url) as browser:
        assert "reviewer" in browser.get("/register").text
    shown = subprocess.run(
        [sys.executable, "-m", "federation", "verify", release, "--url", node.url, "--person", "pat"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    assert "by delegation eve_for_ay for greater_ay until 2090-12-31 (Deed of 1 March)" in shown
    assert "as reviewer" in shown


def test_suspension_stops_what_runs_and_is_lifted(
    act: Person, ask: Person, people: dict[str, httpx.Client]
) -> None:
    request = ask()
    number = request["request"]
    act("olu", number, "approve", **approval(request))
    run = act("pat", number, "runs")["run"]
    suspended = act("oma", number, "suspend", reason="a source is in doubt")
    assert (suspended["state"], suspended["usable"]) == ("suspended", False)
    assert act("pat", number, "runs")["code"] == "request_not_usable"
    found = people["pat"].get(f"/v1/runs/{run}?wait=10").json()
    while found["state"] in ("queued", "running"):
        found = people["pat"].get(f"/v1/runs/{run}?wait=10").json()
    assert found["state"] == "done" or (found["state"], found["error"]) == ("void", "approval_withdrawn")
    assert act("sam", number, "resume", reason="mine")["code"] == "not_found"
    assert act("olu", number, "resume", reason="sound")["usable"]
    assert act("pat", number, "withdraw")["state"] == "withdrawn"
    assert act("olu", number, "revoke", reason="late")["code"] == "wrong_state"


def test_two_organisations_decide_where_the_profile_asks(act: Person, ask: Person) -> None:
    request = ask(VACANCIES_SQL)
    number, body = request["request"], approval(request)
    assert request["waiting_for"] == ["office", "skills_board"]
    first = act("sam", number, "approve", **body)
    assert (first["state"], first["waiting_for"]) == ("under_review", ["office"])
    assert act("sam", number, "approve", **body)["code"] == "wrong_state"
    assert act("olu", number, "approve", **body)["state"] == "approved"
    both = ask(BOTH_SQL)
    assert both["datasets"] == {"people": "office", "vacancies": "skills_board"}
    assert act("olu", both["request"], "approve", **approval(both))["state"] == "under_review"
    assert act("sam", both["request"], "approve", **approval(both))["state"] == "approved"


def test_a_purpose_for_a_person_is_decided_by_one(act: Person, ask: Person) -> None:
    assert ask(STANDING_SQL)["state"] == "approved"
    asked = ask(STANDING_SQL, purpose="A thesis")
    assert (asked["state"], asked["purpose_answer"]) == ("submitted", "needs_a_person")
    assert [fault["code"] for fault in ask(STANDING_SQL, purpose="marketing")["errors"]] == [
        "purpose_not_permitted"
    ]


def test_an_approval_takes_the_place_of_another_of_the_same_person(
    act: Person, ask: Person, people: dict[str, httpx.Client]
) -> None:
    first = ask(STANDING_SQL)
    other = ask(supersedes=first["request"])
    assert people["pat"].get(f"/v1/requests/{first['request']}").json()["usable"]
    act("olu", other["request"], "approve", **approval(other))
    assert people["pat"].get(f"/v1/requests/{first['request']}").json()["state"] == "superseded"
    for wrong in (first["request"], "req_none"):
        assert [fault["code"] for fault in ask(supersedes=wrong)["errors"]] == ["supersedes_invalid"]


def test_only_who_asked_acts_for_who_asked(node: Running, act: Person, ask: Person) -> None:
    request = ask()["request"]
    with node.session("pat") as pat:
        assert pat.whoami()["subject"] == "pat"
    for who, code in (("eve", "not_found"), ("olu", "not_permitted"), ("ada", "not_permitted")):
        assert act(who, request, "withdraw")["code"] == code
