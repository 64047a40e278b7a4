"""A request, its approval and its run, for tests that are about something else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from federation.audit.events import AuditAction, AuditEvent
from federation.state import asking, deciding, joint, runs
from federation.state.asking import NewRequest
from federation.state.authority import Officer
from federation.state.changes import IdKind, new_id
from federation.state.deciding import Verdict
from federation.state.models import Request
from federation.state.quorum import Quorum
from federation.state.releases import CellQueryRecord, NewRelease
from federation.state.steps import Lease

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
LEASE = timedelta(seconds=30)
PLAN = "sha256:" + "a" * 64
ANN = Officer("ann", "dfe", is_custodian=True)
OLU = Officer("olu", "ons", is_custodian=True)


def event(action: AuditAction, subject: str, actor: str = "tester", now: datetime = NOW) -> AuditEvent:
    return AuditEvent(actor, action, subject, now)


def new_request(**changes: object) -> NewRequest:
    fields: dict[str, Any] = {
        "id": new_id(IdKind.REQUEST),
        "requester": "bob",
        "body": "gmca",
        "agreement": "skills",
        "purpose": "planning of courses",
        "sql": "select count(*) from learners",
        "question": "How many learners are there?",
        "parameter_domain": {"area": ["E08000001"]},
        "plan_digest": PLAN,
        "versions": {"catalogue": "1", "profile": "1", "p_table": "sha256:0", "agreement": "1"},
        "quorums": {"learners": Quorum("dfe")},
    }
    return NewRequest(**(fields | changes))


def submitted(session: Session, **changes: object) -> Request:
    new = new_request(**changes)
    return asking.submit(session, new, NOW, event(AuditAction.REQUEST_SUBMITTED, new.id))


def approve(session: Session, request_id: str, officer: Officer = ANN) -> Request:
    verdict = Verdict(officer, "within the agreement", PLAN)
    happening = event(AuditAction.REQUEST_APPROVED, request_id, officer.subject)
    return deciding.approve(session, request_id, verdict, NOW, happening)


def queued(session: Session, request_id: str | None = None) -> str:
    """The id of a run that is queued under a request, which is made and approved where none is given."""
    if request_id is None:
        request_id = approve(session, submitted(session).id).id
    run_id = new_id(IdKind.RUN)
    runs.queue_run(session, run_id, request_id, {}, "bob", NOW, event(AuditAction.RUN_QUEUED, run_id))
    return run_id


def claim(session: Session, run_id: str, owner: str = "worker-1", now: datetime = NOW) -> Lease:
    return runs.claim_run(session, run_id, owner, now, LEASE, event(AuditAction.RUN_CLAIMED, run_id))


def new_release(**changes: object) -> NewRelease:
    fields: dict[str, Any] = {
        "id": new_id(IdKind.RELEASE),
        "table_digest": "sha256:" + "c" * 64,
        "file_digest": "sha256:" + "d" * 64,
        "path": "releases/dd/d.parquet",
        "statement": "header.payload.signature",
        "snapshots": {"learners": "sha256:1"},
    }
    return NewRelease(**(fields | changes))


def cell_query(**changes: object) -> CellQueryRecord:
    fields: dict[str, Any] = {
        "dataset": "learners",
        "series": "learners",
        "reference_period": "2025",
        "atoms": [{"kind": "units"}],
        "box": {"area": ["E08000001"]},
        "dimensions": ["area"],
        "snapshot": "sha256:1",
        "key_epoch": 1,
        "partition": "sha256:" + "e" * 64,
        "partition_charge": 1,
        "maximum_partitions": None,
        "cells_digest": "sha256:" + "f" * 64,
    }
    return CellQueryRecord(**(fields | changes))


def joint_given(
    session: Session,
    snapshot: str,
    roster: str,
    action: AuditAction = AuditAction.JOINT_KEYS_GIVEN,
    recorded_as: AuditAction | None = None,
) -> None:
    """Keys or values of a joint count, recorded as given."""
    joint.give(session, action, "rel_1", snapshot, roster, NOW, event(recorded_as or action, "rel_1"))
