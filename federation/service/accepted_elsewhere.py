"""Conditions of this node's approvals that are accepted at a hub: given to who has to accept them, and taken from them.

An acceptance comes with the question that it is for, in the same signed message. It counts where the very person for
whom the hub asks is who this node's request is for, and the very words are those that await acceptance now.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from federation.audit.events import AuditAction, AuditEvent, Detail, DetailValue
from federation.holders.messages import Accepted
from federation.identity.principal import Principal
from federation.identity.recorded import for_whom
from federation.service.consequences import follow
from federation.service.node import Node
from federation.state import asking
from federation.state import requests as store
from federation.state.errors import NotFound, TransitionNotAllowed
from federation.state.lifecycle import RequestState
from federation.state.models import Decision, Request
from federation.wire.channel import Sender
from federation.wire.conditions import Condition, Conditions

log = structlog.get_logger(__name__)


def awaiting(request: Request, decisions: Sequence[Decision]) -> Conditions | None:
    """The conditions that whoever asked has to accept before anything runs; None: there are none, or not yet."""
    if request.state is not RequestState.APPROVED:
        return None
    found = [(each.custodian, each.conditions or "") for each in store.unaccepted(request, decisions)]
    if not found:
        return None
    return Conditions.of(request.id, (Condition(body=body, text=text) for body, text in dict.fromkeys(found)))


def take(node: Node, sender: Sender, principal: Principal, accepted: Sequence[Accepted]) -> None:
    """Record what ``principal``, for whom the sender asks, accepts. What does not fit, or was taken before, changes
    nothing: the question then finds its request as it stands."""
    now = node.clock()
    for each in accepted:
        try:
            with node.database.write() as session:
                taken = _take(session, sender, principal, each, now)
        except TransitionNotAllowed:  # by another message at the same moment
            taken = False
        if not taken:
            log.info("acceptance_not_taken", node=sender.node, request=each.request)


def _take(session: Session, sender: Sender, principal: Principal, given: Accepted, now: datetime) -> bool:
    try:
        request = store.get_request(session, given.request)
    except NotFound:
        return False
    awaited = awaiting(request, store.decisions(session, request.id))
    mine = (request.requester, request.body) == (principal.subject, principal.body)
    if not mine or awaited is None or awaited.digest != given.conditions:
        return False
    about: dict[Detail, DetailValue] = {
        **for_whom(principal),
        Detail.PEER: sender.node,
        Detail.MESSAGE: sender.message,
        Detail.CONDITIONS_DIGEST: given.conditions,
        Detail.PLAN_DIGEST: request.plan_digest,
    }
    event = AuditEvent(principal.subject, AuditAction.REQUEST_ACCEPTED, request.id, now, about)
    request = asking.accept(session, request.id, principal.subject, now, event)
    follow(session, request, AuditAction.REQUEST_ACCEPTED, principal.subject, now)
    return True
