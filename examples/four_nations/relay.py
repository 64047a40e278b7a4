"""A wire between two nodes that one can look at: it carries every message unchanged, and shows it to whoever watches.

Messages are signed, and masked where that matters, but not secret to the hub: what is shown is what the hub sees.
"""

from __future__ import annotations

import base64
import http.client
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LONGEST_SECONDS = 120.0


@dataclass(frozen=True)
class Carried:
    """One message as it went over the wire. ``bytes`` is its size, envelope and signature included."""

    kind: str
    issuer: str
    audience: str
    body: Mapping[str, Any]
    bytes: int
    token: str


Watch = Callable[[Carried], None]
Forward = Callable[[bytes], tuple[int, bytes]]
Carrier = Callable[[bytes, Forward], tuple[int, bytes] | None]


def read(content: bytes) -> Carried | None:
    """What stands in a message, unverified; None where it is none."""
    try:
        token = content.decode("ascii")
        payload = token.split(".")[1]
        fields = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return Carried(
            fields["kind"], fields["issuer"], fields["audience"], fields["body"], len(content), token
        )
    except (ValueError, IndexError, KeyError, TypeError):
        return None


def watched(watch: Watch) -> Carrier:
    """Carries everything, and tells ``watch`` of each message."""

    def carry(content: bytes, forward: Forward) -> tuple[int, bytes]:
        status, answer = forward(content)
        for message in (read(content), read(answer)):
            if message is not None and message.kind != "poll":
                watch(message)
        return status, answer

    return carry


@contextmanager
def relay(port: int, target: int, carry: Carrier) -> Iterator[None]:
    """Listen on ``port`` and carry what is posted there to ``target``, both on loopback. A carrier that answers None
    cuts the connection."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            try:
                answered = carry(content, self._forward)
            except (OSError, http.client.HTTPException):
                answered = 502, b""  # the node behind is not there
            self.close_connection = True
            if answered is None:
                return
            status, answer = answered
            try:
                self.send_response(status)
                self.send_header("Content-Type", self._type)
                if status != 204:
                    self.send_header("Content-Length", str(len(answer)))
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(answer)
            except OSError:
                return

        _type = "application/jose"

        def _forward(self, content: bytes) -> tuple[int, bytes]:
            connection = http.client.HTTPConnection("127.0.0.1", target, timeout=LONGEST_SECONDS)
            try:
                headers = {"Content-Type": self.headers.get("Content-Type", self._type)}
                connection.request("POST", self.path, content, headers)
                response = connection.getresponse()
                self._type = response.headers.get("Content-Type", self._type)
                return response.status, response.read()
            finally:
                connection.close()

        def log_message(self, *_: object) -> None:
            """Silent: what is carried is shown by whoever watches."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
