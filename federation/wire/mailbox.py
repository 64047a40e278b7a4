"""Messages to peers behind a firewall: they wait here, in memory, until the peer fetches them and posts its answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from dataclasses import dataclass

from connectors.protocol import CancelSignal
from federation.wire.channel import NodeUnavailable, Unavailability
from federation.wire.correspondence import Written
from federation.wire.peers import Peer

TICK_SECONDS = 0.05
AWAY_SECONDS = 60.0
"""After so long without a sign of life a peer is away."""


@dataclass(slots=True)
class _Waiting:
    peer: str
    message: Written
    since: float
    fetched: bool = False
    answer: str | None = None


class Mailbox:
    """Carries messages to peers that poll (``federation.wire.asking.Carrier``)."""

    def __init__(self, away_seconds: float = AWAY_SECONDS) -> None:
        self._away_seconds = away_seconds
        self._changed = threading.Condition()
        self._waiting: dict[str, _Waiting] = {}
        self._seen: dict[str, float] = {}

    def carry(self, peer: Peer, message: Written, *, deadline: float, cancel: CancelSignal) -> str:
        """Leave a message for a peer and wait for its answer.

        Raises:
            NodeUnavailable: AWAY if the peer did not fetch it, TIMED_OUT if it did and gave no answer, or CANCELLED.
        """
        entry = _Waiting(peer.name, message, time.monotonic())
        with self._changed:
            self._waiting[message.id] = entry
            try:
                while entry.answer is None:
                    if cancel.is_set():
                        raise NodeUnavailable(peer.name, Unavailability.CANCELLED)
                    if self._is_over(entry, deadline):
                        reason = Unavailability.TIMED_OUT if entry.fetched else Unavailability.AWAY
                        raise NodeUnavailable(peer.name, reason)
                    self._changed.wait(TICK_SECONDS)
            finally:
                del self._waiting[message.id]
        return entry.answer

    def fetch(self, peer: str, had: Collection[str]) -> str | None:
        """The oldest message that waits for a peer, if there is one.

        Args:
            had: ids that it did have. What it was given before and is not among them was lost on the way.
        """
        with self._changed:
            self._seen[peer] = time.monotonic()
            for entry in self._waiting.values():
                if entry.peer == peer and entry.answer is None and entry.message.id not in had:
                    entry.fetched = True
                    return entry.message.token
        return None

    def deliver(self, peer: str, in_reply_to: str, token: str) -> bool:
        """Hand a peer's answer to who waits for it; False where nobody does."""
        with self._changed:
            entry = self._waiting.get(in_reply_to)
            if entry is None or entry.peer != peer or entry.answer is not None:
                return False
            entry.answer = token
            self._changed.notify_all()
        return True

    def _is_over(self, entry: _Waiting, deadline: float) -> bool:
        now = time.monotonic()
        alive = max(entry.since, self._seen.get(entry.peer, entry.since))
        return now >= deadline or now >= alive + self._away_seconds
