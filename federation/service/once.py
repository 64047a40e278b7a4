"""Idempotency keys around a use case: the act and the memory of its answer are one transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from pydantic import TypeAdapter
from sqlalchemy.orm import Session

from federation.service.errors import ServiceCode, ServiceError
from federation.state.database import Database
from federation.state.errors import StateError
from federation.state.idempotency import Conflict, Fresh, Replay, recall, remember

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Once:
    """The key of a POST, and the digest by which the same request is known."""

    subject: str
    key: str
    digest: str


def answered(database: Database, once: Once | None, kind: type[T]) -> T | None:
    """The answer that this very request was given before, if it was.

    Raises:
        ServiceError: IDEMPOTENCY_KEY_REUSED, the key belongs to another request.
    """
    if once is None:
        return None
    with database.read() as session:
        found = recall(session, once.subject, once.key, once.digest)
    return _replayed(found, kind)


def act(database: Database, once: Once | None, kind: type[T], now: datetime, do: Callable[[Session], T]) -> T:
    """Do ``do`` in a transaction, remembering its answer under the key; of two at once, one acts.

    Raises:
        ServiceError: IDEMPOTENCY_KEY_REUSED.
        StateError: what ``do`` raises; nothing was changed.
    """
    try:
        with database.write() as session:
            if once is None:
                return do(session)
            before = _replayed(recall(session, once.subject, once.key, once.digest), kind)
            if before is not None:
                return before
            answer = do(session)
            stored = TypeAdapter(kind).dump_python(answer, mode="json")
            remember(session, once.subject, once.key, once.digest, 200, stored, now)
            return answer
    except StateError:
        # The same request may have been answered while this one waited for its turn: then that is the answer.
        earlier = answered(database, once, kind)
        if earlier is None:
            raise
        return earlier


def _replayed(found: Fresh | Replay | Conflict, kind: type[T]) -> T | None:
    if isinstance(found, Conflict):
        detail = "this Idempotency-Key was used for another request: use a new one"
        raise ServiceError(ServiceCode.IDEMPOTENCY_KEY_REUSED, detail)
    return TypeAdapter(kind).validate_python(found.response) if isinstance(found, Replay) else None
