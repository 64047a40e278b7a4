"""Idempotency keys: the same POST by the same subject is answered once, and again with the same answer.

After draft-ietf-httpapi-idempotency-key-header-07: a key that comes back with another request is a conflict.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session

from federation.state.models import IdempotencyKey


@dataclass(frozen=True, slots=True)
class Fresh:
    """The key has not been used: act, then ``remember`` in the same transaction."""


@dataclass(frozen=True, slots=True)
class Replay:
    """This very request was answered: give the same answer again."""

    status: int
    response: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Conflict:
    """The key was used for another request."""


def request_digest(method: str, path: str, body: bytes) -> str:
    """What makes two requests the same one."""
    parts = b"\n".join((method.upper().encode(), path.encode(), hashlib.sha256(body).hexdigest().encode()))
    return f"sha256:{hashlib.sha256(parts).hexdigest()}"


def recall(session: Session, subject: str, key: str, digest: str) -> Fresh | Replay | Conflict:
    """Whether ``subject`` has used ``key``, and for the request with this digest or for another."""
    row = session.get(IdempotencyKey, (subject, key), populate_existing=True)
    if row is None:
        return Fresh()
    return Replay(row.status, row.response) if row.request_digest == digest else Conflict()


def remember(
    session: Session,
    subject: str,
    key: str,
    digest: str,
    status: int,
    response: Mapping[str, Any],
    now: datetime,
) -> None:
    """Keep the answer, in the transaction of the act that it answers: of two at once, one commits.

    The other's transaction ends in ``StateConflict``, its act undone; it then recalls the answer of the first.
    """
    session.add(
        IdempotencyKey(
            subject=subject,
            key=key,
            request_digest=digest,
            status=status,
            response=dict(response),
            created_at=now,
        )
    )
    session.flush()


def forget_before(session: Session, cutoff: datetime) -> None:
    """Drop keys that were used before ``cutoff``: after that a key may be used anew."""
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < cutoff))
