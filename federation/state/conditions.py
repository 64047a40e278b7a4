"""Conditions on which other nodes approve what they are asked for a request of this one: learned, and accepted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from federation.audit.events import AuditAction, AuditEvent
from federation.state.asking import own
from federation.state.changes import record
from federation.state.errors import TransitionNotAllowed
from federation.state.lifecycle import RUNNABLE
from federation.state.models import NodeConditions, NodeConditionsAccepted
from federation.state.requests import get_request


@dataclass(frozen=True, slots=True)
class Known:
    """Conditions of a node, and their acceptance once there is one."""

    learned: NodeConditions
    accepted: NodeConditionsAccepted | None


def learn(session: Session, found: NodeConditions, now: datetime, event: AuditEvent) -> None:
    """Record conditions that a node signed, once (``find``). Nothing is accepted by that."""
    record(session, event, AuditAction.CONDITIONS_LEARNED, found.request_id)
    found.learned_at = now
    session.add(found)
    session.flush()


def accept(
    session: Session,
    request_id: str,
    node: str,
    digest: str,
    requester: str,
    delegation: Mapping[str, Any] | None,
    now: datetime,
    event: AuditEvent,
) -> None:
    """Accept the very conditions of ``node`` that have this digest.

    Raises:
        DecisionNotAllowed, NotFound, TransitionNotAllowed: nothing was changed.
    """
    record(session, event, AuditAction.REQUEST_ACCEPTED, request_id)
    request = own(get_request(session, request_id), requester)
    if request.state not in RUNNABLE:
        raise TransitionNotAllowed(f"a request that is {request.state} cannot be changed by: accept")
    if find(session, request_id, node, digest) is None:
        raise TransitionNotAllowed(f"{node} has no such conditions: look at the request again")
    if session.get(NodeConditionsAccepted, (request_id, node, digest)) is not None:
        raise TransitionNotAllowed(f"these conditions of {node} were accepted before")
    session.add(
        NodeConditionsAccepted(
            request_id=request_id,
            node=node,
            digest=digest,
            accepted_by=requester,
            delegation=None if delegation is None else dict(delegation),
            accepted_at=now,
        )
    )
    session.flush()


def find(session: Session, request_id: str, node: str, digest: str) -> NodeConditions | None:
    """Conditions that were learned before."""
    return session.get(NodeConditions, (request_id, node, digest))


def listing(session: Session, request_id: str) -> Sequence[Known]:
    """All conditions of nodes about a request, those learned first first."""
    same = and_(
        NodeConditionsAccepted.request_id == NodeConditions.request_id,
        NodeConditionsAccepted.node == NodeConditions.node,
        NodeConditionsAccepted.digest == NodeConditions.digest,
    )
    query = (
        select(NodeConditions, NodeConditionsAccepted)
        .outerjoin(NodeConditionsAccepted, same)
        .where(NodeConditions.request_id == request_id)
        .order_by(NodeConditions.learned_at, NodeConditions.node, NodeConditions.digest)
    )
    return [Known(learned, accepted) for learned, accepted in session.execute(query)]
