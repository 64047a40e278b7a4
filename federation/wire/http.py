"""Messages over HTTP: one POST, with an end to it whatever the other side does."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx

from connectors.protocol import CancelSignal
from federation.wire.channel import NodeUnavailable, Unavailability
from federation.wire.correspondence import Written
from federation.wire.envelope import MessageFault
from federation.wire.peers import Peer

MEDIA_TYPE = "application/jose"
MESSAGES = "/federation/v1/messages"
POLL = "/federation/v1/poll"
REPLIES = "/federation/v1/replies"

TICK_SECONDS = 0.05
LET_GO_SECONDS = 1.0
LARGEST_PROBLEM = 65_536

_REFUSALS: Mapping[str, Unavailability] = {
    MessageFault.TOO_LARGE: Unavailability.TOO_LARGE,
    MessageFault.MALFORMED: Unavailability.REFUSED,
    MessageFault.UNKNOWN_SENDER: Unavailability.NOT_A_PEER,
    MessageFault.BAD_SIGNATURE: Unavailability.NOT_A_PEER,
    MessageFault.VERSION: Unavailability.VERSION,
    MessageFault.WRONG_AUDIENCE: Unavailability.NOT_A_PEER,
    MessageFault.EXPIRED: Unavailability.REFUSED,
    MessageFault.FROM_THE_FUTURE: Unavailability.REFUSED,
    MessageFault.WRONG_ANSWER: Unavailability.REFUSED,
    MessageFault.REPLAYED: Unavailability.REFUSED,
}
_STATUSES: Mapping[int, Unavailability] = {
    413: Unavailability.TOO_LARGE,
    **dict.fromkeys((429, 500, 502, 503, 504), Unavailability.AWAY),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, unread."""

    status: int
    content: bytes


class NoAnswer(Exception):
    """Nothing that can be used came back in time."""

    def __init__(self, reason: Unavailability) -> None:
        super().__init__(reason.meaning)
        self.reason = reason


def post(url: str, token: str, *, largest: int, deadline: float, cancel: CancelSignal) -> Answer:
    """POST a token and take what comes back, at most ``largest`` bytes, before ``deadline`` (``time.monotonic``).

    A timeout of the library's is between two bytes: a server that sends one a second would never meet it. So the
    exchange is a task that is given up at its deadline, or when it is cancelled.

    Raises:
        NoAnswer: AWAY, BAD_REPLY, TOO_LARGE, TIMED_OUT or CANCELLED.
    """
    # Not asyncio.run, which at its end waits for a look-up of a name that may never be answered.
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(_in_time(_exchange(url, token, largest), deadline, cancel))
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _in_time(exchange: Coroutine[Any, Any, Answer], deadline: float, cancel: CancelSignal) -> Answer:
    task = asyncio.ensure_future(exchange)
    while True:
        left = deadline - time.monotonic()
        await asyncio.wait({task}, timeout=max(0.0, min(left, TICK_SECONDS)))
        if task.done():
            return task.result()
        if cancel.is_set() or left <= 0:
            task.cancel()
            await asyncio.wait({task}, timeout=LET_GO_SECONDS)
            raise NoAnswer(Unavailability.CANCELLED if cancel.is_set() else Unavailability.TIMED_OUT)


async def _exchange(url: str, token: str, largest: int) -> Answer:
    # Unencrypted messages stay on this machine, so they go through no proxy that the environment names.
    environment = url.startswith("https:")
    headers = {"Content-Type": MEDIA_TYPE, "Accept": MEDIA_TYPE, "Accept-Encoding": "identity"}
    begun = False
    try:
        async with (
            httpx.AsyncClient(timeout=None, trust_env=environment, verify=_trust()) as http,
            http.stream("POST", url, content=token.encode(), headers=headers) as response,
        ):
            begun = True
            content = bytearray()
            async for chunk in response.aiter_raw():
                content += chunk
                if len(content) > largest:
                    raise NoAnswer(Unavailability.TOO_LARGE)
            return Answer(response.status_code, bytes(content))
    except (httpx.RemoteProtocolError, httpx.DecodingError):
        raise NoAnswer(Unavailability.BAD_REPLY) from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError):
        raise NoAnswer(Unavailability.BAD_REPLY if begun else Unavailability.AWAY) from None


@cache
def _trust() -> ssl.SSLContext:
    """The authorities that vouch for addresses (SSL_CERT_FILE may name them), read once: it outlasts a message."""
    return httpx.create_ssl_context()


@dataclass(frozen=True, slots=True)
class HttpCarrier:
    """Calls a peer at its address. ``largest`` is the bytes that an answer may have."""

    largest: int

    def carry(self, peer: Peer, message: Written, *, deadline: float, cancel: CancelSignal) -> str:
        """The token that the peer answered with.

        Raises:
            NodeUnavailable: there is none, within the deadline.
        """
        try:
            answer = post(
                address(peer, MESSAGES), message.token, largest=self.largest, deadline=deadline, cancel=cancel
            )
        except NoAnswer as error:
            raise NodeUnavailable(peer.name, error.reason) from None
        if answer.status == 200:
            return text_of(answer.content)
        raise _refusal(peer.name, answer)


def address(peer: Peer, path: str) -> str:
    """Where a path of the peer's is."""
    return (peer.url or "").rstrip("/") + path


def text_of(content: bytes) -> str:
    """A token as it arrived; what is not ASCII is none, and is found to be so."""
    return content.decode("ascii", errors="replace")


def _refusal(node: str, answer: Answer) -> NodeUnavailable:
    """Why the peer did not take the message: it answers unsigned then, so its code is believed and not its words."""
    fault = _fault_of(answer.content)
    if fault is not None:
        return NodeUnavailable(node, _REFUSALS[fault], str(fault))
    return NodeUnavailable(node, _STATUSES.get(answer.status, Unavailability.BAD_REPLY))


def _fault_of(content: bytes) -> MessageFault | None:
    if len(content) > LARGEST_PROBLEM:
        return None
    try:
        code = json.loads(content)["errors"][0]["code"]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        return None
    return MessageFault(code) if isinstance(code, str) and code in set(MessageFault) else None
