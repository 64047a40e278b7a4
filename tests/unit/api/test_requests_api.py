"""Requests over HTTP: idempotency, negotiation of formats, who sees what, the decisions of custodians."""

from __future__ import annotations

import base64
import io
import json
import re
import threading
import time
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from federation.api.negotiation import MediaType
from federation.client import connect
from federation.client.digest import canonical_json
from federation.client.verify import (
    STATEMENT_TYPE,
    VerificationError,
    embedded_statement,
    table_of_csv,
    verify_statement,
)
from federation.identity.principal import NodeRole, Principal
from federation.service import requests
from federation.service.questions import Ask
from tests.support.node import BOTH_SQL, CUSTODIAN_SQL, PURPOSE, STANDING_SQL, Running

ASK = {"sql": STANDING_SQL, "agreement": "planning", "purpose": PURPOSE}


def ask(node: Running, **changes: str) -> dict[str, Any]:
    with node.http("pat") as http:
        response = http.post("/v1/requests", json={**ASK, **changes})
    assert response.status_code == 201, response.text
    assert response.headers["location"] == f"/v1/requests/{response.json()['request']}"
    found: dict[str, Any] = response.json()
    return found


@pytest.fixture(scope="module")
def released(node: Running) -> str:
    """The id of a release of the standing question."""
    with node.http("pat") as http:
        started = http.post(f"/v1/requests/{ask(node)['request']}/runs", json={})
        assert started.status_code == 202
        run = http.get(started.headers["location"], params={"wait": 20}).json()
        while run["state"] in ("queued", "running"):
            run = http.get(f"/v1/runs/{run['run']}", params={"wait": 20}).json()
    assert run["state"] == "done", run
    assert run["progress"] == 100
    return str(run["release"])


def test_a_standing_rule_decides_at_once_and_is_named(node: Running) -> None:
    request = ask(node)
    assert request["state"] == "approved"
    (decision,) = request["decisions"]
    assert (decision["kind"], decision["decided_by"]) == ("standing_rule", "people_by_region")


def test_a_request_says_who_counts_it_jointly(node: Running) -> None:
    assert ask(node)["jointly_with"] == []
    pat = Principal("pat", "Pat", "greater_ay", frozenset({NodeRole.ANALYST}))
    asked = Ask(CUSTODIAN_SQL, "planning", PURPOSE, jointly_with=("east", "test_node", "west"))
    request = requests.submit(node.node, pat, asked).request
    with node.http("olu") as http:
        shown = http.get(f"/v1/requests/{request}").json()
    assert shown["jointly_with"] == ["east", "test_node", "west"]
    assert "Counted jointly by east, test_node, west" in shown["question"]


def test_the_same_key_and_request_are_answered_once(node: Running) -> None:
    headers = {"Idempotency-Key": "one"}
    with node.http("pat") as http, node.http("eve") as other:
        first = http.post("/v1/requests", json=ASK, headers=headers)
        again = http.post("/v1/requests", json=ASK, headers=headers)
        assert first.json() == again.json()
        assert again.headers["location"] == first.headers["location"]
        reused = http.post("/v1/requests", json={**ASK, "sql": CUSTODIAN_SQL}, headers=headers)
        assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")
        elsewhere = other.post("/v1/requests", json=ASK, headers=headers)
        assert elsewhere.json()["code"] == "query_refused", "a key belongs to the one who used it"


def test_of_two_at_once_under_one_key_one_acts(node: Running) -> None:
    answers: list[httpx.Response] = []

    def post() -> None:
        with node.http("pat") as http:
            answers.append(http.post("/v1/requests", json=ASK, headers={"Idempotency-Key": "both"}))

    threads = [threading.Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["request"] for answer in answers}) == 1


def test_a_run_is_started_once_under_a_key(node: Running) -> None:
    request = ask(node)["request"]
    with node.http("pat") as http:
        post = [
            http.post(f"/v1/requests/{request}/runs", json={}, headers={"Idempotency-Key": "run"})
            for _ in range(2)
        ]
    assert post[0].json()["run"] == post[1].json()["run"]


def fetch(node: Running, release: str, accept: str, **headers: str) -> httpx.Response:
    with node.http("pat") as http:
        return http.get(f"/v1/releases/{release}", headers={"Accept": accept, **headers})


