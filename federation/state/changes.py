"""What every change of state has in common: an id, an audit event that fits it, and one winner."""

from __future__ import annotations

import secrets
from enum import StrEnum

from sqlalchemy.orm import Session

from federation.audit.chain import append
from federation.audit.events import AuditAction, AuditEvent


class IdKind(StrEnum):
    REQUEST = "req"
    RUN = "run"
    RELEASE = "rel"


def new_id(kind: IdKind) -> str:
    """A fresh identifier that cannot be guessed: the kind and 120 random bits, in 36 characters or fewer."""
    return f"{kind}_{secrets.token_hex(15)}"


def record(session: Session, event: AuditEvent, action: AuditAction, subject: str) -> None:
    """Append ``event`` in the caller's transaction, once it is seen to be about this very act.

    Called first in every change: the event precedes the act, and the lock that it takes on the head of the chain
    puts all writers in one order.

    Raises:
        ValueError: the event names another act or another subject; a mistake of the caller.
    """
    if event.action is not action or event.subject != subject:
        raise ValueError(f"the event {event.action} of {event.subject} does not record {action} of {subject}")
    append(session, event)
