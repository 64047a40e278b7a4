"""Where messages of other nodes arrive: verified, recorded, handed to what answers their kind, and answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog

from federation.wire.channel import Declined, Handler, MessageKind, Sender, Unavailability
from federation.wire.conditions import Conditions
from federation.wire.correspondence import Correspondence
from federation.wire.envelope import Message, MessageRefused

ANSWER_LIFE = timedelta(minutes=5)
log = structlog.get_logger(__name__)


class Desk:
    """Answers messages. Handlers are registered before the first arrives."""

    def __init__(self, correspondence: Correspondence) -> None:
        self._correspondence = correspondence
        self._handlers: dict[str, Handler] = {}
        self._stopping = threading.Event()

    def register(self, kind: MessageKind, handler: Handler) -> None:
        """Have ``handler`` answer the messages of a kind.

        Raises:
            ValueError: another does already; a mistake of the caller.
        """
        if kind in self._handlers:
            raise ValueError(f"{kind} has a handler")
        self._handlers[kind] = handler

    def stop(self) -> None:
        """Tell every handler that is at work to end."""
        self._stopping.set()

    def receive(self, token: str) -> str:
        """The signed answer to a signed question. Takes as long as its handler.

        Raises:
            MessageRefused: the question is none that may be read.
            StateError: question or answer could not be recorded.
        """
        message = self._correspondence.read(token)
        kind, body = self._answer(message)
        try:
            return self._reply(message, kind, body)
        except MessageRefused:
            return self._reply(message, MessageKind.FAILED, _failure(Unavailability.TOO_LARGE))
        except (TypeError, ValueError) as error:  # the body is not JSON
            _log_failure(message, error)
            return self._reply(message, MessageKind.FAILED, _failure(Unavailability.FAILED))

    def _answer(self, message: Message) -> tuple[str, Mapping[str, Any]]:
        handler = self._handlers.get(message.kind)
        if handler is None:
            return MessageKind.FAILED, _failure(Unavailability.VERSION)
        left = (message.expires_at - self._correspondence.clock()).total_seconds()
        sender = Sender(message.issuer, message.id, time.monotonic() + left, self._stopping)
        try:
            return message.kind, handler(sender, message.body)
        except Declined as declined:
            return MessageKind.FAILED, _failure(declined.reason, declined.reference, declined.conditions)
        except Exception as error:  # noqa: BLE001  # whatever it is, the other node waits for an answer
            _log_failure(message, error)
            return MessageKind.FAILED, _failure(Unavailability.FAILED)

    def _reply(self, message: Message, kind: str, body: Mapping[str, Any]) -> str:
        return self._correspondence.write(message.issuer, kind, body, ANSWER_LIFE, message.id).token


def _log_failure(message: Message, error: Exception) -> None:
    log.error("message_failed", message=message.id, kind=str(message.kind), error=type(error).__name__)


def _failure(
    reason: Unavailability, reference: str = "", conditions: Conditions | None = None
) -> dict[str, Any]:
    """Conditions come with the code of a decision that is missing, which is all that an earlier version reads."""
    if conditions is None:
        return {"code": str(reason), "reference": reference}
    said = conditions.model_dump(mode="json")
    return {"code": str(Unavailability.NEEDS_A_PERSON), "reference": reference, "conditions": said}