def test_every_format_holds_the_same_table(node: Running, released: str) -> None:
    arrow = fetch(node, released, MediaType.ARROW)
    table = pa.ipc.open_stream(arrow.content).read_all()
    assert table.column_names == ["region", "region__status", "people", "people__status"]
    assert table.num_rows == 2
    parquet = pq.read_table(io.BytesIO(fetch(node, released, MediaType.PARQUET).content))
    assert parquet.equals(table)
    csv = pyarrow.csv.read_csv(io.BytesIO(fetch(node, released, MediaType.CSV).content))
    assert csv.column("people").to_pylist() == table.column("people").to_pylist()
    document = fetch(node, released, MediaType.JSON).json()
    assert document["data"] == table.to_pylist()
    assert document["source"].startswith("Office of example statistics: People, 2025.")
    with node.http() as http:
        keys = http.get("/v1/keys").json()
    for each in (table, parquet):
        assert verify_statement(embedded_statement(each), keys, each).payload["release"] == released


def test_a_csv_file_is_held_against_the_statement_beside_it(node: Running, released: str) -> None:
    content = fetch(node, released, MediaType.CSV).content
    with node.http("pat") as http:
        token, keys = http.get(f"/v1/releases/{released}/statement").text, http.get("/v1/keys").json()
    columns = verify_statement(token, keys).payload["table"]["columns"]
    assert verify_statement(token, keys, table_of_csv(content, columns)).table_checked
    changed = re.sub(rb",(\d)", rb",9\1", content, count=1)
    with pytest.raises(VerificationError):
        verify_statement(token, keys, table_of_csv(changed, columns))


def test_the_statement_stands_beside_and_is_verified(node: Running, released: str) -> None:
    with node.http("pat") as http:
        answer = http.get(f"/v1/releases/{released}/statement")
        assert answer.headers["content-type"].startswith("application/jose")
        assert http.post("/v1/verify", json={"statement": answer.text}).json()["valid"]
        other = {"statement": answer.text, "table_digest": "sha256:" + "0" * 64}
        assert http.post("/v1/verify", json=other).json()["table_matches"] is False
        head, payload, signature = answer.text.split(".")
        forged = http.post("/v1/verify", json={"statement": f"{head}.{payload[:-4]}AAAA.{signature}"}).json()
        assert (forged["valid"], forged["statement"]) == (False, None)
        said = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        for change in ({"run": "run_0"}, {"release": "rel_0"}):
            by_a_thief = node.node.signing_key.sign(canonical_json(said | change), STATEMENT_TYPE)
            found = http.post("/v1/verify", json={"statement": by_a_thief}).json()
            assert (found["valid"], found["fault"]) == (False, "statement_not_issued")
    assert '; rel="describedby"' in fetch(node, released, "*/*").headers["link"]


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/*", "text/csv; charset=utf-8"),
        ("application/json;q=0.1, text/csv;q=0.9", "text/csv; charset=utf-8"),
        ("application/json;q=0, */*", "text/csv; charset=utf-8"),
    ],
)
def test_the_best_liked_format_is_sent(node: Running, released: str, accept: str, content_type: str) -> None:
    assert fetch(node, released, accept).headers["content-type"] == content_type


