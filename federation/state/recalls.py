"""Releases that their custodians took back. A release never changes: what is recorded stands beside it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from federation.audit.events import AuditAction, AuditEvent
from federation.state.authority import MayNotDecide, Officer, may_decide
from federation.state.changes import record
from federation.state.errors import DecisionNotAllowed, TransitionNotAllowed
from federation.state.models import Recall
from federation.state.releases import get_release
from federation.state.requests import get_request


def recall(
    session: Session, release_id: str, officer: Officer, reason: str, now: datetime, event: AuditEvent
) -> Recall:
    """Take a release back, once and for all: an officer of a body that decided on it does.

    Raises:
        DecisionNotAllowed, NotFound, TransitionNotAllowed: nothing was changed.
    """
    record(session, event, AuditAction.RELEASE_RECALLED, release_id)
    request = get_request(session, get_release(session, release_id).request_id)
    # Its requester may own up to an error, if a custodian: it lets nothing out.
    allowed = may_decide(officer, "", request.quorums)
    if isinstance(allowed, MayNotDecide):
        raise DecisionNotAllowed(allowed.reason.message)
    if find_recall(session, release_id) is not None:
        raise TransitionNotAllowed("the release was recalled before")
    made = Recall(
        release_id=release_id,
        reason=reason,
        recalled_by=officer.subject,
        body=officer.body,
        recalled_at=now,
    )
    session.add(made)
    session.flush()
    return made


def find_recall(session: Session, release_id: str) -> Recall | None:
    """What stands in the place of a release that was recalled."""
    return session.get(Recall, release_id, populate_existing=True)


def list_recalls(session: Session, *, limit: int = 100, offset: int = 0) -> Sequence[Recall]:
    """Recalls, the newest first."""
    query = select(Recall).order_by(Recall.recalled_at.desc(), Recall.release_id)
    return session.scalars(query.limit(limit).offset(offset)).all()
