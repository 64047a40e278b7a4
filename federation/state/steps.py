"""How a run takes one row of the table of transitions: one UPDATE whose condition names state, owner and attempt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, select, update
from sqlalchemy.orm import Session

from federation.state.lifecycle import Role, RunAction, RunState, run_transition
from federation.state.models import Run


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a run: valid while the run is running under this owner and attempt."""

    run_id: str
    owner: str
    attempt: int


FREE: Mapping[str, Any] = {"lease_owner": None, "lease_until": None}


def held(lease: Lease) -> ColumnElement[bool]:
    """The condition that ``lease`` still holds its run."""
    return and_(
        Run.id == lease.run_id,
        Run.state == RunState.RUNNING,
        Run.lease_owner == lease.owner,
        Run.attempt == lease.attempt,
    )


def ended(now: datetime, error_code: str | None = None, about: str | None = None) -> dict[str, Any]:
    """The values of a run that is over; ``about`` names the nodes that the error is about."""
    return {**FREE, "ended_at": now, "error_code": error_code, "error_about": about}


def take_step(
    session: Session,
    run_id: str,
    action: RunAction,
    role: Role,
    condition: ColumnElement[bool],
    values: Mapping[str, Any],
) -> bool:
    """Whether this call took the step; of two that try at once, one does."""
    state = session.scalars(select(Run.state).where(Run.id == run_id)).one_or_none()
    step = run_transition(state, action, role) if state is not None else None
    if step is None:
        return False
    change = (
        update(Run).where(condition, Run.state == state).values(**values, state=step.target).returning(Run.id)
    )
    return session.scalars(change.execution_options(synchronize_session=False)).one_or_none() is not None
