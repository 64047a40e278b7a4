"""The forms of pages, as hostile or hasty senders send them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from fastapi.routing import APIRoute

from federation.web.site import PAGES
from tests.support.node import CUSTODIAN_SQL, PURPOSE, Running, running, write_node

OPEN = {"/sign-in", "/verify"}
"""Before there is a session, there is no token."""
QUERY = """\
query: by_region
title: People of a region
sql: SELECT count(*) AS people FROM people WHERE region = $region
agreement: planning
purpose: skills planning
parameters: {region: {title: Region, type: text, codelist: geography, level: region}}
decided_by: {office: olu}
decided_on: 2025-02-01
until: 2090-01-01
"""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(write_node(tmp_path_factory.mktemp("node"), {"queries/q.yaml": QUERY})) as found:
        yield found


@pytest.fixture
def pat(node: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=node.url, headers={"Accept": "text/html"}, timeout=30) as client:
        client.post("/sign-in", data={"person": "pat"})
        yield client


def token(client: httpx.Client) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/notices").text)
    assert found is not None
    return found.group(1)


def test_every_form_is_refused_without_the_token_of_its_session(pat: httpx.Client) -> None:
    routes = [route for module in PAGES for route in module.router.routes if isinstance(route, APIRoute)]
    paths = {route.path for route in routes if "POST" in route.methods} - OPEN
    assert {"/requests/{request_id}/decision", "/comments/{kind}/{subject}", "/standard/{query}"} <= paths
    for path in sorted(paths):
        place = path.replace("{kind}", "dataset").replace("{subject}", "people")
        address = re.sub(r"\{\w+\}", "by_region", place)
        for data in ({}, {"csrf_token": "forged"}):
            answer = pat.post(address, data={**data, "decision": "approve", "reason": "r"})
            assert (answer.status_code, "csrf_refused" in answer.text) == (403, True), path


def test_a_double_click_asks_and_runs_once(node: Running, pat: httpx.Client) -> None:
    form = {"csrf_token": token(pat), "key": "one click", "value-region": "North"}
    places = {pat.post("/standard/by_region", data=form).headers["location"] for _ in range(2)}
    assert len(places) == 1
    with node.http("pat") as http:
        assert len(http.get("/v1/requests").json()["requests"]) == 1
    form |= {"key": "a draft", "sql": CUSTODIAN_SQL, "purpose": PURPOSE, "save": "draft"}
    assert len({pat.post("/ask", data=form).headers["location"] for _ in range(2)}) == 1


def test_what_nobody_may_see_is_not_there_for_forms_either(node: Running, pat: httpx.Client) -> None:
    with node.http("pat") as http:
        body = {"sql": CUSTODIAN_SQL, "agreement": "planning", "purpose": PURPOSE, "draft": True}
        draft = http.post("/v1/requests", json=body).json()["request"]
    with httpx.Client(base_url=node.url, headers={"Accept": "text/html"}, timeout=30) as olu:
        olu.post("/sign-in", data={"person": "olu"})
        form = {"csrf_token": token(olu), "comment": "", "reason": "r", "decision": "approve", "appeal": ""}
        for path in (
            f"/requests/{draft}/decision",
            f"/requests/{draft}/take-up",
            f"/requests/{draft}/appeal",
            f"/comments/request/{draft}",
            "/releases/rel_none/recall",
        ):
            assert olu.post(path, data=form).status_code == 404, path
        assert olu.get(f"/ask?copy={draft}").status_code == 404
        assert olu.post("/ask", data={**form, "sql": "SELECT 1", "change": draft}).status_code == 404
    form = {"csrf_token": token(pat), "sql": CUSTODIAN_SQL, "agreement": "x" * 999, "save": "draft"}
    assert pat.post("/ask", data=form).status_code == 303
