"""A worker as a process of its own, for tests that kill it or race it: python -m tests.support.state_worker …

Each command prints what it did. ``step`` names where the process kills itself, as a power cut would.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from federation.audit.events import AuditAction
from federation.release.files import ReleaseStore
from federation.state import releases, runs
from federation.state.database import Database
from federation.state.errors import LeaseLost, RosterTaken, StateConflict, TransitionNotAllowed
from tests.support.state import ANN, LEASE, NOW, approve, cell_query, event, joint_given, new_release

STEPS = (
    "before_claim",
    "in_claim",
    "after_claim",
    "after_cells",
    "after_files",
    "in_finish",
    "after_finish",
    "never",
)


def die_at(step: str, here: str) -> None:
    if step == here:
        os.kill(os.getpid(), signal.SIGKILL)


def work(root: Path, run_id: str, step: str) -> None:
    """One run from claim to release."""
    database, store = Database.open(root / "state.sqlite"), ReleaseStore(root / "files")
    owner = f"worker-{os.getpid()}"
    die_at(step, "before_claim")
    with database.write() as session:
        lease = runs.claim_run(session, run_id, owner, NOW, LEASE, event(AuditAction.RUN_CLAIMED, run_id))
        die_at(step, "in_claim")
    die_at(step, "after_claim")
    cells = store.put_cells(pa.table({"n": [1, 2, 3]}))
    die_at(step, "after_cells")
    file = store.put_release(pa.table({"learners": [120]}), "statement")
    die_at(step, "after_files")
    release = new_release(path=file.path, file_digest=file.digest)
    ledger = [cell_query(cells_digest=cells.digest)]
    happening = event(AuditAction.RELEASE_ISSUED, release.id)
    with database.write() as session:
        releases.finish_run(session, lease, release, ledger, NOW, happening)
        die_at(step, "in_finish")
    die_at(step, "after_finish")
    say("released")


def claim_any(root: Path) -> None:
    """Claim runs until there are no more; print those that were won."""
    database = Database.open(root / "state.sqlite")
    ready()
    while True:
        with database.read() as session:
            run_id = runs.next_queued(session)
        if run_id is None:
            return
        try:
            with database.write() as session:
                happening = event(AuditAction.RUN_CLAIMED, run_id)
                runs.claim_run(session, run_id, str(os.getpid()), NOW, LEASE, happening)
        except LeaseLost:
            continue
        say(run_id)


def decide(root: Path, *request_ids: str) -> None:
    """Approve requests; print those for which this process was the one."""
    database = Database.open(root / "state.sqlite")
    ready()
    for request_id in request_ids:
        try:
            with database.write() as session:
                approve(session, request_id, ANN)
        except (TransitionNotAllowed, StateConflict):
            continue
        say(request_id)


def join(root: Path, roster: str, *snapshots: str) -> None:
    """Count each snapshot with ``roster``; print the numbers of those for which no other roster was first."""
    database = Database.open(root / "state.sqlite")
    ready()
    for number, snapshot in enumerate(snapshots):
        with suppress(RosterTaken):
            with database.write() as session:
                joint_given(session, snapshot, roster)
            say(str(number))


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def ready() -> None:
    """Say so, and wait for the word, so that competitors start together."""
    say("ready")
    sys.stdin.readline()


if __name__ == "__main__":
    command, root, *rest = sys.argv[1:]
    {"work": work, "claim": claim_any, "decide": decide, "join": join}[command](Path(root), *rest)  # type: ignore[operator]
