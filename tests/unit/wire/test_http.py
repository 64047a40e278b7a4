"""However a peer behaves, an exchange ends at its deadline, typed, and says nothing that the peer wrote."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

import pytest

from federation.wire.channel import NodeUnavailable, Unavailability
from federation.wire.correspondence import Written
from federation.wire.envelope import MessageFault
from federation.wire.http import HttpCarrier
from federation.wire.peers import Peer

SECRET = "4711 people in Wrexham"
MESSAGE = Written("msg_" + "0" * 30, "a.b.c")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/jose\r\n"
Serve = Callable[[socket.socket], None]


@contextmanager
def server(serve: Serve) -> Iterator[Peer]:
    """A peer whose every connection is answered by ``serve`` once a request has come in."""
    listening = socket.create_server(("127.0.0.1", 0))

    def connection(client: socket.socket) -> None:
        with closing(client), suppress(OSError):
            asked = b""
            while not asked.endswith(MESSAGE.token.encode()):
                asked += client.recv(65536)
            serve(client)

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listening.accept()
                threading.Thread(target=connection, args=(client,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    port = listening.getsockname()[1]
    try:
        yield Peer("england", "England", f"http://127.0.0.1:{port}", False, "key", "key")
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def sends(*parts: bytes) -> Serve:
    def serve(client: socket.socket) -> None:
        for part in parts:
            client.sendall(part)

    return serve


def problem(status: int, body: bytes) -> Serve:
    return sends(
        b"HTTP/1.1 %d %s\r\nContent-Type: application/problem+json\r\nContent-Length: %d\r\n\r\n"
        % (status, SECRET.encode(), len(body)),
        body,
    )


def carry(
    peer: Peer, seconds: float = 10, cancel: threading.Event | None = None, largest: int = 10_000
) -> str:
    deadline = time.monotonic() + seconds
    return HttpCarrier(largest).carry(peer, MESSAGE, deadline=deadline, cancel=cancel or threading.Event())


def unavailable(peer: Peer, seconds: float = 10, **how: object) -> tuple[Unavailability, str]:
    began = time.monotonic()
    with pytest.raises(NodeUnavailable) as error:
        carry(peer, seconds, **how)  # type: ignore[arg-type]
    assert time.monotonic() - began < seconds + 2
    assert SECRET not in str(error.value)
    assert error.value.__cause__ is None
    return error.value.reason, error.value.detail


def test_a_token_comes_back_as_it_was() -> None:
    with server(sends(HEAD + b"Content-Length: 5\r\n\r\nx.y.z")) as peer:
        assert carry(peer) == "x.y.z"


def test_a_peer_that_is_down_is_away() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    peer = Peer("england", "England", f"http://127.0.0.1:{port}", False, "key", "key")
    assert unavailable(peer) == (Unavailability.AWAY, "")


def test_a_name_that_nobody_has_is_away() -> None:
    peer = Peer("england", "England", "https://nobody.invalid", False, "key", "key")
    assert unavailable(peer) == (Unavailability.AWAY, "")


def slow(client: socket.socket) -> None:
    time.sleep(20)


def drips_headers(client: socket.socket) -> None:
    client.sendall(HEAD)
    for _ in range(100):
        client.sendall(b"X-More: 1\r\n")
        time.sleep(0.1)


def drips_body(client: socket.socket) -> None:
    client.sendall(HEAD + b"Content-Length: 9000\r\n\r\n")
    for _ in range(100):
        client.sendall(b"x")
        time.sleep(0.1)


@pytest.mark.parametrize("serve", [slow, drips_headers, drips_body])
def test_a_slow_peer_is_waited_for_until_the_deadline_and_no_longer(serve: Serve) -> None:
    with server(serve) as peer:
        assert unavailable(peer, 0.5) == (Unavailability.TIMED_OUT, "")


def test_a_cancelled_run_waits_for_nobody() -> None:
    cancel = threading.Event()
    threading.Timer(0.3, cancel.set).start()
    began = time.monotonic()
    with server(slow) as peer:
        assert unavailable(peer, 30, cancel=cancel) == (Unavailability.CANCELLED, "")
    assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    "serve",
    [
        sends(SECRET.encode()),
        sends(b"\x00\xff" * 1000),
        sends(b""),
        sends(HEAD),
        sends(HEAD + b"Content-Length: 500\r\n\r\n", SECRET.encode()),
        sends(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"5\r\nx.y.z\r\n"),
        sends(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"nonsense\r\n"),
        sends(b"HTTP/1.1 302 Found\r\nLocation: https://example.org/\r\nContent-Length: 0\r\n\r\n"),
        problem(404, b"{}"),
        problem(403, SECRET.encode()),
        problem(403, b"[" * 60_000),
        problem(403, b'{"errors": [{"code": "%s"}]}' % SECRET.encode()),
        problem(403, b'{"errors": [{"code": ["message_expired"]}]}'),
        problem(403, b'{"errors": []}'),
    ],
    ids=[
        *("text", "bytes", "nothing", "head alone", "cut", "cut in chunks", "no chunks", "elsewhere"),
        *("no node", "no problem", "deep", "no code", "a list", "no errors"),
    ],
)
def test_garbage_and_a_cut_are_a_bad_reply(serve: Serve) -> None:
    with server(serve) as peer:
        assert unavailable(peer, largest=100_000) == (Unavailability.BAD_REPLY, "")


def test_an_answer_without_end_is_cut_off() -> None:
    def endless(client: socket.socket) -> None:
        client.sendall(HEAD + b"Connection: close\r\n\r\n")
        while True:
            client.sendall(b"x" * 65536)

    with server(endless) as peer:
        assert unavailable(peer) == (Unavailability.TOO_LARGE, "")


def test_a_compressed_answer_is_not_unpacked() -> None:
    with server(sends(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nx.y.z")) as peer:
        assert carry(peer) == "x.y.z"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (MessageFault.UNKNOWN_SENDER, Unavailability.NOT_A_PEER),
        (MessageFault.BAD_SIGNATURE, Unavailability.NOT_A_PEER),
        (MessageFault.WRONG_AUDIENCE, Unavailability.NOT_A_PEER),
        (MessageFault.VERSION, Unavailability.VERSION),
        (MessageFault.EXPIRED, Unavailability.REFUSED),
        (MessageFault.FROM_THE_FUTURE, Unavailability.REFUSED),
        (MessageFault.REPLAYED, Unavailability.REFUSED),
        (MessageFault.MALFORMED, Unavailability.REFUSED),
        (MessageFault.WRONG_ANSWER, Unavailability.REFUSED),
        (MessageFault.TOO_LARGE, Unavailability.TOO_LARGE),
    ],
)
def test_a_peer_that_does_not_take_the_message_says_why_by_a_code(
    fault: MessageFault, reason: Unavailability
) -> None:
    body = b'{"detail": "%s", "errors": [{"code": "%s", "message": "%s"}]}'
    with server(problem(403, body % (SECRET.encode(), fault.encode(), SECRET.encode()))) as peer:
        assert unavailable(peer) == (reason, fault)


@pytest.mark.parametrize(
    ("status", "reason"),
    [(413, Unavailability.TOO_LARGE), (429, Unavailability.AWAY), (503, Unavailability.AWAY)],
)
def test_a_peer_that_is_busy_is_away(status: int, reason: Unavailability) -> None:
    with server(problem(status, b"{}")) as peer:
        assert unavailable(peer) == (reason, "")
