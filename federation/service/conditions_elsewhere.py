"""Conditions on which other nodes approve their part of a request: kept with it, accepted here, and told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy.orm import Session

from federation.audit.events import AuditAction, AuditEvent, Detail, DetailValue
from federation.holders.protocol import Absent, Agreed
from federation.identity.principal import Principal
from federation.identity.recorded import delegation_of
from federation.service import requests
from federation.service.node import Node
from federation.service.once import Once
from federation.service.views import RequestView
from federation.state import conditions as store
from federation.state.models import NodeConditions, Request
from federation.state.requests import get_request


def learn(node: Node, request_id: str, run_id: str, actor: str, absent: Iterable[Absent]) -> None:
    """Keep the conditions of nodes that gave nothing to a run for want of their acceptance."""
    found = {(each.node, each.conditions): each for each in absent if each.conditions is not None}
    if not found:
        return
    now = node.clock()
    with node.database.write() as session:
        for (name, conditions), each in found.items():
            assert conditions is not None
            if store.find(session, request_id, name, conditions.digest) is not None:
                continue
            about = {
                Detail.PEER: name,
                Detail.RUN: run_id,
                Detail.CONDITIONS_DIGEST: conditions.digest,
            }
            event = AuditEvent(actor, AuditAction.CONDITIONS_LEARNED, request_id, now, about)
            learned = NodeConditions(
                request_id=request_id,
                node=name,
                digest=conditions.digest,
                reference=each.reference,
                conditions=[said.model_dump() for said in conditions.conditions],
            )
            store.learn(session, learned, now, event)


def accept(
    node: Node, principal: Principal, request_id: str, other: str, digest: str, once: Once | None = None
) -> RequestView:
    """Accept the very conditions of the node ``other`` that have this digest. It is told with the next question.

    Raises:
        StateError: they are not (or no longer) there to accept, or not for this person.
    """
    now = node.clock()

    def step(session: Session, event: AuditEvent) -> Request:
        given = delegation_of(principal)
        store.accept(session, request_id, other, digest, principal.subject, given, now, event)
        return get_request(session, request_id)

    about: dict[Detail, DetailValue] = {Detail.PEER: other, Detail.CONDITIONS_DIGEST: digest}
    return requests.own_act(node, principal, request_id, AuditAction.REQUEST_ACCEPTED, about, step, now, once)


def agreed(node: Node, request_id: str) -> Mapping[str, Sequence[Agreed]]:
    """What the requester has accepted, by node: each is told with every question, and takes it once."""
    found: dict[str, list[Agreed]] = {}
    with node.database.read() as session:
        for each in store.listing(session, request_id):
            if each.accepted is not None:
                told = Agreed(each.learned.reference, each.learned.digest)
                found.setdefault(each.learned.node, []).append(told)
    return found
