"""The channel to other nodes: a signed question, carried there by whatever reaches the node, and its signed answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Protocol

from connectors.protocol import CancelSignal
from federation.wire.channel import REFERENCE, MessageKind, NodeUnavailable, Unavailability
from federation.wire.conditions import Conditions
from federation.wire.correspondence import Correspondence, Written
from federation.wire.envelope import MessageRefused
from federation.wire.peers import Peer

SAID = frozenset(Unavailability) - {Unavailability.CONDITIONS}
"""What a node may give as its reason. That it has conditions is said by having them."""


class Carrier(Protocol):
    """Takes a message to a peer and brings what came back, unread."""

    def carry(self, peer: Peer, message: Written, *, deadline: float, cancel: CancelSignal) -> str:
        """The token that the peer answered with.

        Raises:
            NodeUnavailable: there is none, within the deadline.
        """
        ...


class SignedChannel:
    """Asks peers (``federation.wire.channel.Channel``). ``carrier`` says how a peer is reached, None for not at all."""

    def __init__(self, correspondence: Correspondence, carrier: Callable[[Peer], Carrier | None]) -> None:
        self._correspondence = correspondence
        self._carrier = carrier

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

        Raises:
            NodeUnavailable: there is none, within the deadline; the reason says why.
            StateError: question or answer could not be recorded.
        """
        peer = self._correspondence.peers.get(node)
        carrier = None if peer is None else self._carrier(peer)
        if peer is None or carrier is None:
            raise NodeUnavailable(node, Unavailability.NOT_A_PEER)
        left = deadline - time.monotonic()
        if cancel.is_set():
            raise NodeUnavailable(node, Unavailability.CANCELLED)
        if left <= 0:
            raise NodeUnavailable(node, Unavailability.TIMED_OUT)
        try:
            question = self._correspondence.write(node, kind, body, timedelta(seconds=left))
        except MessageRefused:
            raise NodeUnavailable(node, Unavailability.TOO_LARGE) from None
        token = carrier.carry(peer, question, deadline=deadline, cancel=cancel)
        return self._body(peer, kind, question, token)

    def _body(self, peer: Peer, kind: MessageKind, question: Written, token: str) -> Mapping[str, Any]:
        try:
            answer = self._correspondence.read(token, in_reply_to=question.id)
        except MessageRefused as refused:
            raise NodeUnavailable(peer.name, Unavailability.BAD_REPLY, str(refused.fault)) from None
        if answer.issuer != peer.name or answer.kind not in (kind, MessageKind.FAILED):
            raise NodeUnavailable(peer.name, Unavailability.BAD_REPLY)
        if answer.kind == MessageKind.FAILED:
            raise _failure(peer.name, answer.body)
        return answer.body


def _failure(node: str, body: Mapping[str, Any]) -> NodeUnavailable:
    """Why the node says that it gives no answer. What it wrote beyond a code, a reference and conditions is dropped."""
    code, reference = body.get("code"), body.get("reference")
    if (
        not isinstance(code, str)
        or code not in SAID
        or not isinstance(reference, str)
        or not REFERENCE.fullmatch(reference)
    ):
        return NodeUnavailable(node, Unavailability.BAD_REPLY)
    if "conditions" not in body or code != Unavailability.NEEDS_A_PERSON:
        return NodeUnavailable(node, Unavailability(code), reference)
    try:
        conditions = Conditions.read(reference, body["conditions"])
    except ValueError:
        return NodeUnavailable(node, Unavailability.BAD_REPLY)
    return NodeUnavailable(node, Unavailability.CONDITIONS, reference, conditions)
