"""Writing and reading messages: each is in the audit trail before anything is done with it, and read once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from federation.audit.events import AuditAction, AuditEvent, Detail, DetailValue
from federation.release.keys import SigningKey
from federation.state import messages
from federation.state.database import Database
from federation.state.errors import StateConflict
from federation.wire.channel import MessageKind
from federation.wire.envelope import (
    LONGEST_LIFE,
    Message,
    MessageFault,
    MessageRefused,
    new_message_id,
    seal,
    unseal,
)
from federation.wire.peers import Peers

KEPT_LONGER = timedelta(hours=1)
"""For how long after its end a message is remembered: by so much the clock of this node may be set back."""


@dataclass(frozen=True, slots=True)
class Written:
    """A message that may be sent."""

    id: str
    token: str


@dataclass(frozen=True, slots=True)
class Correspondence:
    """What the node ``name`` writes to its peers and reads from them.

    ``skew`` is by how much clocks may differ, ``largest`` the bytes that a message may have.
    """

    name: str
    key: SigningKey
    peers: Peers
    database: Database
    clock: Callable[[], datetime]
    skew: timedelta
    largest: int

    def write(
        self,
        audience: str,
        kind: str,
        body: Mapping[str, Any],
        life: timedelta,
        in_reply_to: str | None = None,
    ) -> Written:
        """Sign a message, and record that it is about to leave.

        Args:
            life: how long it is in force; at most an hour, whatever is given.

        Raises:
            MessageRefused: TOO_LARGE.
            StateError: it could not be recorded, so it must not leave.
        """
        now = self.clock()
        message = Message(
            id=new_message_id(),
            kind=kind,
            issuer=self.name,
            audience=audience,
            issued_at=now,
            expires_at=now + min(life, LONGEST_LIFE),
            in_reply_to=in_reply_to,
            body=body,
        )
        token = seal(message, self.key)
        if len(token) > self.largest:
            raise MessageRefused(MessageFault.TOO_LARGE)
        if kind != MessageKind.POLL:
            event = self._event(AuditAction.MESSAGE_SENT, message, audience, token)
            with self.database.write() as session:
                messages.send(session, message.id, event)
        return Written(message.id, token)

    def verify(self, token: str) -> Message:
        """What can be said of a message without remembering it.

        Raises:
            MessageRefused: with the fault.
        """
        return unseal(
            token,
            self.peers,
            audience=self.name,
            now=self.clock(),
            skew=self.skew,
            largest=self.largest,
        )

    def read(self, token: str, in_reply_to: str | None = None) -> Message:
        """A message that a peer signed for this node, once. It is recorded before it is returned.

        Args:
            in_reply_to: the id of the question that it has to answer; None where a question is expected.

        Raises:
            MessageRefused: with the fault; REPLAYED for all but the first of several who read it.
            StateError: it could not be recorded, so nothing may be done with it.
        """
        message = self.verify(token)
        if message.in_reply_to != in_reply_to:
            raise MessageRefused(MessageFault.WRONG_ANSWER)
        now = self.clock()
        keep_until = message.expires_at + self.skew + KEPT_LONGER
        event = self._event(AuditAction.MESSAGE_RECEIVED, message, message.issuer, token)
        try:
            with self.database.write() as session:
                if message.kind == MessageKind.POLL:
                    messages.see(session, message.id, message.issuer, keep_until, now)
                else:
                    messages.receive(session, message.id, message.issuer, keep_until, now, event)
        except StateConflict:
            raise MessageRefused(MessageFault.REPLAYED) from None
        return message

    def _event(self, action: AuditAction, message: Message, peer: str, token: str) -> AuditEvent:
        known = message.kind in set(MessageKind)
        details: dict[Detail, DetailValue] = {
            Detail.PEER: peer,
            Detail.KIND: str(message.kind) if known else "unknown",
            Detail.IN_REPLY_TO: message.in_reply_to,
            Detail.MESSAGE_DIGEST: f"sha256:{hashlib.sha256(token.encode()).hexdigest()}",
        }
        return AuditEvent(message.issuer, action, message.id, self.clock(), details)
