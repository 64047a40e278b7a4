"""A node that is killed in the middle of a run: nothing is lost, nothing is released twice, the chain verifies."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.csv
import pytest

from federation.audit.chain import events, verify_chain
from federation.client import NodeUnreachable, Session, connect
from federation.state.models import LedgerEntry, Release
from tests.support.node import FILES, PURPOSE, STANDING_SQL, people, running, write_node
from tests.support.thorough import thorough

ROOT = Path(__file__).parents[2]
SERVE = """
import sys
from pathlib import Path
from federation.api.server import serve
from federation.composition import build_node

if __name__ == "__main__":
    serve(build_node(Path(sys.argv[1]), environment={}))
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    text = FILES["datasets/people.yaml"].replace("people.parquet", "people.csv")
    node = FILES["node.yaml"].replace("title: Test node", f"title: Test node\nport: {free_port()}")
    write_node(tmp_path, {"datasets/people.yaml": text, "node.yaml": node})
    pyarrow.csv.write_csv(people(3_000_000), tmp_path / "data" / "people.csv")
    return tmp_path


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def start(directory: Path, script: Path) -> subprocess.Popen[bytes]:
    script.write_text(SERVE)
    log = (directory / "log").open("wb")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, script, directory], env=environment, stderr=log)


def reach(directory: Path, process: subprocess.Popen[bytes]) -> Session:
    port = next(line for line in (directory / "node.yaml").read_text().splitlines() if "port:" in line)
    for _ in range(300):
        assert process.poll() is None, (directory / "log").read_text()
        try:
            return connect(f"http://127.0.0.1:{port.split()[1]}", person="pat")
        except NodeUnreachable:
            time.sleep(0.1)
    raise AssertionError("the node did not start")


@thorough
def test_a_killed_node_takes_the_run_up_again(directory: Path, tmp_path: Path) -> None:
    process = start(directory, tmp_path / "serve.py")
    try:
        pat = reach(directory, process)
        run = pat.request(STANDING_SQL, purpose=PURPOSE, agreement="planning").run()._run
        assert run is not None
        run_id = run["run"]
        while pat._transport.get(f"/v1/runs/{run_id}")["progress"] < 10:
            time.sleep(0.005)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    with running(directory) as node:
        pat = node.session("pat")
        found = pat._transport.get(f"/v1/runs/{run_id}")
        assert found["state"] != "done", "the node was killed too late"
        for _ in range(300):
            found = pat._transport.get(f"/v1/runs/{run_id}", wait=10)
            if found["state"] not in ("queued", "running"):
                break
        assert found["state"] == "done", found
        assert len(pat.release(found["release"])) == 2
        with node.node.database.read() as session:
            actions = [event.action for event in events(session, subject=run_id)]
            assert actions.count("run.claimed") == 2
            assert "run.requeued" in actions
            assert session.query(Release).count() == 1
            assert session.query(LedgerEntry).count() == 1
            assert verify_chain(session).whole


@thorough
def test_a_node_that_is_told_to_stop_gives_its_run_back(directory: Path, tmp_path: Path) -> None:
    process = start(directory, tmp_path / "serve.py")
    try:
        pat = reach(directory, process)
        run = pat.request(STANDING_SQL, purpose=PURPOSE, agreement="planning").run()._run
        assert run is not None
        while pat._transport.get(f"/v1/runs/{run['run']}")["state"] == "queued":
            time.sleep(0.005)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) in (0, -signal.SIGTERM)
    with running(directory) as node:
        pat = node.session("pat")
        found = pat._transport.get(f"/v1/runs/{run['run']}", wait=30)
        while found["state"] in ("queued", "running"):
            found = pat._transport.get(f"/v1/runs/{run['run']}", wait=30)
        assert found["state"] == "done", found
