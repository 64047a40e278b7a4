"""Real processes that are killed, and that compete: nothing is lost, nothing is released twice."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from federation.audit.chain import events, verify_chain
from federation.audit.events import AuditAction
from federation.release.files import ReleaseStore
from federation.state import idempotency, releases, requests, runs
from federation.state.database import Database
from federation.state.errors import StateConflict, StateUnavailable
from federation.state.lifecycle import RequestState, RunState
from tests.support.state import LEASE, NOW, approve, event, queued, submitted
from tests.support.state_worker import STEPS

REPOSITORY = Path(__file__).parents[3]
LATER = NOW + LEASE + timedelta(seconds=1)


def worker(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.state_worker", *arguments],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def race(*commands: tuple[str, ...]) -> list[list[str]]:
    """Run the commands at the same time; the lines that each printed."""
    workers = [worker(*command) for command in commands]
    for process in workers:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in workers:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    outputs = [process.communicate()[0] for process in workers]
    assert all(process.returncode == 0 for process in workers)
    return [output.split() for output in outputs]


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_a_worker_killed_at_any_step_loses_nothing_and_releases_nothing_twice(
    database: Database, tmp_path: Path, step: str
) -> None:
    with database.write() as session:
        run_id = queued(session)
    first = worker("work", str(tmp_path), run_id, step)
    first.communicate()
    assert first.returncode == (0 if step == "never" else -9)

    with database.write() as session:  # the next start of the node
        for dead in runs.dead_runs(session, LATER):
            runs.revive_run(session, dead, LATER, event(dead.fate.recorded_as, dead.run_id))
        keep = releases.referenced_digests(session)
        state = runs.get_run(session, run_id).state
    store = ReleaseStore(tmp_path / "files")
    store.sweep(keep)
    assert state is (RunState.DONE if step in {"after_finish", "never"} else RunState.QUEUED)

    if state is RunState.QUEUED:
        second = worker("work", str(tmp_path), run_id, "never")
        assert second.communicate()[0] == "released\n"

    with database.read() as session:
        assert runs.get_run(session, run_id).state is RunState.DONE
        release = releases.release_of_run(session, run_id)
        assert release is not None
        assert store.read(release.path, release.file_digest).to_pylist() == [{"learners": 120}]
        (entry,) = releases.ledger(session, "learners", "2025")
        assert entry.release_id == release.id
        issued = [happened for happened in events(session) if happened.action == AuditAction.RELEASE_ISSUED]
        assert [happened.subject for happened in issued] == [release.id]
        assert verify_chain(session).whole
        stored = {path.stem for path in (tmp_path / "files").rglob("*.parquet")}
        assert {f"sha256:{stem}" for stem in stored} == releases.referenced_digests(session)


def test_of_two_claimers_exactly_one_wins_each_run(database: Database, tmp_path: Path) -> None:
    with database.write() as session:
        waiting = {queued(session) for _ in range(12)}
    won = [
        run_id for claimed in race(("claim", str(tmp_path)), ("claim", str(tmp_path))) for run_id in claimed
    ]
    assert Counter(won) == dict.fromkeys(waiting, 1)
    with database.read() as session:
        claims = [
            happened.subject for happened in events(session) if happened.action == AuditAction.RUN_CLAIMED
        ]
        assert sorted(claims) == sorted(waiting)
        assert {runs.get_run(session, run_id).attempt for run_id in waiting} == {1}
        assert verify_chain(session).whole


def test_of_two_approvers_exactly_one_wins_each_request(database: Database, tmp_path: Path) -> None:
    with database.write() as session:
        waiting = [submitted(session).id for _ in range(12)]
    command = ("decide", str(tmp_path), *waiting)
    won = [request_id for decided in race(command, command) for request_id in decided]
    assert Counter(won) == dict.fromkeys(waiting, 1)
    with database.read() as session:
        for request_id in waiting:
            assert requests.get_request(session, request_id).state is RequestState.APPROVED
            assert len(requests.decisions(session, request_id)) == 1
        assert verify_chain(session).whole


def test_a_key_answers_once_replays_and_refuses_another_request(database: Database) -> None:
    digest = idempotency.request_digest("POST", "/v1/requests", b"{}")
    other = idempotency.request_digest("POST", "/v1/requests", b'{"a":1}')
    assert digest == idempotency.request_digest("post", "/v1/requests", b"{}")
    with database.write() as session:
        assert idempotency.recall(session, "bob", "k", digest) == idempotency.Fresh()
        idempotency.remember(session, "bob", "k", digest, 201, {"id": "req_1"}, NOW)
    with database.write() as session:
        assert idempotency.recall(session, "bob", "k", digest) == idempotency.Replay(201, {"id": "req_1"})
        assert idempotency.recall(session, "bob", "k", other) == idempotency.Conflict()
        assert idempotency.recall(session, "eve", "k", digest) == idempotency.Fresh()
        idempotency.forget_before(session, NOW)
        assert isinstance(idempotency.recall(session, "bob", "k", digest), idempotency.Replay)
        idempotency.forget_before(session, NOW + timedelta(seconds=1))
        assert idempotency.recall(session, "bob", "k", digest) == idempotency.Fresh()


def test_the_same_key_at_once_acts_once(database: Database) -> None:
    digest = idempotency.request_digest("POST", "/v1/requests", b"{}")
    answers: list[str] = []

    def post() -> None:
        with database.write() as session:
            seen = idempotency.recall(session, "bob", "k", digest)
            if isinstance(seen, idempotency.Fresh):
                made = submitted(session)
                idempotency.remember(session, "bob", "k", digest, 201, {"id": made.id}, NOW)
                answers.append(made.id)
            elif isinstance(seen, idempotency.Replay):
                answers.append(seen.response["id"])

    threads = [threading.Thread(target=post) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as session:
        assert len(requests.list_requests(session)) == 1
    assert len(answers) == 6
    assert len(set(answers)) == 1


def test_a_key_that_another_transaction_took_undoes_the_act(database: Database) -> None:
    def act() -> None:
        with database.write() as session:
            submitted(session)
            idempotency.remember(session, "bob", "k", "sha256:1", 201, {}, NOW)

    act()
    with pytest.raises(StateConflict):
        act()
    with database.read() as session:
        assert len(requests.list_requests(session)) == 1
        assert verify_chain(session).whole


FILL = """
import resource, sys
from pathlib import Path
from federation.state.database import Database
from federation.state.errors import StateUnavailable
from tests.support.state import submitted
root = Path(sys.argv[1])
database = Database.open(root / "state.sqlite")
size = (root / "state.sqlite-wal").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
done = 0
try:
    while True:
        with database.write() as session:
            submitted(session, sql="x" * 3_000)
        done += 1
except StateUnavailable as error:
    print(done, error.code)
"""


def test_a_full_disk_stops_the_state_whole(database: Database, tmp_path: Path) -> None:
    with database.write() as session:
        approve(session, submitted(session).id)
    filled = subprocess.run(
        [sys.executable, "-c", FILL, str(tmp_path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    done, code = filled.stdout.split()
    assert code == StateUnavailable.code
    with database.write() as session:
        assert len(requests.list_requests(session)) == 1 + int(done)
        assert verify_chain(session).whole
        submitted(session)
