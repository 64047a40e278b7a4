"""Acting for another body at the pages: chosen, shown, kept apart, and over with the delegation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from federation.api.signed_in import CSRF_FIELD
from tests.support.node import CUSTODIAN_SQL, FILES, PURPOSE, Running, running, write_node

HTML = {"Accept": "text/html"}
LAST_DAY = datetime(2026, 5, 31, 20, tzinfo=UTC)
DELEGATIONS = """\
identity:
  session_idle_minutes: 1440
  delegations:
    - delegation: eve_for_ay
      subject: eve
      body: greater_ay
      roles: [planner]
      instrument: <b>Deed</b> of 1 March
      from: 2026-03-01
      until: 2026-05-31
    - delegation: eve_for_office
      subject: eve
      body: office
      roles: [auditor]
      instrument: Deed of 2020
      from: 2020-03-01
      until: 2020-05-31
"""
EFFSHIRE = """\
- agreement: effshire
  title: Effshire
  version: "1"
  bodies: [effshire]
  datasets: [people]
  purposes: [skills planning]
  legal_gateway: Digital Economy Act 2017, Part 5
  start: 2025-01-01
  review: 2026-01-01
  end: 2090-01-01
"""


class Clock:
    now = LAST_DAY

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Iterator[Running]:
    settings = FILES["node.yaml"].replace("identity:\n", DELEGATIONS)
    changes = {"node.yaml": settings, "agreements/effshire.yaml": EFFSHIRE}
    with running(write_node(tmp_path_factory.mktemp("node"), changes, rows=300), clock=clock) as found:
        yield found


@pytest.fixture
def eve(node: Running, clock: Clock) -> Iterator[httpx.Client]:
    clock.now = LAST_DAY
    with httpx.Client(base_url=node.url, headers=HTML, timeout=30) as client:
        client.post("/sign-in", data={"person": "eve"})
        yield client


def token(client: httpx.Client) -> str:
    found = re.search(rf'name="{CSRF_FIELD}" value="(\w+)"', client.get("/").text)
    assert found
    return found[1]


def act_for(client: httpx.Client, body: str) -> httpx.Response:
    return client.post("/acting-for", data={"body": body, CSRF_FIELD: token(client)})


def asked(client: httpx.Client, agreement: str, sql: str) -> str:
    form = {"sql": sql, "agreement": agreement, "purpose": PURPOSE, CSRF_FIELD: token(client)}
    return str(client.post("/requests", data=form).headers["location"])


def test_only_those_with_a_delegation_in_force_have_a_choice(node: Running, eve: httpx.Client) -> None:
    page = eve.get("/acting-for").text
    assert "Greater Ay Combined Authority" in page
    assert "&lt;b&gt;Deed&lt;/b&gt; of 1 March, until 31 May 2026" in page
    assert 'value="office"' not in page
    for body in ("office", "skills_board", "", "nobody"):
        answer = act_for(eve, body)
        assert answer.status_code == 422
        assert "Choose for whom you act" in answer.text
    assert "Effshire Council" in eve.get("/").text
    with httpx.Client(base_url=node.url, headers=HTML) as pat:
        pat.post("/sign-in", data={"person": "pat"})
        assert "/acting-for" not in pat.get("/").text
        assert act_for(pat, "effshire").status_code == 422


def test_each_body_has_its_own_requests_and_the_header_says_for_whom(eve: httpx.Client) -> None:
    own = asked(eve, "effshire", CUSTODIAN_SQL)
    before = dict(eve.cookies)
    stale = token(eve)
    assert act_for(eve, "greater_ay").headers["location"] == "/"
    assert dict(eve.cookies) != before
    assert "acting for Greater Ay Combined Authority" in eve.get("/datasets").text
    assert eve.get(own).status_code == 403
    assert "act for that body" in eve.get(own).text
    assert eve.post("/acting-for", data={"body": "effshire", CSRF_FIELD: stale}).status_code == 403
    given = asked(eve, "planning", CUSTODIAN_SQL)
    listed = eve.get("/requests").text
    assert given in listed
    assert own not in listed
    assert act_for(eve, "effshire").status_code == 303
    assert "acting for" not in eve.get("/").text
    listed = eve.get("/requests").text
    assert own in listed
    assert given not in listed
    assert eve.get(given).status_code == 403
    form = {"sql": CUSTODIAN_SQL, "agreement": "effshire", "save": "yes", "change": given.split("/")[-1]}
    assert eve.post("/ask", data={**form, CSRF_FIELD: token(eve)}).status_code == 403


def test_a_session_ends_with_the_delegation_and_never_falls_back_to_ones_own(
    node: Running, eve: httpx.Client, clock: Clock
) -> None:
    act_for(eve, "greater_ay")
    kept = token(eve)
    clock.now = LAST_DAY + timedelta(hours=4)
    answer = eve.get("/requests")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/requests")
    form = {"sql": CUSTODIAN_SQL, "agreement": "planning", "purpose": PURPOSE, CSRF_FIELD: kept}
    assert eve.post("/requests", data=form).status_code == 403
    eve.post("/sign-in", data={"person": "eve"})
    page = eve.get("/").text
    assert "Effshire Council" in page
    assert "/acting-for" not in page
    assert act_for(eve, "greater_ay").status_code == 422


def test_nobody_acts_for_a_body_without_a_form_of_their_own_session(eve: httpx.Client) -> None:
    assert eve.post("/acting-for", data={"body": "greater_ay"}).status_code == 403
    assert eve.get("/acting-for", params={"body": "greater_ay"}).status_code == 200
    assert "acting for" not in eve.get("/").text
