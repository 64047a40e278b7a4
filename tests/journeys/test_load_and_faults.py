"""Two custodians at once, double clicks, killed servers, a restarted database: no decision is lost and none is doubled.

With real processes: one server on SQLite, two servers on one PostgreSQL.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from federation.audit.chain import head, verify_chain
from federation.client import FederationError, connect
from federation.identity.builtin import DEMO_GRANT
from federation.state import requests
from federation.state.database import Database
from tests.support import postgresql
from tests.support.mail import free_port
from tests.support.node import CUSTODIAN_SQL, FILES, PURPOSE, write_node
from tests.support.state import submitted
from tests.support.thorough import thorough

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
SECONDS = 60.0


@dataclass
class Servers:
    """The servers of one node, each a process; ``database`` is its PostgreSQL, where it has one."""

    directory: Path
    ports: list[int]
    database: postgresql.Running | None
    processes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, port: int) -> None:
        command = [
            sys.executable,
            "-m",
            "federation",
            "serve",
            "--config",
            str(self.directory),
            "--port",
            str(port),
        ]
        log = (self.directory / f"log-{port}").open("ab")
        self.processes[port] = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        end = time.monotonic() + SECONDS
        while True:
            with suppress(httpx.HTTPError):
                if httpx.get(f"http://127.0.0.1:{port}/readyz").is_success:
                    return
            assert self.processes[port].poll() is None, (self.directory / f"log-{port}").read_text()[-2000:]
            assert time.monotonic() < end
            time.sleep(0.1)

    def kill(self, port: int) -> None:
        self.processes[port].kill()
        self.processes[port].wait()

    def person(self, name: str, port: int) -> Person:
        return Person(name, f"http://127.0.0.1:{port}")


@dataclass
class Person:
    """Somebody who sends a decision again until it is answered, with the same key: as the project's client does."""

    name: str
    url: str
    token: str = ""

    def send(self, path: str, body: dict[str, object], key: str) -> httpx.Response:
        end = time.monotonic() + SECONDS
        while True:
            with suppress(httpx.HTTPError, KeyError):
                if not self.token:
                    form = {"grant_type": DEMO_GRANT, "client_id": "demo", "person": self.name}
                    self.token = httpx.post(f"{self.url}/oauth/token", data=form).json()["access_token"]
                headers = {"Authorization": f"Bearer {self.token}", "Idempotency-Key": key}
                answer = httpx.post(f"{self.url}{path}", json=body, headers=headers, timeout=30)
                if answer.status_code < 500 and answer.status_code != 401:
                    return answer
                self.token = "" if answer.status_code == 401 else self.token
            assert time.monotonic() < end, "nobody answers"
            time.sleep(0.05)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=thorough)])
def servers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    tmp_path = tmp_path_factory.mktemp("node")
    with ExitStack() as stack:
        database, told = None, ""
        ports = [free_port()]
        if request.param == "postgresql":
            pytest.importorskip("psycopg")
            database = stack.enter_context(postgresql.running())
            told = f"database: {{url: 'postgresql://federation@/postgres?host={database.home}'}}\n"
            ports.append(free_port())
        write_node(tmp_path, {"node.yaml": FILES["node.yaml"] + told})
        found = Servers(tmp_path, ports, database)
        try:
            for port in ports:
                found.start(port)
            yield found
        finally:
            for process in found.processes.values():
                process.terminate()
            for process in found.processes.values():
                process.wait()


def ask(servers: Servers, count: int) -> list[tuple[str, str]]:
    """Requests that wait for a custodian, each with its plan."""
    with connect(f"http://127.0.0.1:{servers.ports[0]}", person="pat") as pat:
        made = [pat.request(CUSTODIAN_SQL, agreement="planning", purpose=PURPOSE) for _ in range(count)]
        return [(each.id, each.plan_digest) for each in made]


def together(*acts: Callable[[], None]) -> None:
    failures: list[BaseException] = []

    def run(act: Callable[[], None]) -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001 - raised below
            failures.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures


def accounts(servers: Servers, asked: list[tuple[str, str]]) -> dict[str, list[str]]:
    """The outcomes of the decisions on each request, held against the audit trail."""
    with connect(f"http://127.0.0.1:{servers.ports[-1]}", person="ada") as ada:
        assert ada.verify_audit()["whole"]
        found = {}
        for request, _ in asked:
            view = ada.get_request(request).fields
            found[request] = [each["outcome"] for each in view["decisions"]]
            recorded = [each["action"] for each in ada.audit_events(subject=request)]
            assert Counter(recorded) == Counter(
                [
                    "request.submitted",
                    *(f"request.{'approved' if o == 'approve' else 'refused'}" for o in found[request]),
                ]
            )
        return found


