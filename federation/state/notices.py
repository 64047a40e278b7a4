"""Whom to tell what: contacts, and an outbox that is written in the transaction of what it tells of.

A notice is due by e-mail at ``mail``. Whoever sends it first moves that on, by one UPDATE on the condition that nobody
else has (``claim``); one whose sender died is due again after that, under the same Message-ID.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from federation.audit.events import AuditAction, AuditEvent
from federation.state.changes import record
from federation.state.models import Contact, Notice

MAXIMUM_ATTEMPTS = 12
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Due:
    """An e-mail that this process may send now. ``id`` makes its Message-ID."""

    id: int
    recipient: str
    email: str
    kind: str
    about: str
    day: str | None
    attempt: int


def subscribe(
    session: Session,
    subject: str,
    body: str,
    decides: bool,
    email: str | None,
    feed_token: str,
    now: datetime,
    event: AuditEvent,
) -> Contact:
    """Be told from now on, in the feed of this token alone; an earlier token leads nowhere any more."""
    record(session, event, AuditAction.CONTACT_CHANGED, subject)
    contact = session.get(Contact, subject) or Contact(subject=subject)
    contact.body, contact.decides, contact.email = body, decides, email
    contact.feed_sha256, contact.updated_at = _digest(feed_token), now
    session.add(contact)
    session.flush()
    return contact


def contact_of_feed(session: Session, feed_token: str) -> Contact | None:
    """Whose feed a token leads to."""
    return session.scalars(select(Contact).where(Contact.feed_sha256 == _digest(feed_token))).one_or_none()


def contacts(
    session: Session,
    *,
    subjects: Iterable[str] = (),
    deciding_for: Iterable[str] = (),
    bodies: Iterable[str] = (),
) -> Sequence[Contact]:
    """The contacts among these persons, those who decide for some bodies, and all of others."""
    query = select(Contact).where(
        Contact.subject.in_(tuple(subjects))
        | (Contact.body.in_(tuple(deciding_for)) & Contact.decides.is_(True))
        | Contact.body.in_(tuple(bodies))
    )
    return session.scalars(query.order_by(Contact.subject)).all()


def tell(
    session: Session,
    people: Iterable[Contact],
    kind: str,
    about: str,
    once: str,
    now: datetime,
    *,
    day: str | None = None,
) -> None:
    """Put a notice in the outbox for each of ``people`` who was not told ``once`` before."""
    for contact in people:
        known = select(Notice.id).where(Notice.recipient == contact.subject, Notice.once == once)
        if session.scalars(known).first() is None:
            session.add(
                Notice(
                    recipient=contact.subject,
                    kind=kind,
                    about=about,
                    day=day,
                    once=once,
                    attempts=0,
                    mail=None if contact.email is None else now,
                    created_at=now,
                )
            )
    session.flush()


def claim(session: Session, now: datetime) -> Due | None:
    """The e-mail that has been due longest, for this caller alone until it is due again.

    Each attempt waits twice as long for the next; after the last the notice stands in the feed alone.
    """
    query = select(Notice).where(Notice.mail <= now).order_by(Notice.mail, Notice.id).limit(1)
    notice = session.scalars(query).first()
    if notice is None:
        return None
    attempt = notice.attempts + 1
    wait = min(FIRST_WAIT * 2 ** (attempt - 1), LONGEST_WAIT)
    following = None if attempt >= MAXIMUM_ATTEMPTS else now + wait
    change = (
        update(Notice)
        .where(Notice.id == notice.id, Notice.mail == notice.mail, Notice.attempts == notice.attempts)
        .values(attempts=attempt, mail=following)
        .returning(Notice.id)
        .execution_options(synchronize_session=False)
    )
    if session.scalars(change).one_or_none() is None:
        return None
    contact = session.get(Contact, notice.recipient)
    if contact is None or contact.email is None:
        done(session, notice.id)
        return None
    return Due(notice.id, notice.recipient, contact.email, notice.kind, notice.about, notice.day, attempt)


def done(session: Session, notice_id: int) -> None:
    """An e-mail was taken by the server, or never will be: it is not sent again."""
    session.execute(
        update(Notice).where(Notice.id == notice_id).values(mail=None),
        execution_options={"synchronize_session": False},
    )


def notices_of(session: Session, recipient: str, limit: int = 100) -> Sequence[Notice]:
    """What somebody was told, the newest first."""
    query = select(Notice).where(Notice.recipient == recipient)
    return session.scalars(query.order_by(Notice.id.desc()).limit(limit)).all()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
