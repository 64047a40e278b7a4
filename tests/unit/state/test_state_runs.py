"""Runs, leases, releases and the ledger against a real database."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from federation.audit.chain import events, head, verify_chain
from federation.audit.events import AuditAction
from federation.state import deciding, releases, runs
from federation.state.database import Database
from federation.state.deciding import Verdict
from federation.state.errors import (
    AlreadyReleased,
    LeaseLost,
    NotReleasable,
    PartitionsExhausted,
    RunCancelled,
    TransitionNotAllowed,
)
from federation.state.lifecycle import RunState
from federation.state.models import Release
from federation.state.releases import CellQueryRecord
from federation.state.runs import Fate, LeaseStatus
from federation.state.steps import Lease
from tests.support.state import (
    ANN,
    LEASE,
    NOW,
    PLAN,
    approve,
    cell_query,
    claim,
    event,
    new_release,
    queued,
    submitted,
)

LATER = NOW + LEASE + timedelta(seconds=1)


def finish(session: Session, lease: Lease, *cells: CellQueryRecord, **changes: object) -> Release:
    release = new_release(**changes)
    happening = event(AuditAction.RELEASE_ISSUED, release.id)
    return releases.finish_run(session, lease, release, cells, NOW, happening)


def revive(session: Session, maximum: int = 3) -> list[Fate]:
    dead = runs.dead_runs(session, LATER, maximum)
    for run in dead:
        runs.revive_run(session, run, LATER, event(run.fate.recorded_as, run.run_id))
    return [run.fate for run in dead]


def test_from_queue_to_release(database: Database) -> None:
    with database.write() as session:
        run_id = queued(session)
        assert runs.next_queued(session) == run_id
        lease = claim(session, run_id)
        assert runs.next_queued(session) is None
    with database.write() as session:
        assert runs.renew_lease(session, lease, 40, NOW, LEASE) is LeaseStatus.HELD
        assert runs.get_run(session, run_id).progress == 40
    with database.write() as session:
        release = finish(session, lease, cell_query(), cell_query(dataset="pay"))
    with database.read() as session:
        run = runs.get_run(session, run_id)
        assert (run.state, run.progress, run.lease_owner, run.ended_at) == (RunState.DONE, 100, None, NOW)
        assert releases.release_of_run(session, run_id) == releases.get_release(session, release.id)
        rows = list(releases.ledger(session, "learners", "2025", key_epoch=1))
        assert [(row.dataset, row.recipient, row.ordinal) for row in rows] == [
            ("learners", "gmca", 0),
            ("pay", "gmca", 1),
        ]
        assert rows[0].box == {"area": ["E08000001"]}
        assert list(releases.ledger(session, "learners", "2025", key_epoch=2)) == []
        assert releases.referenced_digests(session) == {release.file_digest, cell_query().cells_digest}
        actions = [happened.action for happened in events(session)]
        assert actions[-3:] == ["run.queued", "run.claimed", "release.issued"]
        assert verify_chain(session).whole


def test_only_an_approved_request_is_queued(database: Database) -> None:
    with database.write() as session:
        request_id = submitted(session).id
    with pytest.raises(TransitionNotAllowed), database.write() as session:
        queued(session, request_id)


def test_a_run_is_claimed_once(database: Database) -> None:
    with database.write() as session:
        run_id = queued(session)
        claim(session, run_id)
    with pytest.raises(LeaseLost), database.write() as session:
        claim(session, run_id, "worker-2")
    with database.read() as session:
        assert sum(happened.action == "run.claimed" for happened in events(session)) == 1


def test_a_dead_lease_is_requeued_and_its_holder_can_do_nothing_more(database: Database) -> None:
    with database.write() as session:
        run_id = queued(session)
        old = claim(session, run_id)
        assert runs.dead_runs(session, NOW) == []
        assert revive(session) == [Fate.REQUEUE]
        new = claim(session, run_id, "worker-1", LATER)
        assert (old.attempt, new.attempt) == (1, 2)
        assert runs.renew_lease(session, old, 50, LATER, LEASE) is LeaseStatus.LOST
        assert runs.renew_lease(session, new, 50, LATER, LEASE) is LeaseStatus.HELD
    for act in (
        lambda s: finish(s, old),
        lambda s: runs.fail_run(s, old, "source_failed", NOW, event(AuditAction.RUN_FAILED, run_id)),
        lambda s: runs.void_run(s, old, "snapshot_changed", NOW, event(AuditAction.RUN_VOIDED, run_id)),
        lambda s: runs.cancel_run(s, old, NOW, event(AuditAction.RUN_CANCELLED, run_id)),
        lambda s: runs.give_back(s, old, event(AuditAction.RUN_REQUEUED, run_id)),
    ):
        with pytest.raises(LeaseLost), database.write() as session:
            act(session)
    with database.write() as session:
        finish(session, new)


def test_a_run_that_keeps_dying_is_given_up(database: Database) -> None:
    with database.write() as session:
        run_id = queued(session)
        claim(session, run_id)
        assert revive(session, maximum=2) == [Fate.REQUEUE]
        claim(session, run_id)
        assert revive(session, maximum=2) == [Fate.GIVE_UP]
        run = runs.get_run(session, run_id)
        assert (run.state, run.error_code) == (RunState.FAILED, "attempts_exhausted")
        assert [happened.action for happened in events(session, subject=run_id)][-1] == "run.failed"


def test_a_renewed_lease_is_not_dead(database: Database) -> None:
    with database.write() as session:
        run_id = queued(session)
        lease = claim(session, run_id)
        (dead,) = runs.dead_runs(session, LATER)
        runs.renew_lease(session, lease, 10, LATER, LEASE)
    with pytest.raises(LeaseLost), database.write() as session:
        runs.revive_run(session, dead, LATER, event(AuditAction.RUN_REQUEUED, run_id))


def test_a_queued_run_is_cancelled_at_once_and_a_running_one_never_releases(database: Database) -> None:
    with database.write() as session:
        waiting, running = queued(session), queued(session)
        lease = claim(session, running)
        cancel = AuditAction.RUN_CANCEL_REQUESTED
        assert runs.request_cancel(session, waiting, NOW, event(cancel, waiting)) is RunState.CANCELLED
        assert runs.request_cancel(session, running, NOW, event(cancel, running)) is RunState.RUNNING
        assert runs.renew_lease(session, lease, 10, NOW, LEASE) is LeaseStatus.CANCEL_REQUESTED
    with pytest.raises(RunCancelled), database.write() as session:
        finish(session, lease)
    with database.write() as session:
        runs.cancel_run(session, lease, NOW, event(AuditAction.RUN_CANCELLED, running))
    with pytest.raises(TransitionNotAllowed), database.write() as session:
        runs.request_cancel(session, running, NOW, event(AuditAction.RUN_CANCEL_REQUESTED, running))


def test_a_dead_run_that_was_to_be_cancelled_is_cancelled(database: Database) -> None:
    with database.write() as session:
        run_id = queued(session)
        claim(session, run_id)
        runs.request_cancel(session, run_id, NOW, event(AuditAction.RUN_CANCEL_REQUESTED, run_id))
        assert revive(session) == [Fate.CANCEL]
        assert runs.get_run(session, run_id).state is RunState.CANCELLED


def test_ends_without_a_release(database: Database) -> None:
    with database.write() as session:
        failed, void, returned = (claim(session, queued(session)) for _ in range(3))
        runs.fail_run(session, failed, "source_failed", NOW, event(AuditAction.RUN_FAILED, failed.run_id))
        runs.void_run(session, void, "snapshot_changed", NOW, event(AuditAction.RUN_VOIDED, void.run_id))
        runs.give_back(session, returned, event(AuditAction.RUN_REQUEUED, returned.run_id))
        states = [runs.get_run(session, lease.run_id).state for lease in (failed, void, returned)]
        assert states == [RunState.FAILED, RunState.VOID, RunState.QUEUED]


def test_a_run_releases_once(database: Database) -> None:
    with database.write() as session:
        lease = claim(session, queued(session))
        finish(session, lease, cell_query())
        length = head(session).sequence
    with pytest.raises(AlreadyReleased), database.write() as session:
        finish(session, lease, cell_query())
    with database.read() as session:
        assert len(list(releases.ledger(session, "learners", "2025"))) == 1
        assert head(session).sequence == length


def test_nothing_is_released_under_an_approval_that_was_revoked_meanwhile(database: Database) -> None:
    with database.write() as session:
        request_id = approve(session, submitted(session).id).id
        lease = claim(session, queued(session, request_id))
        happening = event(AuditAction.REQUEST_REVOKED, request_id)
        deciding.revoke(session, request_id, Verdict(ANN, "stop", PLAN), NOW, happening)
    with pytest.raises(NotReleasable), database.write() as session:
        finish(session, lease, cell_query())
    with database.read() as session:
        assert list(releases.ledger(session, "learners", "2025")) == []


def test_partitions_are_counted_across_recipients_and_equal_ones_once(database: Database) -> None:
    with database.write() as session:
        first = submitted(session, body="gmca")
        second = submitted(session, body="wmca")
        for request in (first, second):
            approve(session, request.id)
            finish(session, claim(session, queued(session, request.id)), cell_query(partition_charge=2))
        assert releases.partitions_spent(session, "learners", "2025", 1) == 2
        other = cell_query(partition="sha256:other", partition_charge=3)
        finish(session, claim(session, queued(session, second.id)), other)
        assert releases.partitions_spent(session, "learners", "2025", 1) == 5
        assert releases.partitions_spent(session, "learners", "2025", 2) == 0
        assert releases.partitions_spent(session, "learners", "2024", 1) == 0


def test_the_cap_on_partitions_is_enforced_where_the_release_commits(database: Database) -> None:
    capped = cell_query(maximum_partitions=1)
    with database.write() as session:
        request_id = approve(session, submitted(session).id).id
        finish(session, claim(session, queued(session, request_id)), capped)
        lease = claim(session, queued(session, request_id))
    with pytest.raises(PartitionsExhausted), database.write() as session:
        finish(session, lease, cell_query(partition="sha256:other", maximum_partitions=1))
    with database.write() as session:
        finish(session, lease, capped)


def test_lists_of_runs(database: Database) -> None:
    with database.write() as session:
        run_id = queued(session)
        request_id = runs.get_run(session, run_id).request_id
        queued(session)
        assert [run.id for run in runs.list_runs(session, request_id=request_id)] == [run_id]
        assert len(runs.list_runs(session, requested_by="bob")) == 2
        assert runs.list_runs(session, requested_by="eve") == []