def test_a_release_is_immutable_and_known_by_its_etag(node: Running, released: str) -> None:
    first = fetch(node, released, MediaType.CSV)
    assert first.headers["cache-control"] == "private, no-cache"  # a recall has to be noticed
    again = fetch(node, released, MediaType.CSV, **{"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert (
        fetch(node, released, MediaType.JSON, **{"If-None-Match": first.headers["etag"]}).status_code == 200
    )


@pytest.mark.parametrize("path", ["", "/about", "/statement"])
def test_a_release_is_not_for_other_bodies(node: Running, released: str, path: str) -> None:
    statuses = {}
    for person in ("pat", "eve", "olu", "sam", "ada"):
        with node.http(person) as http:
            statuses[person] = http.get(f"/v1/releases/{released}{path}").status_code
    assert statuses == {"pat": 200, "eve": 404, "olu": 200, "sam": 404, "ada": 200}


def test_two_custodians_each_decide_for_their_own(node: Running) -> None:
    request = ask(node, sql=BOTH_SQL)
    assert request["state"] == "submitted"
    assert request["datasets"] == {"people": "office", "vacancies": "skills_board"}
    path, body = (
        f"/v1/requests/{request['request']}",
        {"reason": "fine", "plan_digest": request["plan_digest"]},
    )
    with node.http("pat") as http:
        run = http.post(f"{path}/runs", json={})
        assert run.json()["code"] == "request_not_usable"
        assert "office, skills_board" in run.json()["detail"]
    with node.http("olu") as olu, node.http("oma") as oma, node.http("sam") as sam:
        assert olu.post(f"{path}/approve", json=body).json()["state"] == "under_review"
        assert oma.post(f"{path}/approve", json=body).json()["code"] == "wrong_state"
        stale = {**body, "plan_digest": "sha256:" + "0" * 64}
        assert sam.post(f"{path}/approve", json=stale).json()["code"] == "plan_changed"
        past = sam.post(f"{path}/approve", json={**body, "valid_until": "2020-01-01T00:00:00Z"})
        assert [fault["pointer"] for fault in past.json()["errors"]] == ["/valid_until"]
        for _ in range(2):
            approved = sam.post(f"{path}/approve", json=body, headers={"Idempotency-Key": "approve"})
            assert approved.json()["state"] == "approved"
        assert sam.post(f"{path}/revoke", json={"reason": "a mistake"}).json()["state"] == "revoked"
    with node.http("pat") as http:
        refused = http.post(f"{path}/runs", json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "request_not_usable")


def test_of_two_decisions_at_once_one_stands(node: Running) -> None:
    request = ask(node, sql=CUSTODIAN_SQL)
    path = f"/v1/requests/{request['request']}"
    body = {"reason": "at once", "plan_digest": request["plan_digest"]}
    answers: dict[str, httpx.Response] = {}
    start = threading.Barrier(2)

    def decide(person: str, act: str, sent: dict[str, str]) -> None:
        with node.http(person) as http:
            start.wait()
            answers[act] = http.post(f"{path}/{act}", json=sent)

    threads = [
        threading.Thread(target=decide, args=("olu", "approve", body)),
        threading.Thread(target=decide, args=("oma", "refuse", {"reason": "at once"})),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers.values()) == [200, 409]
    with node.http("ada") as http:
        stands = http.get(path).json()
    assert len(stands["decisions"]) == 1
    won = "approved" if answers["approve"].status_code == 200 else "refused"
    assert stands["state"] == won


def test_who_sees_which_requests(node: Running) -> None:
    request = ask(node, sql=CUSTODIAN_SQL)["request"]
    seen = {}
    for person in ("pat", "eve", "olu", "sam", "ada"):
        with node.http(person) as http:
            listed = {item["request"] for item in http.get("/v1/requests?limit=500").json()["requests"]}
            status = http.get(f"/v1/requests/{request}").status_code
            seen[person] = (request in listed, status)
    assert seen == {
        "pat": (True, 200),
        "eve": (False, 404),
        "olu": (True, 200),
        "sam": (False, 404),
        "ada": (True, 200),
    }


def test_a_custodian_reviews_the_question_and_the_sql_at_the_source(node: Running) -> None:
    request = ask(node, sql=CUSTODIAN_SQL)["request"]
    with node.http("olu") as http:
        detail = http.get(f"/v1/requests/{request}/explanation").json()
    assert detail["explanation"]["question"].startswith("The number of people")
    assert detail["explanation"]["sql_as_asked"] == CUSTODIAN_SQL
    assert "record_key" in detail["explanation"]["source_sql"][0]
    assert detail["refusals"] == []


def test_a_dry_run_is_waited_for_as_long_as_the_node_lets_it_take(node: Running) -> None:
    sent: list[tuple[str, float]] = []
    http = httpx.Client(base_url=node.url, timeout=30)
    with connect(node.url, person="olu", http=http) as olu:
        http.timeout = httpx.Timeout(0.5)
        http.event_hooks = {"request": [lambda r: sent.append((r.url.path, r.extensions["timeout"]["read"]))]}
        path = f"/v1/requests/{ask(node, sql=CUSTODIAN_SQL)['request']}/dry-run"
        held = threading.Event()

        def hold() -> None:
            with node.node.database.write():
                held.set()
                time.sleep(1)

        holder = threading.Thread(target=hold)
        holder.start()
        held.wait()
        assert olu.dry_run(path.split("/")[3])["parts"]
        holder.join()
    limit = node.node.settings.limits.run_seconds
    assert [each for each in sent if each[0] == path] == [(path, 0.5 + limit)], (
        "and not given up and sent again"
    )


def test_parameters_have_domains(node: Running) -> None:
    sql = "SELECT count(*) AS people FROM people WHERE area = $area"
    body = {**ASK, "sql": sql, "parameters": {"area": ["A0", "A1", "A99"]}}
    with node.http("pat") as http:
        none = http.post("/v1/requests", json={**body, "parameters": {}}).json()
        assert none["code"] == "query_refused"
        assert [fault["pointer"] for fault in none["errors"]] == ["/parameters/area"]
        request = http.post("/v1/requests", json=body).json()
        path = f"/v1/requests/{request['request']}/runs"
        assert request["state"] == "approved"
        assert request["question"].endswith("$area, here Area 0, may be any of Area 0, Area 1 and A99.")
        for values, code in (({}, "parameter_missing"), ({"area": "A2"}, "parameter_invalid")):
            answer = http.post(path, json={"parameters": values})
            assert [fault["code"] for fault in answer.json()["errors"]] == [code]
        senseless = http.post(path, json={"parameters": {"area": "A99"}}).json()
        assert [fault["code"] for fault in senseless["errors"]] == ["unknown_code"]
        unknown = http.post(path, json={"parameters": {"area": "A0", "sex": "F"}}).json()
        assert unknown["errors"][0]["pointer"] == "/parameters/sex"
        assert http.post(path, json={"parameters": {"area": "A1"}}).status_code == 202


def test_an_expired_agreement_is_refused(node: Running) -> None:
    with node.http("eve") as http:
        body = {"sql": STANDING_SQL, "agreement": "finished", "purpose": PURPOSE}
        answer = http.post("/v1/requests", json=body).json()
    assert [fault["code"] for fault in answer["errors"]] == ["agreement_expired"]


def test_check_says_who_decides(node: Running) -> None:
    with node.http("pat") as http:
        check = http.post("/v1/check", json={"sql": BOTH_SQL}).json()
        assert check["decided_by"] == {"people": "office", "vacancies": "skills_board"}
        assert http.post("/v1/check", json={"sql": "SELECT * FROM people"}).json()["accepted"] is False


def test_the_catalogue_tells_all_but_where_the_data_stands(node: Running) -> None:
    with node.http("pat") as http:
        found = http.get("/v1/catalogue/datasets", params={"search": "working AGE"}).json()["datasets"]
        assert [dataset["dataset"] for dataset in found] == ["people"]
        text = http.get("/v1/catalogue/datasets/people").text
        assert "parquet" not in text
        assert "record_key" not in text
        codes = http.get("/v1/catalogue/codelists/geography", params={"search": "north"}).json()
        assert [(code["level"], code["code"]) for code in codes["codes"]] == [("region", "N")]
        assert http.get("/v1/catalogue/agreements").json()["agreements"][0]["in_force"] is True
        unknown = http.get("/v1/catalogue/datasets/peple").json()
        assert unknown["errors"][0]["remedy"] == "did you mean `people`?"


def test_probes_and_metrics_tell_no_identifiers(node: Running, released: str) -> None:
    fetch(node, released, MediaType.CSV)
    with node.http() as http:
        assert http.get("/healthz").json() == {"status": "ok", "node": "test_node"}
        assert http.get("/readyz").json()["status"] == "ready"
        text = http.get("/metrics").text
    assert 'federation_runs{state="done"}' in text
    assert 'route="/v1/releases/{release}"' in text
    assert released not in text


def test_the_token_endpoint_says_what_it_is(node: Running) -> None:
    with node.http() as http:
        metadata = http.get("/.well-known/oauth-authorization-server").json()
        assert metadata["token_endpoint"].endswith("/oauth/token")
        assert "demonstrations and tests only" in metadata["notice"]
        wrong = http.post("/oauth/token", data={"grant_type": "client_credentials", "client_id": "dashboard"})
        assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
        assert http.post("/oauth/token", json={}).status_code == 415
