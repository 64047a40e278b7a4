"""What one node asks of another and how it fails: the words that everything about several nodes is written in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from connectors.protocol import CancelSignal
from federation.wire.conditions import Conditions

REFERENCE = re.compile(r"[a-z0-9_]{0,64}")
"""The id of a request, or a stable code: all that a node that gives no answer says beside the reason."""


class MessageKind(StrEnum):
    """What a message asks for. Its answer has the same kind, or ``FAILED``."""

    PING = "ping"
    CATALOGUE = "catalogue"
    CELLS = "cells"
    ELIGIBILITY = "eligibility"
    KEYS = "keys"
    VALUES = "values"
    RECALL = "recall"
    POLL = "poll"
    FAILED = "failed"


class Unavailability(StrEnum):
    """Why a node gave no answer. ``meaning`` says it of "the node", for readers of a result."""

    AWAY = "node_away"
    BAD_REPLY = "node_bad_reply"
    CANCELLED = "node_cancelled"
    CHANGED = "node_changed"
    CONDITIONS = "node_conditions"
    FAILED = "node_failed"
    NEEDS_A_PERSON = "node_needs_a_person"
    NOT_A_PEER = "node_not_a_peer"
    REFUSED = "node_refused"
    TIMED_OUT = "node_timed_out"
    TOO_LARGE = "node_message_too_large"
    VERSION = "node_version"

    @property
    def meaning(self) -> str:
        return _MEANINGS[self]


_MEANINGS = {
    Unavailability.AWAY: "it could not be reached",
    Unavailability.BAD_REPLY: "its answer was not one that can be relied on",
    Unavailability.CANCELLED: "it was no longer asked: the run was cancelled",
    Unavailability.CHANGED: "what it holds changed while it was asked",
    Unavailability.CONDITIONS: "it approves on conditions that whoever asked has to accept first",
    Unavailability.FAILED: "it could not carry out what was asked",
    Unavailability.NEEDS_A_PERSON: "its custodian has to decide first",
    Unavailability.NOT_A_PEER: "it and this node do not know each other",
    Unavailability.REFUSED: "it refused",
    Unavailability.TIMED_OUT: "it took too long",
    Unavailability.TOO_LARGE: "the question or its answer is larger than a message may be",
    Unavailability.VERSION: "it speaks another version",
}


class NodeUnavailable(Exception):
    """A node gave no answer. The text is this node's own: nothing that the other one wrote stands in it.

    ``detail`` is empty, or a reference that the other node gave: the id of a request at it, or a stable code.
    ``conditions`` are there for CONDITIONS: words of that node's custodians, for whoever asked alone.
    """

    def __init__(
        self, node: str, reason: Unavailability, detail: str = "", conditions: Conditions | None = None
    ) -> None:
        super().__init__(f"{node}: {reason.meaning}" + (f" ({detail})" if detail else ""))
        self.node = node
        self.reason = reason
        self.detail = detail
        self.conditions = conditions


class Declined(Exception):
    """Raised by a handler that does not answer, with what the asking node is told.

    ``reference`` is the id of a request here, or a stable code: lower-case letters, digits and underscores.
    ``conditions`` are those on which that request was approved, for CONDITIONS.

    Raises:
        ValueError: ``reference`` is something else, which might hold a value.
    """

    def __init__(
        self, reason: Unavailability, reference: str = "", conditions: Conditions | None = None
    ) -> None:
        if not REFERENCE.fullmatch(reference):
            raise ValueError("a reference is an id or a code")
        super().__init__(str(reason))
        self.reason = reason
        self.reference = reference
        self.conditions = conditions


@dataclass(frozen=True, slots=True)
class Sender:
    """Who asks: ``node`` is the peer whose signature was verified.

    ``deadline`` (``time.monotonic``) is when it stops waiting, ``message`` the id under which the audit trail has it;
    ``cancel`` is set when this node stops.
    """

    node: str
    message: str
    deadline: float
    cancel: CancelSignal


Handler = Callable[[Sender, Mapping[str, Any]], Mapping[str, Any]]
"""Answers the body of a message with the body of its answer, or raises ``Declined``. Runs in a thread of its own."""


class Channel(Protocol):
    """A way to ask other nodes."""

    def ask(
        self,
        node: str,
        kind: MessageKind,
        body: Mapping[str, Any],
        *,
        deadline: float,
        cancel: CancelSignal,
    ) -> Mapping[str, Any]:
        """The body of the answer that ``node`` signed to this very question.

        Args:
            body: JSON values; tables go through ``federation.wire.tables``.
            deadline: ``time.monotonic()`` after which nobody waits any more.

        Raises:
            NodeUnavailable: there is none, within the deadline; the reason says why.
            StateError: question or answer could not be recorded.
        """
        ...
