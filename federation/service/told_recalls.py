"""Recalls that travel: a node tells those to whom it gave a release, and they take back what rests on it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints, ValidationError
from sqlalchemy.orm import Session

from catalogue.models import Name
from federation.audit.events import AuditAction, AuditEvent, Detail, DetailValue, text_digest
from federation.holders.messages import MessageUnreadable
from federation.notices.events import tell_of_recall
from federation.service.node import Node
from federation.service.recalls import given_to
from federation.state import recalls as store
from federation.state.errors import StateError
from federation.state.models import PartRecall
from federation.state.recalls import ToTell
from federation.state.releases import get_release
from federation.state.requests import get_request
from federation.wire.channel import Declined, MessageKind, NodeUnavailable, Sender, Unavailability

IDLE_SECONDS = 2.0
TROUBLE_SECONDS = 15.0
ANSWER_SECONDS = 30.0
log = structlog.get_logger(__name__)

ReleaseId = Annotated[str, StringConstraints(pattern=r"^rel_[0-9a-f]{1,36}$")]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000)]


class RecallMessage(BaseModel):
    """That the sender took back a release that it had given, which body did, when, and why.

    The reason is what that node tells anybody (``GET /v1/recalls``): it is no secret, and no figure.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    release: ReleaseId
    body: Name
    reason: Reason
    recalled_at: AwareDatetime

    @classmethod
    def of(cls, telling: ToTell) -> RecallMessage:
        return cls(
            release=telling.release, body=telling.body, reason=telling.reason, recalled_at=telling.recalled_at
        )


def learn_of_recall(node: Node, sender: Sender, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Record that the sender recalled what it had given, and recall every release of this node that rests on it.

    A peer speaks for what it gave itself, and for nothing of others. Told again, nothing more happens.

    Raises:
        Declined: REFUSED, the message is none of a recall.
    """
    try:
        message = RecallMessage.model_validate(dict(body))
    except ValidationError:
        raise Declined(Unavailability.REFUSED, MessageUnreadable.code) from None
    now = node.clock()
    with node.database.write() as session:
        if store.find_part_recall(session, sender.node, message.release) is None:
            _take_back(node, session, sender, message, now)
    return {}


def _take_back(node: Node, session: Session, sender: Sender, message: RecallMessage, now: datetime) -> None:
    recalled = PartRecall(
        node=sender.node,
        part=message.release,
        body=message.body,
        reason=message.reason,
        recalled_at=message.recalled_at,
    )
    actor = f"node {sender.node}"
    details: dict[Detail, DetailValue] = {
        Detail.PEER: sender.node,
        Detail.BODY: message.body,
        Detail.MESSAGE: sender.message,
        Detail.REASON_DIGEST: text_digest(message.reason),
    }
    event = AuditEvent(actor, AuditAction.PART_RECALLED, message.release, now, details)
    for release_id in store.learn(session, recalled, now, event):
        release = get_release(session, release_id)
        request = get_request(session, release.request_id)
        about = details | {Detail.PART: message.release, Detail.TABLE_DIGEST: release.table_digest}
        event = AuditEvent(actor, AuditAction.RELEASE_RECALLED, release_id, now, about)
        store.recall_with_part(session, release_id, recalled, given_to(node, request), now, event)
        tell_of_recall(session, release_id, request, now)


class RecallTeller:
    """A thread that tells other nodes of recalls until each has answered. Started and stopped with the node.

    Several processes may have one each: what is told is claimed first. One that dies while it tells leaves it due
    again, and who was told already answers the same.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="recalls")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def tell_next(self) -> bool:
        """Tell the recall that has been due longest; whether there was one."""
        node = self._node
        with node.database.write() as session:
            telling = store.claim_telling(session, node.clock())
        if telling is None:
            return False
        body = RecallMessage.of(telling).model_dump(mode="json")
        deadline = time.monotonic() + ANSWER_SECONDS
        try:
            node.wire.channel.ask(
                telling.node, MessageKind.RECALL, body, deadline=deadline, cancel=self._stopping
            )
        except NodeUnavailable as error:
            log.warning(
                "recall_not_told", node=telling.node, release=telling.release, reason=str(error.reason)
            )
            return True
        with node.database.write() as session:
            store.told(session, telling)
        return True

    def _work(self) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            try:
                pause = 0.0 if self.tell_next() else IDLE_SECONDS
            except StateError as error:
                log.error("recalls_wait", code=error.code)
                pause = TROUBLE_SECONDS
            except Exception as error:  # noqa: BLE001  # a recall waits for whatever it is to pass
                log.error("recalls_stumbled", kind=type(error).__name__)
                pause = TROUBLE_SECONDS
