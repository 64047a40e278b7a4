"""A running node in hard times, as seen over HTTP: agreements that end, decisions at once, a full disk."""

from __future__ import annotations

import os
import subprocess
import threading
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from federation.audit.chain import verify_chain
from federation.identity.principal import Delegation, NodeRole, Principal
from federation.service import requests
from federation.service.questions import Ask
from tests.support.node import BOTH_SQL, FILES, PURPOSE, STANDING_SQL, Running, running, write_node

ASK = {"sql": STANDING_SQL, "agreement": "planning", "purpose": PURPOSE}


def asked(node: Running) -> tuple[str, str]:
    """A request that is approved at once, and the release of its run."""
    request = node.session("pat").request(STANDING_SQL, purpose=PURPOSE, agreement="planning")
    return request.id, request.fetch().release


def told(node: Running, request: str, release: str) -> dict[str, Any]:
    """What a planner is told about the old request and about asking anew."""
    with node.http("pat") as http:
        run = http.post(f"/v1/requests/{request}/runs")
        anew = http.post("/v1/requests", json=ASK)
        return {
            "run": (run.status_code, run.json()["code"]),
            "anew": [(error["code"], error["pointer"]) for error in anew.json()["errors"]],
            "check": [fault["code"] for fault in http.post("/v1/check", json=ASK).json()["refusals"]],
            "state": http.get(f"/v1/requests/{request}").json()["state"],
            "release": http.get(f"/v1/releases/{release}").status_code,
        }


def test_an_agreement_that_ends_while_the_node_runs(tmp_path: Path) -> None:
    with running(write_node(tmp_path)) as node:
        request, release = asked(node)
    with running(tmp_path, clock=lambda: datetime(2090, 1, 2, tzinfo=UTC)) as node:
        assert told(node, request, release) == {
            "run": (409, "request_not_usable"),
            "anew": [("agreement_expired", "/agreement")],
            "check": ["agreement_expired"],
            "state": "expired",
            "release": 200,
        }


def test_a_request_ends_with_the_delegation_under_which_it_was_made(tmp_path: Path) -> None:
    """Its last day is a day of it."""
    deed = Delegation("deed", "Deed of 1 March", date(2089, 12, 31))
    eve = Principal("eve", "Eve Elsewhere", "greater_ay", frozenset({NodeRole.PLANNER}), deed)
    with running(write_node(tmp_path)) as node:
        request = requests.submit(node.node, eve, Ask(STANDING_SQL, "planning", PURPOSE)).request
    states = {}
    for now in (datetime(2089, 12, 31, 23, tzinfo=UTC), datetime(2090, 1, 1, tzinfo=UTC)):
        with running(tmp_path, clock=lambda: now) as node:  # noqa: B023 - within this turn
            view = requests.get(node.node, eve, request)
            states[now.year] = (view.state, view.usable, "deed" in view.reason)
    assert states == {2089: ("approved", True, False), 2090: ("expired", False, True)}


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (
            FILES["agreements/planning.yaml"].replace("end: 2090-01-01", "end: 2026-02-01"),
            "agreement_expired",
        ),
        ("- agreement" + FILES["agreements/planning.yaml"].split("- agreement")[2], "no_agreement"),
    ],
    ids=["cut short", "removed"],
)
def test_an_agreement_that_is_changed_at_a_restart(tmp_path: Path, document: str, code: str) -> None:
    with running(write_node(tmp_path)) as node:
        request, release = asked(node)
    (tmp_path / "agreements" / "planning.yaml").write_text(document)
    with running(tmp_path) as node:
        assert told(node, request, release) == {
            "run": (409, "request_not_usable"),
            "anew": [(code, "/agreement")],
            "check": [code],
            "state": "superseded",
            "release": 200,
        }
        with node.http("olu") as http:
            explained = http.get(f"/v1/requests/{request}/explanation")
            assert explained.status_code == 200


def test_two_custodians_decide_at_once(tmp_path: Path) -> None:
    with running(write_node(tmp_path)) as node:
        people = {name: node.http(name) for name in ("olu", "oma", "sam")}
        for _ in range(4):
            request = node.session("pat").request(BOTH_SQL, purpose=PURPOSE, agreement="planning")
            body = {"reason": "fine", "plan_digest": request.plan_digest}
            answers: dict[str, int] = {}
            barrier = threading.Barrier(3)

            def decide(
                name: str, request: str = request.id, body: dict[str, Any] = body,
                answers: dict[str, int] = answers, barrier: threading.Barrier = barrier,
            ) -> None:  # fmt: skip
                barrier.wait()
                answers[name] = people[name].post(f"/v1/requests/{request}/approve", json=body).status_code

            threads = [threading.Thread(target=decide, args=(name,)) for name in people]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert answers["sam"] == 200
            assert sorted((answers["olu"], answers["oma"])) in ([200, 403], [200, 409]), answers
            found = request.refresh()
            assert found.state == "approved"
            assert len(found.fields["decisions"]) == 2, "one for each dataset"
        assert len(request.fetch())
        with node.node.database.read() as session:
            assert verify_chain(session).whole
        for http in people.values():
            http.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system is mounted, which only root may do")
def test_a_disk_that_is_full_refuses_and_the_node_goes_on_when_there_is_room(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        node_yaml = FILES["node.yaml"] + f"state_dir: {disk}/state\n"
        with running(write_node(tmp_path / "node", {"node.yaml": node_yaml})) as node:
            request, release = asked(node)
            with (disk / "filler").open("ab", buffering=0) as filler, suppress(OSError):
                while True:
                    filler.write(b"x" * 4096)
            with node.http("pat") as http:
                full = http.post(f"/v1/requests/{request}/runs")
                assert (full.status_code, full.json()["code"]) == (503, "state_unavailable")
                assert http.get(f"/v1/releases/{release}").status_code == 200
                (disk / "filler").unlink()
                assert http.post(f"/v1/requests/{request}/runs").status_code == 202
            with node.node.database.read() as session:
                assert verify_chain(session).whole
    finally:
        subprocess.run(["umount", str(disk)], check=False)
