"""Runs: queued, claimed under a lease, renewed, requeued when their holder dies, ended once.

A claim is an UPDATE on the condition that the run is still queued; whoever changes the row holds it. Everything the
holder does afterwards names owner and attempt, so a holder that was given up for dead can change nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import and_, func, select, update
from sqlalchemy.orm import Session

from federation.audit.events import AuditAction, AuditEvent
from federation.state.changes import record
from federation.state.errors import LeaseLost, NotFound, TransitionNotAllowed
from federation.state.lifecycle import RUNNABLE, Action, RequestState, Role, RunAction, RunState
from federation.state.models import Request, Run
from federation.state.request_steps import Step, take
from federation.state.requests import decisions, maximum_runs, unaccepted
from federation.state.steps import FREE, Lease, ended, held, take_step

MAXIMUM_ATTEMPTS = 3


class LeaseStatus(StrEnum):
    """What a holder learns when it renews its lease."""

    HELD = "held"
    CANCEL_REQUESTED = "cancel_requested"
    LOST = "lost"


class Fate(StrEnum):
    """What is to become of a run whose lease has run out."""

    REQUEUE = "requeue"
    GIVE_UP = "give_up"
    CANCEL = "cancel"

    @property
    def recorded_as(self) -> AuditAction:
        """The act that the event of ``revive_run`` has to name."""
        return {
            Fate.REQUEUE: AuditAction.RUN_REQUEUED,
            Fate.GIVE_UP: AuditAction.RUN_FAILED,
            Fate.CANCEL: AuditAction.RUN_CANCELLED,
        }[self]


@dataclass(frozen=True, slots=True)
class DeadRun:
    """A run whose holder has not renewed its lease in time, in its ``attempt``-th attempt."""

    run_id: str
    attempt: int
    fate: Fate


def queue_run(
    session: Session,
    run_id: str,
    request_id: str,
    parameters: Mapping[str, Any],
    requested_by: str,
    now: datetime,
    event: AuditEvent,
) -> Run:
    """Queue one execution of an approved request with these parameters. The first one takes the approval into use.

    The caller has checked the approval at use; a request that is not stored as approved, whose conditions were not
    accepted, or whose runs are used up or under way, is refused here too.

    Raises:
        NotFound, TransitionNotAllowed: nothing was queued.
    """
    record(session, event, AuditAction.RUN_QUEUED, run_id)
    request = session.get(Request, request_id)
    if request is None:
        raise NotFound(f"there is no request {request_id}")
    if request.state not in RUNNABLE:
        raise TransitionNotAllowed(f"a request that is {request.state} cannot be run")
    made = decisions(session, request_id)
    if unaccepted(request, made):
        raise TransitionNotAllowed("the conditions of the approval were not accepted")
    limit = maximum_runs(request, made)
    if limit is not None and _used(session, request_id) >= limit:
        raise TransitionNotAllowed(f"the approval is good for {limit} runs, which are used up or under way")
    if request.state is RequestState.APPROVED:
        take(session, request, Step(Action.RUN, Role.REQUESTER), now)
    run = Run(
        id=run_id,
        request_id=request_id,
        requested_by=requested_by,
        parameters=dict(parameters),
        state=RunState.QUEUED,
        progress=0,
        attempt=0,
        cancel_requested=False,
        created_at=now,
    )
    session.add(run)
    session.flush()
    return run


def next_queued(session: Session) -> str | None:
    """The id of the run that has waited longest, for ``claim_run``."""
    query = select(Run.id).where(Run.state == RunState.QUEUED).order_by(Run.created_at, Run.id).limit(1)
    return session.scalars(query).first()


def claim_run(
    session: Session, run_id: str, owner: str, now: datetime, lease: timedelta, event: AuditEvent
) -> Lease:
    """Take a queued run; the event is in the chain before anything of it executes.

    Raises:
        LeaseLost: somebody else took it, or it was cancelled. Roll back.
    """
    record(session, event, AuditAction.RUN_CLAIMED, run_id)
    values = {"lease_owner": owner, "lease_until": now + lease, "attempt": Run.attempt + 1, "progress": 0}
    if not take_step(session, run_id, RunAction.CLAIM, Role.NODE, Run.id == run_id, values):
        raise LeaseLost(f"the run {run_id} was taken by another worker")
    return Lease(run_id, owner, session.scalars(select(Run.attempt).where(Run.id == run_id)).one())


def renew_lease(
    session: Session, lease: Lease, progress: int, now: datetime, duration: timedelta
) -> LeaseStatus:
    """Say that the run is alive and how far it is (percent); learn whether to go on.

    No event: nothing changes but how long the claim, which is recorded, holds.
    """
    values = {"lease_until": now + duration, "progress": max(0, min(100, progress))}
    change = update(Run).where(held(lease)).values(values).returning(Run.cancel_requested)
    cancelled = session.scalars(change.execution_options(synchronize_session=False)).one_or_none()
    if cancelled is None:
        return LeaseStatus.LOST
    return LeaseStatus.CANCEL_REQUESTED if cancelled else LeaseStatus.HELD


def dead_runs(session: Session, now: datetime, maximum_attempts: int = MAXIMUM_ATTEMPTS) -> Sequence[DeadRun]:
    """Running runs whose lease has run out, each with what is to become of it, for ``revive_run``.

    A run is tried again until ``maximum_attempts`` claims have been made, unless its cancellation was asked for.
    """
    query = select(Run).where(Run.state == RunState.RUNNING, Run.lease_until <= now).order_by(Run.lease_until)
    return [DeadRun(run.id, run.attempt, _fate(run, maximum_attempts)) for run in session.scalars(query)]


def revive_run(session: Session, dead: DeadRun, now: datetime, event: AuditEvent) -> None:
    """Queue a dead run again, or end it (error code ``attempts_exhausted``), as its fate says.

    Nothing of the dead attempt was released: a release and the end of its run are one transaction.

    Raises:
        LeaseLost: it is not dead any more. Roll back.
    """
    record(session, event, dead.fate.recorded_as, dead.run_id)
    action, values = {
        Fate.REQUEUE: (RunAction.REQUEUE, {**FREE, "progress": 0}),
        Fate.GIVE_UP: (RunAction.FAIL, ended(now, "attempts_exhausted")),
        Fate.CANCEL: (RunAction.CANCEL, ended(now)),
    }[dead.fate]
    condition = and_(Run.id == dead.run_id, Run.attempt == dead.attempt, Run.lease_until <= now)
    if not take_step(session, dead.run_id, action, Role.NODE, condition, values):
        raise LeaseLost(f"the run {dead.run_id} is held again")


def give_back(session: Session, lease: Lease, event: AuditEvent) -> None:
    """The holder puts its run back in the queue: the node stops in order, or its disk is full.

    Raises:
        LeaseLost: it is no longer held.
    """
    record(session, event, AuditAction.RUN_REQUEUED, lease.run_id)
    _must_step(session, lease, RunAction.REQUEUE, {**FREE, "progress": 0})


def fail_run(
    session: Session,
    lease: Lease,
    error_code: str,
    now: datetime,
    event: AuditEvent,
    about: str | None = None,
) -> None:
    """The run ends in an error that trying again would not mend. ``error_code`` is a stable code, never a text;
    ``about`` names the nodes that it is about, each with its reason.

    Raises:
        LeaseLost: it is no longer held.
    """
    record(session, event, AuditAction.RUN_FAILED, lease.run_id)
    _must_step(session, lease, RunAction.FAIL, ended(now, error_code, about))


def void_run(session: Session, lease: Lease, error_code: str, now: datetime, event: AuditEvent) -> None:
    """The run may not be released: the snapshot changed under it, or its approval ended.

    Raises:
        LeaseLost: it is no longer held.
    """
    record(session, event, AuditAction.RUN_VOIDED, lease.run_id)
    _must_step(session, lease, RunAction.VOID, ended(now, error_code))


def cancel_run(session: Session, lease: Lease, now: datetime, event: AuditEvent) -> None:
    """The holder stopped because cancellation was asked for.

    Raises:
        LeaseLost: it is no longer held.
    """
    record(session, event, AuditAction.RUN_CANCELLED, lease.run_id)
    _must_step(session, lease, RunAction.CANCEL, ended(now))


def request_cancel(session: Session, run_id: str, now: datetime, event: AuditEvent) -> RunState:
    """Ask for a run to stop: a queued one is cancelled at once, a running one when its holder next renews.

    Returns the state after it. Whatever happens, a run for which this succeeded never releases.

    Raises:
        NotFound: there is no such run.
        TransitionNotAllowed: it has ended already.
    """
    record(session, event, AuditAction.RUN_CANCEL_REQUESTED, run_id)
    get_run(session, run_id)
    values = ended(now) | {"cancel_requested": True}
    if take_step(session, run_id, RunAction.CANCEL, Role.REQUESTER, Run.id == run_id, values):
        return RunState.CANCELLED
    running = and_(Run.id == run_id, Run.state == RunState.RUNNING)
    change = update(Run).where(running).values(cancel_requested=True).returning(Run.id)
    if session.scalars(change.execution_options(synchronize_session=False)).one_or_none() is None:
        raise TransitionNotAllowed("the run has ended already")
    return RunState.RUNNING


def going(session: Session, request_id: str) -> Sequence[str]:
    """The ids of the runs of a request that have not ended."""
    states = (RunState.QUEUED, RunState.RUNNING)
    query = select(Run.id).where(Run.request_id == request_id, Run.state.in_(states))
    return session.scalars(query.order_by(Run.created_at, Run.id)).all()


def stop_run(session: Session, run_id: str, error_code: str, now: datetime, event: AuditEvent) -> None:
    """End a run whose approval is over: a queued one at once, for the reason ``error_code``, a running one when its
    holder next renews. One that has ended stays as it is.
    """
    record(session, event, AuditAction.RUN_CANCEL_REQUESTED, run_id)
    values = ended(now, error_code) | {"cancel_requested": True}
    if _voids(session, run_id, values):
        return
    running = and_(Run.id == run_id, Run.state == RunState.RUNNING)
    session.execute(
        update(Run).where(running).values(cancel_requested=True),
        execution_options={"synchronize_session": False},
    )


def get_run(session: Session, run_id: str) -> Run:
    """The run as stored now.

    Raises:
        NotFound: there is none of this id.
    """
    run = session.get(Run, run_id, populate_existing=True)
    if run is None:
        raise NotFound(f"there is no run {run_id}")
    return run


def list_runs(
    session: Session, *, request_id: str | None = None, requested_by: str | None = None, limit: int = 100
) -> Sequence[Run]:
    """Runs, the newest first: of one request, or asked for by one subject."""
    query = select(Run).order_by(Run.created_at.desc(), Run.id).limit(limit)
    if request_id is not None:
        query = query.where(Run.request_id == request_id)
    if requested_by is not None:
        query = query.where(Run.requested_by == requested_by)
    return session.scalars(query).all()


def _voids(session: Session, run_id: str, values: Mapping[str, Any]) -> bool:
    queued = and_(Run.id == run_id, Run.state == RunState.QUEUED)
    return take_step(session, run_id, RunAction.VOID, Role.NODE, queued, values)


def _used(session: Session, request_id: str) -> int:
    """How many runs of a request have a release, or may still have one."""
    states = (RunState.QUEUED, RunState.RUNNING, RunState.DONE)
    query = select(func.count()).where(Run.request_id == request_id, Run.state.in_(states))
    return session.scalars(query).one()


def _fate(run: Run, maximum_attempts: int) -> Fate:
    if run.cancel_requested:
        return Fate.CANCEL
    return Fate.GIVE_UP if run.attempt >= maximum_attempts else Fate.REQUEUE


def _must_step(session: Session, lease: Lease, action: RunAction, values: Mapping[str, Any]) -> None:
    if not take_step(session, lease.run_id, action, Role.NODE, held(lease), values):
        raise LeaseLost(f"the run {lease.run_id} is no longer held by this worker")
