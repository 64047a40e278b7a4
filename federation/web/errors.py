"""Every failure as a page in plain words, for a reader in a browser; programs have the problem document as it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from federation.api.problems import MEDIA_TYPE
from federation.service.node import Node
from federation.web.language import language_of
from federation.web.rendering import headers_of, render

PROGRAMS = ("/v1/", "/oauth/", "/.well-known/", "/openapi.json", "/healthz", "/readyz", "/metrics")
SIGN_IN = "/sign-in"


class ErrorPages:
    """Turns the problem documents of an application into pages where a browser asks for one."""

    def __init__(self, app: ASGIApp, node: Node) -> None:
        self.app = app
        self.node = node

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not wants_page(scope):
            await self.app(scope, receive, send)
            return
        held: Message | None = None
        body = b""

        async def watch(message: Message) -> None:
            nonlocal held, body
            if message["type"] == "http.response.start":
                if Headers(raw=message["headers"]).get("content-type") == MEDIA_TYPE:
                    held = message
                    return
            elif held is not None:
                body += message.get("body", b"")
                if not message.get("more_body", False):
                    await self._page(scope, held, json.loads(body), send)
                return
            await send(message)

        await self.app(scope, receive, watch)

    async def _page(self, scope: Scope, start: Message, problem: Mapping[str, Any], send: Send) -> None:
        status = start["status"]
        if status == HTTPStatus.UNAUTHORIZED:
            where = scope["path"] + (
                f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else ""
            )
            there = where if scope["method"] == "GET" else "/"
            await _answer(send, HTTPStatus.SEE_OTHER, {"Location": f"{SIGN_IN}?next={quote(there)}"}, b"")
            return
        kept = Headers(raw=start["headers"])
        headers = {name: kept[name] for name in ("retry-after", "connection", "allow") if name in kept}
        signed_in = scope.get("state", {}).get("signed_in")
        request = Request(scope)
        text = render(
            self.node,
            scope,
            signed_in,
            language_of(request),
            "error.html",
            {"problem": problem, "status": status},
        )
        await _answer(
            send,
            status,
            {**headers, **headers_of(self.node), "Content-Type": "text/html; charset=utf-8"},
            text.encode(),
        )


async def _answer(send: Send, status: int, headers: Mapping[str, str], body: bytes) -> None:
    start: Message = {"type": "http.response.start", "status": int(status), "headers": []}
    MutableHeaders(scope=start).update({**headers, "Content-Length": str(len(body))})
    await send(start)
    await send({"type": "http.response.body", "body": body})


def wants_page(scope: Scope) -> bool:
    """Whether it is a person in a browser who asks: not below the API, and HTML is what they accept."""
    path: str = scope["path"]
    return not path.startswith(PROGRAMS) and "text/html" in Headers(scope=scope).get("accept", "")