def test_two_custodians_at_once_and_every_click_doubled(servers: Servers) -> None:
    asked = ask(servers, 6)
    answers: dict[tuple[str, str], list[httpx.Response]] = {}
    first, last = servers.ports[0], servers.ports[-1]

    def decide(name: str, port: int, act: str) -> None:
        person = servers.person(name, port)
        for request, digest in asked:
            body: dict[str, object] = {"reason": "at once"}
            if act == "approve":
                body["plan_digest"] = digest
            answer = person.send(f"/v1/requests/{request}/{act}", body, f"{act} {request}")
            answers.setdefault((request, act), []).append(answer)

    together(
        lambda: decide("olu", first, "approve"),
        lambda: decide("olu", last, "approve"),
        lambda: decide("oma", last, "refuse"),
        lambda: decide("oma", first, "refuse"),
    )
    for request, outcomes in accounts(servers, asked).items():
        assert len(outcomes) == 1
        for act in ("approve", "refuse"):
            once, again = answers[request, act]
            assert once.status_code == again.status_code == (200 if outcomes == [act] else 409)
            assert once.status_code == 409 or once.json() == again.json()


@thorough
def test_servers_are_killed_and_the_database_restarted_in_mid_decision(servers: Servers) -> None:
    asked = ask(servers, 12)
    done = threading.Event()

    def decide() -> None:
        person = servers.person("olu", servers.ports[0])
        try:
            for request, digest in asked:
                body: dict[str, object] = {"reason": "whatever happens", "plan_digest": digest}
                answer = person.send(f"/v1/requests/{request}/approve", body, f"approve {request}")
                assert (answer.status_code, answer.json()["state"]) == (200, "approved")
        finally:
            done.set()

    def disturb() -> None:
        time.sleep(0.2)
        servers.kill(servers.ports[0])
        servers.start(servers.ports[0])
        if servers.database is not None and not done.wait(0.3):
            servers.database.restart()

    together(decide, disturb)
    assert set(map(tuple, accounts(servers, asked).values())) == {("approve",)}


DIES = """
import os, signal, sys
from pathlib import Path
from federation.audit.chain import append
from federation.audit.events import AuditAction
from federation.state.database import Database
from tests.support.state import approve, event

where, request, step = sys.argv[1:]
database = Database.open(where if "://" in where else Path(where))
with database.write() as session:
    if step == "after the audit event":
        append(session, event(AuditAction.REQUEST_APPROVED, request))
    else:
        approve(session, request)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@contextmanager
def state(engine: str, directory: Path) -> Iterator[str]:
    if engine == "sqlite":
        yield str(directory / "state.sqlite")
        return
    pytest.importorskip("psycopg")
    with postgresql.server() as url:
        yield url


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_process_killed_between_audit_and_act_has_done_neither(engine: str, tmp_path: Path) -> None:
    with state(engine, tmp_path) as where:
        database = Database.open(where if "://" in where else Path(where))
        with database.write() as session:
            request = submitted(session).id
            before = head(session)
        for step in ("after the audit event", "after the act"):
            command = [sys.executable, "-c", DIES, where, request, step]
            assert subprocess.run(command, cwd=ROOT, env=dict(os.environ)).returncode == -9
            with database.read() as session:
                assert head(session) == before
                assert verify_chain(session).whole
                assert requests.decisions(session, request) == []
        database.close()


@thorough
def test_a_second_server_on_one_sqlite_state_is_refused(tmp_path: Path) -> None:
    servers = Servers(write_node(tmp_path), [free_port(), free_port()], None)
    try:
        servers.start(servers.ports[0])
        command = [
            sys.executable,
            "-m",
            "federation",
            "serve",
            "--config",
            str(tmp_path),
            "--port",
            str(servers.ports[1]),
        ]
        second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert second.returncode == 5
        assert "already serves" in second.stderr
        with connect(f"http://127.0.0.1:{servers.ports[0]}", person="pat") as pat, suppress(FederationError):
            assert pat.whoami()["subject"] == "pat"
    finally:
        for process in servers.processes.values():
            process.terminate()
            process.wait()
