"""How a request takes one row of the table of transitions: one UPDATE whose condition names state and revision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from federation.state.errors import TransitionNotAllowed
from federation.state.lifecycle import Action, RequestState, Role, lapses, request_transition
from federation.state.models import Decision, Outcome, Request


@dataclass(frozen=True, slots=True)
class Step:
    """An act on a request: what is stored with it, and the datasets that then still await somebody.

    ``values`` are columns of the request that change with it.
    """

    action: Action
    role: Role
    made: Sequence[Decision] = ()
    waiting: frozenset[str] = frozenset()
    values: Mapping[str, Any] = field(default_factory=dict)


def take(session: Session, request: Request, step: Step, now: datetime) -> Request:
    """Take a step of the life cycle, if its table has it and nobody else has taken one in the meantime.

    Raises:
        TransitionNotAllowed: nothing was changed.
    """
    if state_now(request, now) is RequestState.LAPSED:
        raise TransitionNotAllowed("the request has lapsed, as nobody acted on it in time: ask again")
    row = request_transition(request.state, step.action, step.role, others_outstanding=bool(step.waiting))
    if row is None:
        was = str(request.state).replace("_", " ")
        raise TransitionNotAllowed(f"a request that is {was} cannot be changed by: {step.action}")
    revision = request.revision + 1
    change = (
        update(Request)
        .where(Request.id == request.id, Request.state == request.state, Request.revision == request.revision)
        .values(**step.values, state=row.target, revision=revision)
        .returning(Request.id)
        .execution_options(synchronize_session=False)
    )
    if session.scalars(change).one_or_none() is None:
        raise TransitionNotAllowed("somebody else acted on this request first: look at it again")
    session.refresh(request)
    for decision in step.made:
        decision.request_id = request.id
        decision.outcome = Outcome(step.action)
        decision.role = step.role
        decision.version = request.version
        decision.revision = revision
        decision.plan_digest = request.plan_digest
        decision.decided_at = now
    session.add_all(step.made)
    session.flush()
    return request


def state_now(request: Request, now: datetime) -> RequestState:
    """The stored state, or ``LAPSED`` where nobody acted in time."""
    over = request.lapses_at is not None and now >= request.lapses_at
    return RequestState.LAPSED if over and lapses(request.state) else request.state
