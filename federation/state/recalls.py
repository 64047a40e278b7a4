"""Releases that were taken back, here or where a part of them comes from. A release never changes: what is recorded
stands beside it. Whom to tell of a recall is written in its transaction, and who tells claims it first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from federation.audit.events import AuditAction, AuditEvent
from federation.state.authority import MayNotDecide, Officer, may_decide
from federation.state.changes import record
from federation.state.errors import DecisionNotAllowed, TransitionNotAllowed
from federation.state.models import PartRecall, Recall, RecallToTell, ReleasePart
from federation.state.releases import get_release
from federation.state.requests import get_request

FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ToTell:
    """A recall that ``node`` is to be told of."""

    node: str
    release: str
    body: str
    reason: str
    recalled_at: datetime


def recall(
    session: Session,
    release_id: str,
    officer: Officer,
    reason: str,
    to_tell: Iterable[str],
    now: datetime,
    event: AuditEvent,
) -> Recall:
    """Take a release back, once and for all: an officer of a body that decided on it does.

    Args:
        to_tell: the nodes that it was given to.

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
    return _add(session, release_id, reason, officer.subject, officer.body, to_tell, now)


def learn(session: Session, recalled: PartRecall, now: datetime, event: AuditEvent) -> Sequence[str]:
    """Record that another node recalled a release that it had given this one, once.

    Returns:
        The releases of this node that rest on it and stand: each is to be recalled (``recall_with_part``).
    """
    record(session, event, AuditAction.PART_RECALLED, recalled.part)
    recalled.learned_at = now
    session.add(recalled)
    session.flush()
    query = (
        select(ReleasePart.release_id)
        .outerjoin(Recall, Recall.release_id == ReleasePart.release_id)
        .where(ReleasePart.node == recalled.node, ReleasePart.part == recalled.part)
        .where(Recall.release_id.is_(None))
    )
    return session.scalars(query.order_by(ReleasePart.release_id)).all()


def recall_with_part(
    session: Session,
    release_id: str,
    recalled: PartRecall,
    to_tell: Iterable[str],
    now: datetime,
    event: AuditEvent,
) -> Recall:
    """Take a release back that rests on what another node recalled: what is not known to be right is not given."""
    record(session, event, AuditAction.RELEASE_RECALLED, release_id)
    reason = f"{recalled.node} recalled what it had given for this ({recalled.part}): {recalled.reason}"
    return _add(session, release_id, reason, f"node {recalled.node}", recalled.body, to_tell, now)


def find_part_recall(session: Session, node: str, part: str) -> PartRecall | None:
    """That a node recalled what it had given, if it told."""
    return session.get(PartRecall, (node, part), populate_existing=True)


def claim_telling(session: Session, now: datetime) -> ToTell | None:
    """The recall that has been due longest to be told to another node, for this caller alone until it is due again.

    Each attempt waits twice as long for the next, an hour at most, without end: a recall has to arrive.
    """
    query = (
        select(RecallToTell)
        .where(RecallToTell.due <= now)
        .order_by(RecallToTell.due, RecallToTell.release_id, RecallToTell.node)
    )
    found = session.scalars(query.limit(1)).first()
    if found is None:
        return None
    wait = min(FIRST_WAIT * 2 ** min(found.attempts, 10), LONGEST_WAIT)
    change = (
        update(RecallToTell)
        .where(
            RecallToTell.release_id == found.release_id,
            RecallToTell.node == found.node,
            RecallToTell.due == found.due,
            RecallToTell.attempts == found.attempts,
        )
        .values(attempts=found.attempts + 1, due=now + wait)
        .returning(RecallToTell.node)
        .execution_options(synchronize_session=False)
    )
    if session.scalars(change).one_or_none() is None:
        return None
    made = session.get_one(Recall, found.release_id)
    return ToTell(found.node, made.release_id, made.body, made.reason, made.recalled_at)


def told(session: Session, telling: ToTell) -> None:
    """Another node has recorded that a release was recalled: it is not told again."""
    session.execute(
        update(RecallToTell)
        .where(RecallToTell.release_id == telling.release, RecallToTell.node == telling.node)
        .values(due=None),
        execution_options={"synchronize_session": False},
    )


def _add(
    session: Session,
    release_id: str,
    reason: str,
    recalled_by: str,
    body: str,
    to_tell: Iterable[str],
    now: datetime,
) -> Recall:
    made = Recall(release_id=release_id, reason=reason, recalled_by=recalled_by, body=body, recalled_at=now)
    session.add(made)
    session.flush()
    session.add_all(RecallToTell(release_id=release_id, node=node, attempts=0, due=now) for node in to_tell)
    session.flush()
    return made


def find_recall(session: Session, release_id: str) -> Recall | None:
    """What stands in the place of a release that was recalled."""
    return session.get(Recall, release_id, populate_existing=True)


def list_recalls(session: Session, *, limit: int = 100, offset: int = 0) -> Sequence[Recall]:
    """Recalls, the newest first."""
    query = select(Recall).order_by(Recall.recalled_at.desc(), Recall.release_id)
    return session.scalars(query.limit(limit).offset(offset)).all()
