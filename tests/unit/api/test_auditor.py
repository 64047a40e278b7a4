"""Least privilege: an auditor sees everything and changes nothing; roles do what the table says, and no more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from federation.identity.principal import NodeRole, Principal
from federation.service.permissions import PERMISSIONS, Act, permitted
from tests.support.node import CUSTODIAN_SQL, PURPOSE, STANDING_SQL, Running, running, write_node

READ_ONLY = {
    ("POST", "/oauth/token"): "gives a token, and is asked without one",
    ("POST", "/v1/verify"): "says whether this node signed a statement",
    ("POST", "/v1/audit/verification"): "follows the audit chain",
    ("POST", "/v1/audit/checkpoints"): "signs the head of the audit chain, which records that it did",
    ("PUT", "/v1/notices/subscription"): "has oneself told of what one may see",
    ("DELETE", "/v1/notices/subscription"): "ends that",
}
"""What is asked with another method than GET and changes nothing that a node decides, holds or gives away."""

TABLES = ("requests", "request_datasets", "decisions", "runs", "releases", "ledger", "idempotency_keys")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory = write_node(tmp_path_factory.mktemp("node"))
    settings = directory / "node.yaml"
    reviewer = "    - {person: rex, name: Rex Reviewer, body: office, roles: [reviewer]}\n  programs:\n"
    settings.write_text(settings.read_text().replace("  programs:\n", reviewer))
    with running(directory) as found:
        yield found


def counted(node: Running) -> dict[str, object]:
    """How much there is, and in which states."""
    with node.node.database.read() as session:
        found: dict[str, object] = {
            table: session.execute(text(f"select count(*) from {table}")).scalar_one() for table in TABLES
        }
        for table in ("requests", "runs"):
            rows = session.execute(text(f"select id, state from {table} order by id")).all()
            found[f"{table} by state"] = [tuple(row) for row in rows]
        return found


def test_an_auditor_sees_everything_and_changes_nothing(node: Running) -> None:
    with node.session("pat") as planner:
        waiting = planner.request(CUSTODIAN_SQL, agreement="planning", purpose=PURPOSE)
        approved = planner.request(STANDING_SQL, agreement="planning", purpose=PURPOSE)
        release = approved.fetch().release
        run = approved.runs()[0]["run"]
    with node.http("ada") as auditor:
        document = auditor.get("/openapi.json").json()
        before = counted(node)
        for request in (waiting.id, approved.id):
            things = {
                "request": request,
                "run": run,
                "release": release,
                "dataset": "people",
                "codelist": "geography",
                "query": "none",
                "kind": "request",
                "subject": request,
            }
            for path, methods in document["paths"].items():
                for method, operation in methods.items():
                    probe = method == "get" and not path.startswith("/v1/")
                    feed = "{token}" in path  # whoever has the token reads that feed, and nothing else
                    if (method.upper(), path) in READ_ONLY or probe or feed:
                        continue
                    place = path.format_map(things)
                    if method == "get":
                        assert auditor.get(place).status_code == 200, path
                        continue
                    body = sample(document, operation)
                    if path == "/v1/requests":
                        body |= {"agreement": "planning", "purpose": PURPOSE}
                    answer = auditor.request(method.upper(), place, json=body)
                    assert (answer.status_code, answer.json().get("code")) == (403, "not_permitted"), (
                        method,
                        path,
                    )
        assert counted(node) == before


def sample(document: dict[str, Any], operation: dict[str, Any]) -> Any:
    """A body that the operation takes, made after its description, so that nothing but the role is against it."""
    content = operation.get("requestBody", {}).get("content", {})
    return _sample(document, content["application/json"]["schema"]) if content else None


def _sample(document: dict[str, Any], schema: dict[str, Any]) -> Any:
    if "$ref" in schema:
        return _sample(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if "properties" in schema:
        needed = schema.get("required", ())
        return {name: _sample(document, schema["properties"][name]) for name in needed}
    if schema.get("examples"):
        return schema["examples"][0]
    if "anyOf" in schema:
        return _sample(document, schema["anyOf"][0])
    if "enum" in schema:
        return schema["enum"][0]
    kinds: dict[str, Any] = {
        "string": "text",
        "integer": 1,
        "number": 1,
        "boolean": True,
        "array": [],
        "object": {},
    }
    return kinds[schema["type"]]


@pytest.mark.parametrize("role", list(NodeRole))
def test_who_may_do_what(role: NodeRole) -> None:
    somebody = Principal("x", "X", "office", frozenset({role}))
    may = {act for act in Act if permitted(somebody, act)}
    sees = {Act.READ_CATALOGUE, Act.SEE_ALL, Act.READ_AUDIT}
    assert (
        may
        == {
            NodeRole.PLANNER: {Act.READ_CATALOGUE, Act.CHECK, Act.REQUEST, Act.RUN, Act.COMMENT},
            NodeRole.ANALYST: {Act.READ_CATALOGUE, Act.CHECK, Act.REQUEST, Act.RUN, Act.COMMENT},
            NodeRole.CUSTODIAN: {Act.READ_CATALOGUE, Act.CHECK, Act.DECIDE, Act.SEE_CUSTODY, Act.COMMENT},
            NodeRole.REVIEWER: {Act.READ_CATALOGUE, Act.CHECK, Act.REVIEW, Act.SEE_CUSTODY, Act.COMMENT},
            NodeRole.AUDITOR: sees,
            NodeRole.ADMINISTRATOR: sees,
        }[role]
    )
    assert set(PERMISSIONS) == set(Act)


def test_a_reviewer_reads_like_a_custodian_and_decides_not_like_one(node: Running) -> None:
    with node.session("pat") as planner:
        waiting = planner.request(CUSTODIAN_SQL, agreement="planning", purpose=PURPOSE)
    with node.http("rex") as reviewer, node.http("olu") as custodian:
        seen = [http.get("/v1/requests").json() for http in (reviewer, custodian)]
        assert seen[0] == seen[1]
        assert waiting.id in {found["request"] for found in seen[0]["requests"]}
        assert reviewer.get(f"/v1/requests/{waiting.id}/explanation").status_code == 200
        reason = {"reason": "mine"}
        for act, ruling in (
            ("approve", reason | {"plan_digest": waiting.plan_digest}),
            ("refuse", reason),
            ("revoke", reason),
        ):
            assert reviewer.post(f"/v1/requests/{waiting.id}/{act}", json=ruling).status_code == 403
