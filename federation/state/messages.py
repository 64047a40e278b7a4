"""Messages of other nodes that were seen, so that none is accepted twice, by whichever process."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.orm import Session

from federation.audit.events import AuditAction, AuditEvent
from federation.state.changes import record
from federation.state.models import SeenMessage


def send(session: Session, message_id: str, event: AuditEvent) -> None:
    """Record that a message is about to leave."""
    record(session, event, AuditAction.MESSAGE_SENT, message_id)


def receive(
    session: Session, message_id: str, issuer: str, keep_until: datetime, now: datetime, event: AuditEvent
) -> None:
    """Record a message that was verified, and that it was seen.

    Of two at once one commits; the transaction of the other ends in ``StateConflict``.
    """
    record(session, event, AuditAction.MESSAGE_RECEIVED, message_id)
    see(session, message_id, issuer, keep_until, now)


def see(session: Session, message_id: str, issuer: str, keep_until: datetime, now: datetime) -> None:
    """Remember a message until ``keep_until``, and forget those whose time is over.

    Alone for polls: they ask for nothing, and one every few seconds would bury the audit trail.
    """
    session.execute(delete(SeenMessage).where(SeenMessage.keep_until < now))
    session.add(SeenMessage(issuer=issuer, id=message_id, keep_until=keep_until))
    session.flush()
