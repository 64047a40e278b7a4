"""Questions and answers between nodes: who answers what to whom, and every way of getting no answer."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from federation.audit.chain import events
from federation.wire.channel import Declined, MessageKind, NodeUnavailable, Sender, Unavailability
from federation.wire.conditions import Condition, Conditions
from federation.wire.envelope import MessageFault
from tests.support.wire import LoopbackFederation, loopback

SECRET = "4711 people in Wrexham"
"""What no other node may have this one say."""


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[LoopbackFederation]:
    federation = loopback(tmp_path, ("hub", "england", "wales"))
    yield federation
    federation.close()


def ask(
    nodes: LoopbackFederation,
    node: str = "england",
    kind: MessageKind = MessageKind.CELLS,
    body: Mapping[str, Any] | None = None,
    seconds: float = 30,
    cancel: threading.Event | None = None,
) -> Mapping[str, Any]:
    return nodes.channel("hub").ask(
        node, kind, body or {}, deadline=time.monotonic() + seconds, cancel=cancel or threading.Event()
    )


def unavailable(nodes: LoopbackFederation, **how: Any) -> tuple[Unavailability, str]:
    with pytest.raises(NodeUnavailable) as error:
        ask(nodes, **how)
    assert SECRET not in str(error.value) + repr(error.value)
    assert error.value.__cause__ is None
    return error.value.reason, error.value.detail


def test_a_handler_knows_who_asks_and_until_when(nodes: LoopbackFederation) -> None:
    senders: list[Sender] = []

    def handler(sender: Sender, body: Mapping[str, Any]) -> Mapping[str, Any]:
        senders.append(sender)
        return {"twice": body["n"] * 2}

    nodes.parties["england"].desk.register(MessageKind.CELLS, handler)
    assert ask(nodes, body={"n": 21}, seconds=20) == {"twice": 42}
    (sender,) = senders
    assert sender.node == "hub"
    assert 10 < sender.deadline - time.monotonic() <= 20
    assert not sender.cancel.is_set()
    nodes.parties["england"].desk.stop()
    assert sender.cancel.is_set()
    with nodes.parties["england"].database.read() as session:
        received, sent = events(session)
    assert received.subject == sender.message
    assert json.loads(sent.details)["in_reply_to"] == sender.message


def test_who_has_no_handler_speaks_another_version(nodes: LoopbackFederation) -> None:
    assert unavailable(nodes, kind=MessageKind.KEYS) == (Unavailability.VERSION, "")


def test_a_handler_that_declines_is_told_with_its_reference_alone(nodes: LoopbackFederation) -> None:
    def handler(*_: object) -> Mapping[str, Any]:
        raise Declined(Unavailability.NEEDS_A_PERSON, "req_00112233445566778899aabbccddee")

    nodes.parties["england"].desk.register(MessageKind.CELLS, handler)
    expected = Unavailability.NEEDS_A_PERSON, "req_00112233445566778899aabbccddee"
    assert unavailable(nodes) == expected


CONDITIONS = Conditions.of("req_1", [Condition(body="office", text="Show it to nobody")])


def test_conditions_reach_whoever_asked_and_are_a_missing_decision_to_earlier_versions(
    nodes: LoopbackFederation,
) -> None:
    def handler(*_: object) -> Mapping[str, Any]:
        raise Declined(Unavailability.CONDITIONS, "req_1", CONDITIONS)

    nodes.parties["england"].desk.register(MessageKind.CELLS, handler)
    kept: list[str] = []
    nodes.tamper = lambda _, token: kept.append(token) or token  # type: ignore[func-returns-value]
    with pytest.raises(NodeUnavailable) as error:
        ask(nodes)
    assert (error.value.reason, error.value.detail) == (Unavailability.CONDITIONS, "req_1")
    assert error.value.conditions == CONDITIONS
    assert "nobody" not in str(error.value)
    body = json.loads(base64.urlsafe_b64decode(kept[0].split(".")[1] + "=="))["body"]
    assert (body["code"], body["reference"]) == ("node_needs_a_person", "req_1")


def _conditions(**changes: Any) -> dict[str, Any]:
    return CONDITIONS.model_dump(mode="json") | changes


@pytest.mark.parametrize(
    ("code", "reference", "conditions", "expected"),
    [
        ("node_needs_a_person", "req_1", _conditions(), (Unavailability.CONDITIONS, "req_1")),
        ("node_needs_a_person", "req_2", _conditions(), (Unavailability.BAD_REPLY, "")),
        ("node_needs_a_person", "req_1", None, (Unavailability.BAD_REPLY, "")),
        ("node_needs_a_person", "req_1", _conditions(conditions=[]), (Unavailability.BAD_REPLY, "")),
        (
            "node_needs_a_person",
            "req_1",
            _conditions(conditions=[{"body": "office", "text": SECRET}]),
            (Unavailability.BAD_REPLY, ""),
        ),
        ("node_needs_a_person", "req_1", _conditions(more=SECRET), (Unavailability.BAD_REPLY, "")),
        ("node_refused", "req_1", _conditions(), (Unavailability.REFUSED, "req_1")),
        ("node_conditions", "req_1", _conditions(), (Unavailability.BAD_REPLY, "")),
    ],
)
def test_conditions_are_the_very_words_that_their_digest_binds(
    nodes: LoopbackFederation,
    code: str,
    reference: str,
    conditions: Any,
    expected: tuple[Unavailability, str],
) -> None:
    _failed(nodes, code, reference, conditions=conditions)
    assert unavailable(nodes) == expected


def test_conditions_are_not_longer_than_a_custodian_may_write() -> None:
    with pytest.raises(ValueError, match="text"):
        Conditions.of("req_1", [Condition(body="office", text="x" * 4001)])


@pytest.mark.parametrize("answer", [ValueError(SECRET), {"x": float("nan")}, {"x": object()}, None])
def test_a_handler_that_fails_says_nothing_of_how(nodes: LoopbackFederation, answer: Any) -> None:
    def handler(*_: object) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    nodes.parties["england"].desk.register(MessageKind.CELLS, handler)
    assert unavailable(nodes) == (Unavailability.FAILED, "")


def test_who_is_no_peer_is_not_asked(nodes: LoopbackFederation) -> None:
    assert unavailable(nodes, node="scotland") == (Unavailability.NOT_A_PEER, "")
    assert unavailable(nodes, node="hub") == (Unavailability.NOT_A_PEER, "")


def test_nobody_is_asked_when_it_is_too_late_or_not_wanted_any_more(nodes: LoopbackFederation) -> None:
    cancelled = threading.Event()
    cancelled.set()
    assert unavailable(nodes, seconds=-1) == (Unavailability.TIMED_OUT, "")
    assert unavailable(nodes, cancel=cancelled) == (Unavailability.CANCELLED, "")
    with nodes.parties["hub"].database.read() as session:
        assert list(events(session)) == []


def test_what_is_too_large_is_not_sent_nor_answered(nodes: LoopbackFederation, monkeypatch: Any) -> None:
    nodes.parties["england"].desk.register(MessageKind.CELLS, lambda *_: {"x": "y" * 5000})
    object.__setattr__(nodes.parties["england"].correspondence, "largest", 4000)
    assert unavailable(nodes) == (Unavailability.TOO_LARGE, "")
    object.__setattr__(nodes.parties["hub"].correspondence, "largest", 4000)
    assert unavailable(nodes, body={"x": "y" * 5000}) == (Unavailability.TOO_LARGE, "")


def _failed(nodes: LoopbackFederation, code: Any, reference: Any, **more: Any) -> None:
    """Have England answer as another software might."""
    from federation.wire import desk

    england = nodes.parties["england"]

    def receive(token: str) -> str:
        question = england.correspondence.read(token)
        body = {"code": code, "reference": reference, "message": SECRET, **more}
        life = desk.ANSWER_LIFE
        return england.correspondence.write("hub", MessageKind.FAILED, body, life, question.id).token

    england.desk.receive = receive  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("code", "reference", "expected"),
    [
        ("node_refused", "no_agreement", (Unavailability.REFUSED, "no_agreement")),
        ("node_refused", SECRET, (Unavailability.BAD_REPLY, "")),
        ("node_refused", "x" * 65, (Unavailability.BAD_REPLY, "")),
        ("node_refused", None, (Unavailability.BAD_REPLY, "")),
        (SECRET, "", (Unavailability.BAD_REPLY, "")),
        (None, "", (Unavailability.BAD_REPLY, "")),
        (["node_refused"], "", (Unavailability.BAD_REPLY, "")),
        ({}, "", (Unavailability.BAD_REPLY, "")),
    ],
)
def test_nothing_that_another_node_wrote_is_passed_on(
    nodes: LoopbackFederation, code: Any, reference: Any, expected: tuple[Unavailability, str]
) -> None:
    _failed(nodes, code, reference)
    assert unavailable(nodes) == expected


def test_an_answer_is_from_whom_was_asked_to_what_was_asked(nodes: LoopbackFederation) -> None:
    for name in ("england", "wales"):
        nodes.parties[name].desk.register(MessageKind.CELLS, lambda *_: {"x": SECRET})
    kept: list[str] = []
    nodes.tamper = lambda _, token: kept.append(token) or token  # type: ignore[func-returns-value]
    ask(nodes, "wales")
    # An answer of before.
    nodes.tamper = lambda _, token: kept[0]
    assert unavailable(nodes, node="wales") == (Unavailability.BAD_REPLY, MessageFault.WRONG_ANSWER)
    assert unavailable(nodes, node="england") == (Unavailability.BAD_REPLY, MessageFault.WRONG_ANSWER)
    # Another peer answers for it, properly signed.
    wales = nodes.parties["wales"].correspondence

    def for_another(_: str, token: str) -> str:
        middle = token.split(".")[1]
        question = json.loads(base64.urlsafe_b64decode(middle + "=="))["in_reply_to"]
        return wales.write("hub", MessageKind.CELLS, {}, wales.skew, question).token

    nodes.tamper = for_another
    assert unavailable(nodes) == (Unavailability.BAD_REPLY, "")


def test_an_answer_of_another_kind_is_none(nodes: LoopbackFederation) -> None:
    england = nodes.parties["england"].correspondence

    def receive(token: str) -> str:
        question = england.read(token)
        return england.write("hub", MessageKind.VALUES, {"x": SECRET}, england.skew, question.id).token

    nodes.parties["england"].desk.receive = receive  # type: ignore[method-assign]
    assert unavailable(nodes) == (Unavailability.BAD_REPLY, "")


@pytest.mark.parametrize("token", ["", "garbage", "a.b.c", SECRET])
def test_garbage_is_no_answer(nodes: LoopbackFederation, token: str) -> None:
    nodes.parties["england"].desk.register(MessageKind.CELLS, lambda *_: {})
    nodes.tamper = lambda *_: token
    assert unavailable(nodes) == (Unavailability.BAD_REPLY, MessageFault.MALFORMED)


def test_a_kind_that_is_not_known_is_answered_so_and_recorded_as_such(nodes: LoopbackFederation) -> None:
    hub, england = nodes.parties["hub"].correspondence, nodes.parties["england"]
    question = hub.write("england", SECRET * 20, {}, hub.skew)
    answer = hub.read(england.desk.receive(question.token), in_reply_to=question.id)
    assert (answer.kind, answer.body["code"]) == (MessageKind.FAILED, Unavailability.VERSION)
    with england.database.read() as session:
        assert SECRET not in "".join(event.details for event in events(session))


def test_a_kind_has_one_handler(nodes: LoopbackFederation) -> None:
    nodes.parties["england"].desk.register(MessageKind.CELLS, lambda *_: {})
    with pytest.raises(ValueError, match="has a handler"):
        nodes.parties["england"].desk.register(MessageKind.CELLS, lambda *_: {})


def test_every_reason_has_its_words() -> None:
    assert all(reason.meaning for reason in Unavailability)
