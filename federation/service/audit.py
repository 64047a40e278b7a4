"""The audit trail for those who have to account for the node: its events, whether it is whole, and checkpoints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from federation.audit.chain import BATCH, ChainLink, append, events, head, verify_chain
from federation.audit.checkpoint import sign_checkpoint, verify_checkpoint
from federation.audit.events import AuditAction, AuditEvent, Detail, DetailValue
from federation.audit.export import line_of
from federation.client.verify import VerificationError
from federation.identity.principal import Principal
from federation.service.errors import Fault, ServiceCode, ServiceError
from federation.service.node import Node
from federation.service.permissions import Act, require


@dataclass(frozen=True, slots=True)
class EventView:
    """One event of the chain. ``details`` holds identifiers, digests, codes and versions, never a data value."""

    sequence: int
    time: str
    actor: str
    action: str
    subject: str
    details: dict[str, Any]
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class ChainView:
    """Whether the chain is whole, how far it was followed, and the first fault if there is one."""

    whole: bool
    sequence: int
    hash: str
    fault: str | None
    fault_at: int | None


@dataclass(frozen=True, slots=True)
class CheckpointView:
    """The head of the chain, signed, for somebody else to keep."""

    checkpoint: str
    sequence: int
    hash: str


def listing(
    node: Node, principal: Principal, *, after: int = 0, limit: int = 100, subject: str | None = None
) -> list[EventView]:
    """Events in order, from the one after number ``after``."""
    require(principal, Act.READ_AUDIT)
    with node.database.read() as session:
        return [
            EventView(
                record.sequence,
                record.time,
                record.actor,
                record.action,
                record.subject,
                json.loads(record.details),
                record.previous,
                record.hash,
            )
            for record in islice(events(session, after=after, subject=subject), limit)
        ]


def export(node: Node, principal: Principal) -> Iterator[bytes]:
    """The whole trail as JSON lines, up to the event that records this export."""
    require(principal, Act.READ_AUDIT)
    with node.database.write() as session:
        event = AuditEvent(
            principal.subject, AuditAction.AUDIT_EXPORTED, node.settings.node, node.clock(), {}
        )
        end = append(session, event).sequence
    return _lines(node, end)


def _lines(node: Node, end: int) -> Iterator[bytes]:
    """In pieces, so that nobody who reads slowly holds a transaction open."""
    after = 0
    while after < end:
        with node.database.read() as session:
            piece = list(islice(events(session, after=after), min(BATCH, end - after)))
        if not piece:
            return
        after = piece[-1].sequence
        yield b"".join(map(line_of, piece))


def verification(node: Node, principal: Principal, checkpoint: str | None = None) -> ChainView:
    """Follow the whole chain, and compare it with an earlier checkpoint of this node where one is given.

    Raises:
        ServiceError: INVALID_REQUEST, the checkpoint is none that this node signed.
    """
    require(principal, Act.READ_AUDIT)
    link = None if checkpoint is None else _link(node, checkpoint)
    with node.database.read() as session:
        report = verify_chain(session, link)
    fault = report.fault
    return ChainView(
        report.whole,
        report.reached.sequence,
        report.reached.hash,
        None if fault is None else str(fault.kind),
        None if fault is None else fault.sequence,
    )


def checkpoint(node: Node, principal: Principal) -> CheckpointView:
    """Sign the head of the chain; that it was signed is itself recorded, after it."""
    require(principal, Act.READ_AUDIT)
    now = node.clock()
    with node.database.write() as session:
        link = head(session)
        signed = sign_checkpoint(node.settings.node, link, now, node.signing_key)
        details: dict[Detail, DetailValue] = {
            Detail.SEQUENCE: link.sequence,
            Detail.KEY_ID: node.signing_key.key_id,
        }
        name = node.settings.node
        append(session, AuditEvent(principal.subject, AuditAction.CHECKPOINT_SIGNED, name, now, details))
    return CheckpointView(signed, link.sequence, link.hash)


def _link(node: Node, token: str) -> ChainLink:
    try:
        return verify_checkpoint(token, node.signing_key.public_jwks()).link
    except VerificationError as error:
        fault = Fault(str(error.fault), str(error), pointer="/checkpoint")
        raise ServiceError(ServiceCode.INVALID_REQUEST, str(error), (fault,)) from None
