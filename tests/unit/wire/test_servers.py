"""Real servers on loopback: a hub, a node that is called and one that polls."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from federation.api.app import create_app
from federation.audit.chain import events, verify_chain
from federation.wire import http
from federation.wire.channel import MessageKind, NodeUnavailable, Sender, Unavailability
from federation.wire.envelope import MessageFault
from federation.wire.wire import ask_for_keys
from tests.support.federation import Place, serving, write_federation
from tests.support.node import Running

NODES = ("england", "wales")
GATE = threading.Event()
"""Opened for the handlers that wait for it."""
JOSE = {"Content-Type": http.MEDIA_TYPE}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Place]:
    return write_federation(tmp_path_factory.mktemp("federation"), "hub", NODES, polling=["wales"])


@pytest.fixture(scope="module")
def nodes(places: dict[str, Place]) -> Iterator[dict[str, Running]]:
    with serving(places) as served:
        for name in NODES:
            desk = served[name].node.wire.desk
            # These tests are of messages, whatever they ask for: they answer instead of the node.
            desk._handlers[MessageKind.CELLS] = cells
            desk._handlers[MessageKind.VALUES] = until_the_node_stops
        yield served


def cells(sender: Sender, body: Mapping[str, Any]) -> Mapping[str, Any]:
    if body.get("wait"):
        GATE.wait(30)
    return {"for": sender.node, "size": len(body.get("load", ""))}


def until_the_node_stops(sender: Sender, _: Mapping[str, Any]) -> Mapping[str, Any]:
    while not sender.cancel.is_set() and time.monotonic() < sender.deadline + 5:
        time.sleep(0.01)
    return {}


def ask(
    nodes: dict[str, Running],
    name: str,
    seconds: float = 30,
    kind: MessageKind = MessageKind.CELLS,
    **body: Any,
) -> Mapping[str, Any]:
    return nodes["hub"].node.wire.channel.ask(
        name, kind, body, deadline=time.monotonic() + seconds, cancel=threading.Event()
    )


@pytest.mark.parametrize("name", NODES)
def test_a_question_is_answered_whether_the_node_is_called_or_polls(
    nodes: dict[str, Running], name: str
) -> None:
    assert ask(nodes, name) == {"for": "hub", "size": 0}
    assert ask_for_keys(nodes["hub"].node.wire, name, deadline=time.monotonic() + 30)
    for node in nodes.values():
        with node.node.database.read() as session:
            assert verify_chain(session).whole


@pytest.mark.parametrize("name", NODES)
def test_every_message_is_in_both_audit_trails(nodes: dict[str, Running], name: str) -> None:
    ask(nodes, name)
    trails = []
    for end in ("hub", name):
        with nodes[end].node.database.read() as session:
            found = [event for event in events(session) if event.action.startswith("message.")]
            trails.append({event.subject: event.action for event in found})
    hub, node = trails
    assert len(node) >= 2
    for message, action in node.items():
        assert {action, hub[message]} == {"message.sent", "message.received"}


@pytest.mark.parametrize("name", NODES)
def test_large_messages_pass(nodes: dict[str, Running], name: str) -> None:
    assert ask(nodes, name, load="x" * 3_000_000)["size"] == 3_000_000


@pytest.mark.parametrize("name", NODES)
def test_many_at_once_are_answered_each_with_its_own(nodes: dict[str, Running], name: str) -> None:
    answers: dict[int, int] = {}

    def one(size: int) -> None:
        answers[size] = ask(nodes, name, load="x" * size)["size"]

    threads = [threading.Thread(target=one, args=(size,)) for size in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {size: size for size in range(12)}


@pytest.mark.parametrize("name", NODES)
def test_one_that_takes_too_long_is_given_up(nodes: dict[str, Running], name: str) -> None:
    began = time.monotonic()
    with pytest.raises(NodeUnavailable) as error:
        ask(nodes, name, seconds=1.0, kind=MessageKind.VALUES)
    assert error.value.reason is Unavailability.TIMED_OUT
    assert time.monotonic() - began < 10


def test_a_node_may_ask_its_hub(nodes: dict[str, Running]) -> None:
    nodes["hub"].node.wire.desk._handlers[MessageKind.CELLS] = lambda sender, _: {"you": sender.node}
    for name in NODES:
        answer = nodes[name].node.wire.channel.ask(
            "hub", MessageKind.CELLS, {}, deadline=time.monotonic() + 10, cancel=threading.Event()
        )
        assert answer == {"you": name}


def test_people_are_served_while_messages_wait(nodes: dict[str, Running]) -> None:
    waiting = [threading.Thread(target=ask, args=(nodes, "england"), kwargs={"wait": True}) for _ in range(4)]
    for thread in waiting:
        thread.start()
    with nodes["england"].http("pat") as pat:
        assert pat.get("/v1/me").status_code == 200
    assert all(thread.is_alive() for thread in waiting)
    GATE.set()
    for thread in waiting:
        thread.join()


def refused(answer: httpx.Response) -> str:
    problem = answer.json()
    assert problem["code"] == "message_refused"
    (fault,) = problem["errors"]
    return str(fault["code"])


@pytest.mark.parametrize("path", [http.MESSAGES, http.POLL, http.REPLIES])
def test_what_nobody_signed_is_refused_at_every_door(nodes: dict[str, Running], path: str) -> None:
    url = nodes["hub"].url + path
    for content in (b"", b"garbage", b"\xff\xfe", b"a.b.c"):
        answer = httpx.post(url, content=content, headers=JOSE)
        assert (answer.status_code, refused(answer)) == (403, MessageFault.MALFORMED)
    assert httpx.post(url, json={}).status_code == 415
    assert httpx.get(url).status_code == 405


def test_a_replayed_message_is_refused(nodes: dict[str, Running]) -> None:
    hub = nodes["hub"].node.wire.correspondence
    token = hub.write("england", MessageKind.PING, {}, hub.skew).token
    url = nodes["england"].url + http.MESSAGES
    assert httpx.post(url, content=token, headers=JOSE).status_code == 200
    assert refused(httpx.post(url, content=token, headers=JOSE)) == MessageFault.REPLAYED


def test_a_replayed_poll_fetches_nothing(nodes: dict[str, Running]) -> None:
    england = nodes["england"].node.wire.correspondence
    token = england.write("hub", MessageKind.POLL, {"had": "none"}, england.skew).token
    url = nodes["hub"].url + http.POLL
    assert refused(httpx.post(url, content=token, headers=JOSE)) == MessageFault.MALFORMED
    assert refused(httpx.post(url, content=token, headers=JOSE)) == MessageFault.REPLAYED


def test_an_answer_that_nobody_waits_for_is_not_taken(nodes: dict[str, Running]) -> None:
    wales = nodes["wales"].node.wire.correspondence
    token = wales.write("hub", MessageKind.CELLS, {}, wales.skew, "msg_" + "0" * 30).token
    answer = httpx.post(nodes["hub"].url + http.REPLIES, content=token, headers=JOSE)
    assert refused(answer) == MessageFault.WRONG_ANSWER


def test_bodies_are_bounded_and_polls_are_small(nodes: dict[str, Running]) -> None:
    hub = nodes["hub"]
    too_large = b"x" * (hub.node.settings.limits.body_bytes + 1)
    assert httpx.post(hub.url + http.POLL, content=too_large, headers=JOSE).status_code == 413
    assert httpx.post(hub.url + http.MESSAGES, content=too_large, headers=JOSE).status_code == 403
    size = hub.node.settings.federation.message_bytes + 1
    with socket.create_connection(("127.0.0.1", int(hub.url.rpartition(":")[2]))) as announced:
        head = f"POST {http.MESSAGES} HTTP/1.1\r\nHost: hub\r\nContent-Length: {size}\r\n\r\n"
        announced.sendall(head.encode())
        assert announced.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_messages_are_no_part_of_the_api_for_people(nodes: dict[str, Running]) -> None:
    paths = create_app(nodes["hub"].node).openapi()["paths"]
    assert not [path for path in paths if path.startswith("/federation")]


def test_a_node_that_ends_and_comes_back(tmp_path: Path) -> None:
    places = write_federation(tmp_path, "hub", ["wales"], polling=["wales"])
    hub, wales = {"hub": places["hub"]}, {"wales": places["wales"]}
    with serving(hub) as served:

        def ping(seconds: float) -> bool:
            return ask_for_keys(served["hub"].node.wire, "wales", deadline=time.monotonic() + seconds)

        with pytest.raises(NodeUnavailable) as error:
            ping(1)
        assert error.value.reason is Unavailability.AWAY
        with serving(wales):
            assert ping(20)
        with pytest.raises(NodeUnavailable) as error:
            ping(1)
        assert error.value.reason is Unavailability.AWAY
        with serving(wales):
            assert ping(20)
