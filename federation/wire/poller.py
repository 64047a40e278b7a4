"""For a node that cannot be called: it asks its hub, again and again, whether there is something for it."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from datetime import timedelta

import structlog

from federation.state.errors import StateError
from federation.wire.channel import MessageKind
from federation.wire.correspondence import Correspondence
from federation.wire.desk import Desk
from federation.wire.envelope import MessageFault, MessageRefused
from federation.wire.http import POLL, REPLIES, Answer, NoAnswer, address, post, text_of
from federation.wire.peers import Peer

WAIT_SECONDS = 15.0
"""How long a hub holds a poll that it has nothing for."""

POLL_SECONDS = 30.0
REPLY_SECONDS = 60.0
ATTEMPTS = 3
LONGEST_PAUSE = 15.0
AT_ONCE = 8
REMEMBERED = 1_000
"""Messages that the hub is told not to give again: what it gave and is not among them was lost on the way."""

log = structlog.get_logger(__name__)


class Poller:
    """Fetches from one hub what it asks, and posts the answers. ``start`` and ``stop`` it."""

    def __init__(self, correspondence: Correspondence, desk: Desk, hub: Peer) -> None:
        self._correspondence = correspondence
        self._desk = desk
        self._hub = hub
        self._stopping = threading.Event()
        self._had: OrderedDict[str, None] = OrderedDict()
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self._thread = threading.Thread(target=self._poll, name=f"poller-{hub.name}")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Fetch nothing any more. What is being answered is told so by the desk."""
        self._stopping.set()
        self._thread.join()

    def _poll(self) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            if not self._places.acquire(timeout=1.0):
                continue
            taken = False
            try:
                answer = self._send(POLL, self._question(), POLL_SECONDS)
                taken = answer.status == 200 and self._take(text_of(answer.content))
                fine = taken or answer.status == 204
                pause = 0.0 if fine else self._longer(pause, f"http_{answer.status}")
            except NoAnswer as error:
                pause = self._longer(pause, str(error.reason))
            except StateError as error:
                pause = self._longer(pause, error.code)
            except Exception as error:  # noqa: BLE001  # a poller outlives whatever the other side sends
                pause = self._longer(pause, type(error).__name__)
            finally:
                if not taken:
                    self._places.release()

    def _question(self) -> str:
        body = {"had": list(self._had)}
        life = timedelta(seconds=POLL_SECONDS)
        return self._correspondence.write(self._hub.name, MessageKind.POLL, body, life).token

    def _take(self, token: str) -> bool:
        """Have a message answered by a thread of its own, which gives its place back at its end."""
        try:
            message = self._correspondence.verify(token)
            if message.issuer != self._hub.name:  # a hub carries no messages of others
                raise MessageRefused(MessageFault.UNKNOWN_SENDER)
        except MessageRefused as refused:
            log.warning("message_refused", hub=self._hub.name, fault=str(refused.fault))
            return False
        self._had[message.id] = None
        if len(self._had) > REMEMBERED:
            self._had.popitem(last=False)
        threading.Thread(target=self._answer, args=(message.id, token), name=message.id, daemon=True).start()
        return True

    def _answer(self, message_id: str, token: str) -> None:
        try:
            answer = self._desk.receive(token)
            self._deliver(answer)
        except MessageRefused as refused:
            log.warning("message_refused", hub=self._hub.name, fault=str(refused.fault))
        except NoAnswer as error:
            log.warning("answer_not_delivered", message=message_id, reason=str(error.reason))
        except StateError as error:
            log.error("message_not_answered", message=message_id, code=error.code)
        finally:
            self._places.release()

    def _deliver(self, answer: str) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._send(REPLIES, answer, REPLY_SECONDS)
                return
            except NoAnswer:
                if attempt == ATTEMPTS or self._stopping.wait(attempt):
                    raise

    def _send(self, path: str, token: str, seconds: float) -> Answer:
        return post(
            address(self._hub, path),
            token,
            largest=self._correspondence.largest,
            deadline=time.monotonic() + seconds,
            cancel=self._stopping,
        )

    def _longer(self, pause: float, reason: str) -> float:
        if not self._stopping.is_set():
            log.warning("poll_failed", hub=self._hub.name, reason=reason)
        return min(LONGEST_PAUSE, max(0.5, pause * 2))
