"""Bounds on what a caller may send and how often, kept before anything is parsed."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from federation.api.problems import problem
from federation.service.errors import ServiceCode, ServiceError
from federation.wire.http import MEDIA_TYPE, MESSAGES, POLL, REPLIES

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
FILES = "multipart/form-data"
UPLOADS = "/verify"
"""The page that takes files."""
FORM_BYTES = 131_072
"""What a form with a file may hold beside it."""
LARGE_AT_ONCE = 4
"""So many of the largest bodies of a kind are held in memory at a time."""


@dataclass(slots=True)
class _Room:
    """What bodies of a kind may be that are larger than others, and how many bytes of them are held now."""

    limit: int
    held: int = 0


class BodyGuard:
    """Refuses bodies that are too large (413) or of a type that the path does not take (415).

    The size is counted as it streams in: a caller may leave Content-Length out, or lie. Messages of other nodes and
    files to verify may be larger, and nobody knows yet whose they are while they arrive: those of each kind together
    are held to a few of the largest (503).
    """

    def __init__(self, app: ASGIApp, maximum_bytes: int, message_bytes: int, upload_bytes: int) -> None:
        self.app = app
        self.maximum_bytes = maximum_bytes
        messages = _Room(message_bytes)
        self._rooms = {MESSAGES: messages, REPLIES: messages, UPLOADS: _Room(upload_bytes + FORM_BYTES)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("POST", "PUT", "PATCH", "DELETE"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        room = self._rooms.get(scope["path"], _Room(self.maximum_bytes))
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > room.limit:
            await self._too_large(room.limit, scope, receive, send)
            return
        held = 0
        try:
            body = bytearray()
            more = True
            while more:
                message = await receive()
                if message["type"] != "http.request":
                    return
                body += message.get("body", b"")
                more = message.get("more_body", False)
                if len(body) > room.limit:
                    await self._too_large(room.limit, scope, receive, send)
                    return
                if len(body) > self.maximum_bytes:
                    room.held += len(body) - held
                    held = len(body)
                    if room.held > LARGE_AT_ONCE * room.limit:
                        await self._too_many(scope, receive, send)
                        return
            await self._pass(bytes(body), headers, scope, receive, send)
        finally:
            room.held -= held

    async def _pass(self, body: bytes, headers: Headers, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        expected = JSON if path.startswith("/v1/") else FORM  # a token's request, and what pages send
        if path in (MESSAGES, POLL, REPLIES):
            expected = MEDIA_TYPE
        if path == UPLOADS:
            expected = FILES
        given = headers.get("content-type", "").split(";")[0].strip().lower()
        if body and given != expected:
            detail = f"send the body as {expected}"
            await problem(path, ServiceCode.UNSUPPORTED_MEDIA_TYPE, detail)(scope, receive, send)
            return
        await self.app(scope, _replay(body, receive), send)

    async def _too_large(self, limit: int, scope: Scope, receive: Receive, send: Send) -> None:
        detail = f"a request body holds at most {limit} bytes"
        response = problem(scope["path"], ServiceCode.BODY_TOO_LARGE, detail, headers={"Connection": "close"})
        await response(scope, receive, send)

    async def _too_many(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {"Connection": "close", "Retry-After": "5"}
        response = problem(
            scope["path"], ServiceCode.NOT_READY, "too many large bodies at once", headers=headers
        )
        await response(scope, receive, send)


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled: float


class RateLimiter:
    """A token bucket per caller: ``per_minute`` requests, refilled evenly. Remembers the busiest callers only."""

    CALLERS = 10_000

    def __init__(self, per_minute: int, now: Callable[[], float] = time.monotonic) -> None:
        self._capacity = float(per_minute)
        self._rate = per_minute / 60
        self._now = now
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, caller: str) -> None:
        """Count one request of ``caller``.

        Raises:
            ServiceError: TOO_MANY_REQUESTS, with the seconds after which to try again.
        """
        with self._lock:
            now = self._now()
            bucket = self._buckets.setdefault(caller, _Bucket(self._capacity, now))
            self._buckets.move_to_end(caller)
            if len(self._buckets) > self.CALLERS:
                self._buckets.popitem(last=False)
            bucket.tokens = min(self._capacity, bucket.tokens + (now - bucket.filled) * self._rate)
            bucket.filled = now
            if bucket.tokens >= 1:
                bucket.tokens -= 1
                return
            wait = math.ceil((1 - bucket.tokens) / self._rate)
        limit = int(self._capacity)
        raise ServiceError(
            ServiceCode.TOO_MANY_REQUESTS, f"at most {limit} requests a minute", retry_after=wait
        )
