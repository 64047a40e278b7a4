"""The audit trail over HTTP: for auditors alone, whole, and held against checkpoints."""

from __future__ import annotations

from tests.support.node import PURPOSE, STANDING_SQL, Running


def test_an_auditor_follows_what_happened(node: Running) -> None:
    answer = node.session("pat").request(STANDING_SQL, purpose=PURPOSE, agreement="planning").fetch()
    run = answer.statement["run"]
    with node.http("ada") as http:
        signed = http.post("/v1/audit/checkpoints")
        assert signed.status_code == 201
        events = http.get("/v1/audit/events", params={"subject": run}).json()["events"]
        assert [event["action"] for event in events] == ["run.queued", "run.claimed", "fragment.started"]
        assert events[0]["actor"] == "pat"
        whole = http.post("/v1/audit/verification", json={"checkpoint": signed.json()["checkpoint"]}).json()
        assert (whole["whole"], whole["fault"]) == (True, None)
        wrong = http.post("/v1/audit/verification", json={"checkpoint": "a.b.c"})
        assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid_request")
    for person in ("pat", "olu"):
        with node.http(person) as http:
            assert http.get("/v1/audit/events").json()["code"] == "not_permitted"


def test_a_release_tells_its_provenance_in_the_words_of_prov(node: Running) -> None:
    answer = node.session("pat").request(STANDING_SQL, purpose=PURPOSE, agreement="planning").fetch()
    with node.http("pat") as http:
        found = http.get(f"/v1/releases/{answer.release}/provenance").json()
    assert "prov" in found["@context"]
    assert any(answer.release in item["@id"] for item in found["@graph"])
