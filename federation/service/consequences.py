"""What follows from a step of a request, in the same transaction: runs that end, a request that is superseded."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from federation.audit.events import AuditAction, AuditEvent, Detail
from federation.notices.events import tell_of_step
from federation.runs.outcomes import RunFault
from federation.service.use import waiting_for
from federation.state import deciding, runs
from federation.state import requests as store
from federation.state.lifecycle import GRANTED, RUNNABLE, UNDECIDED, RequestState
from federation.state.models import Request


def follow(session: Session, request: Request, action: AuditAction, actor: str, now: datetime) -> None:
    """Bring about what ``request``, as it is after the step ``action`` that ``actor`` took, means for others.

    Where it may no longer be run, its runs end; where it is approved, the request whose place it takes is superseded.
    Who is concerned is told.
    """
    _tell(session, request, action, actor, now)
    if request.state not in RUNNABLE:
        _stop_runs(session, request.id, RunFault.APPROVAL_WITHDRAWN, actor, now)
    elif request.state is RequestState.APPROVED and request.supersedes is not None:
        before = store.get_request(session, request.supersedes)
        if before.state in (*GRANTED, *UNDECIDED):
            supersede(session, before, now)


def supersede(session: Session, request: Request, now: datetime) -> None:
    """Record that what would run is no longer what was approved, or that another request is in its place."""
    details = {Detail.BODY: request.body, Detail.PLAN_DIGEST: request.plan_digest}
    event = AuditEvent("node", AuditAction.REQUEST_SUPERSEDED, request.id, now, details)
    superseded = deciding.supersede(session, request.id, event)
    _tell(session, superseded, AuditAction.REQUEST_SUPERSEDED, "node", now)
    _stop_runs(session, request.id, RunFault.SUPERSEDED, "node", now)


def _tell(session: Session, request: Request, action: AuditAction, actor: str, now: datetime) -> None:
    waiting = waiting_for(request, store.decisions(session, request.id))
    tell_of_step(session, request, action, waiting, actor, now)


def _stop_runs(session: Session, request_id: str, fault: RunFault, actor: str, now: datetime) -> None:
    for run_id in runs.going(session, request_id):
        details = {Detail.REQUEST: request_id, Detail.CODE: str(fault)}
        event = AuditEvent(actor, AuditAction.RUN_CANCEL_REQUESTED, run_id, now, details)
        runs.stop_run(session, run_id, str(fault), now, event)
