"""Who is told of a step of a request, of a comment and of a recall; in the transaction of what happened."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.orm import Session

from federation.audit.chain import events
from federation.audit.events import AuditAction
from federation.notices.words import NoticeKind
from federation.state.lifecycle import UNDECIDED
from federation.state.models import Comment, Contact, Request
from federation.state.notices import contacts, tell

_TO_REQUESTER = {
    AuditAction.REQUEST_TAKEN_UP: NoticeKind.TAKEN_UP,
    AuditAction.REQUEST_APPROVED: NoticeKind.APPROVED,
    AuditAction.REQUEST_RETURNED: NoticeKind.RETURNED,
    AuditAction.REQUEST_REFUSED: NoticeKind.REFUSED,
    AuditAction.REQUEST_SUSPENDED: NoticeKind.SUSPENDED,
    AuditAction.REQUEST_RESUMED: NoticeKind.RESUMED,
    AuditAction.REQUEST_REVOKED: NoticeKind.REVOKED,
    AuditAction.REQUEST_SUPERSEDED: NoticeKind.SUPERSEDED,
}


def tell_of_step(
    session: Session, request: Request, action: AuditAction, waiting: Iterable[str], actor: str, now: datetime
) -> None:
    """Tell who asked what was decided, and the bodies that it is now ``waiting`` for that they have to decide."""
    step = f"{request.id}:{request.revision}"
    kind = _TO_REQUESTER.get(action)
    if kind is not None:
        people = contacts(session, subjects=[request.requester])
        tell(session, _but(people, actor), kind, request.id, f"{step}:{kind}", now)
    if action is AuditAction.REQUEST_WITHDRAWN:
        people = contacts(session, deciding_for=request.reviewers)
        tell(session, people, NoticeKind.WITHDRAWN, request.id, f"{step}:withdrawn", now)
    if action in (AuditAction.REQUEST_SUBMITTED, AuditAction.REQUEST_APPEALED) and request.state in UNDECIDED:
        appealed = action is AuditAction.REQUEST_APPEALED
        kind = NoticeKind.APPEALED if appealed else NoticeKind.TO_DECIDE
        people = contacts(session, deciding_for=waiting)
        tell(session, _but(people, request.requester), kind, request.id, f"{step}:{kind}", now)


def tell_of_comment(session: Session, comment: Comment, people: Iterable[Contact], now: datetime) -> None:
    """Tell everybody whom a comment concerns, except who wrote it."""
    once = f"comment:{comment.id}"
    tell(session, _but(people, comment.author), NoticeKind.COMMENTED, comment.subject, once, now)


def tell_of_recall(session: Session, release: str, request: Request, now: datetime) -> None:
    """Tell the body that it was released to, and whoever fetched it."""
    fetched = {
        each.actor
        for each in events(session, subject=release)
        if each.action == str(AuditAction.RELEASE_FETCHED)
    }
    people = contacts(session, subjects=fetched, bodies=[request.body])
    tell(session, people, NoticeKind.RECALLED, release, f"{release}:recalled", now)


def _but(people: Iterable[Contact], subject: str) -> list[Contact]:
    return [contact for contact in people if contact.subject != subject]
