"""Each message is recorded before anything is done with it, and accepted once, by whichever process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from federation.audit.chain import events, verify_chain
from federation.state.database import Database
from federation.state.errors import StateUnavailable
from federation.state.models import SeenMessage
from federation.wire.channel import MessageKind
from federation.wire.envelope import MessageFault, MessageRefused
from tests.support.wire import LoopbackFederation, loopback

ROOT = Path(__file__).parents[3]
MINUTE = timedelta(minutes=1)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 5, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def nodes(tmp_path: Path, clock: Clock) -> Iterator[LoopbackFederation]:
    federation = loopback(tmp_path, ("hub", "england", "wales"), clock)
    yield federation
    federation.close()


def written(nodes: LoopbackFederation, kind: str = MessageKind.PING, **how: object) -> str:
    return nodes.parties["hub"].correspondence.write("england", kind, {}, MINUTE, **how).token  # type: ignore[arg-type]


def fault(nodes: LoopbackFederation, token: str, in_reply_to: str | None = None) -> MessageFault:
    with pytest.raises(MessageRefused) as refused:
        nodes.parties["england"].correspondence.read(token, in_reply_to)
    return refused.value.fault


def actions(database: Database) -> list[str]:
    with database.read() as session:
        assert verify_chain(session).whole
        return [event.action for event in events(session)]


def test_both_ends_record_it_with_the_same_digest(nodes: LoopbackFederation) -> None:
    hub, england = nodes.parties["hub"], nodes.parties["england"]
    message = england.correspondence.read(written(nodes))
    with hub.database.read() as session:
        (sent,) = events(session)
    with england.database.read() as session:
        (received,) = events(session)
    assert (sent.action, received.action) == ("message.sent", "message.received")
    assert sent.subject == received.subject == message.id
    assert sent.actor == received.actor == "hub"
    assert sent.details.replace('"peer":"england"', "") == received.details.replace('"peer":"hub"', "")


def test_it_is_read_once(nodes: LoopbackFederation) -> None:
    token = written(nodes)
    nodes.parties["england"].correspondence.read(token)
    assert fault(nodes, token) is MessageFault.REPLAYED
    assert actions(nodes.parties["england"].database) == ["message.received"]


def test_it_is_remembered_until_it_has_expired_at_every_clock(
    nodes: LoopbackFederation, clock: Clock
) -> None:
    token = written(nodes)
    england = nodes.parties["england"]
    england.correspondence.read(token)
    clock.now += MINUTE + timedelta(seconds=29)
    assert fault(nodes, token) is MessageFault.REPLAYED
    clock.now += timedelta(seconds=1)
    assert fault(nodes, token) is MessageFault.EXPIRED
    clock.now += timedelta(hours=2)
    england.correspondence.read(written(nodes))
    with england.database.read() as session:
        assert session.query(SeenMessage).count() == 1


def test_a_question_is_no_answer_and_an_answer_answers_one_question(nodes: LoopbackFederation) -> None:
    question = nodes.parties["hub"].correspondence.write("england", MessageKind.PING, {}, MINUTE)
    other = "msg_" + "0" * 30
    assert fault(nodes, question.token, in_reply_to=other) is MessageFault.WRONG_ANSWER
    answer = written(nodes, in_reply_to=other)
    assert fault(nodes, answer) is MessageFault.WRONG_ANSWER
    assert fault(nodes, answer, in_reply_to=question.id) is MessageFault.WRONG_ANSWER
    assert actions(nodes.parties["england"].database) == []


def test_polls_are_accepted_once_and_leave_the_audit_trail_to_messages(nodes: LoopbackFederation) -> None:
    token = written(nodes, kind=MessageKind.POLL)
    nodes.parties["england"].correspondence.read(token)
    assert fault(nodes, token) is MessageFault.REPLAYED
    assert actions(nodes.parties["england"].database) == actions(nodes.parties["hub"].database) == []


def test_what_cannot_be_recorded_is_neither_sent_nor_read(nodes: LoopbackFederation) -> None:
    token = written(nodes)
    for name in ("hub", "england"):
        with nodes.parties[name].database.write() as session:
            session.execute(text("drop table audit_events"))
    with pytest.raises(StateUnavailable):
        written(nodes)
    with pytest.raises(StateUnavailable):
        nodes.parties["england"].correspondence.read(token)
    with nodes.parties["england"].database.read() as session:
        assert session.query(SeenMessage).count() == 0


def test_one_that_is_too_large_does_not_leave(nodes: LoopbackFederation) -> None:
    from dataclasses import replace

    small = replace(nodes.parties["hub"].correspondence, largest=1000)
    with pytest.raises(MessageRefused) as refused:
        small.write("england", MessageKind.CELLS, {"x": "y" * 1000}, MINUTE)
    assert refused.value.fault is MessageFault.TOO_LARGE
    assert actions(nodes.parties["hub"].database) == []


READ = """
import sys
from datetime import timedelta
from pathlib import Path
from federation.release.keys import SigningKey
from federation.settings import PeerSettings
from federation.state.database import Database
from federation.wire.correspondence import Correspondence
from federation.wire.envelope import MessageRefused
from federation.wire.peers import Peers
from datetime import UTC, datetime

path, public, *tokens = sys.argv[1:]
peers = Peers({"hub": PeerSettings(title="Hub", signing_key=public, exchange_key="A" * 43)})
database = Database.open(Path(path))
england = Correspondence(
    "england", SigningKey.generate(), peers, database, lambda: datetime.now(UTC), timedelta(seconds=30), 1 << 20
)
print("ready", flush=True)
sys.stdin.readline()
for token in tokens:
    try:
        print(england.read(token).id, flush=True)
    except MessageRefused as refused:
        assert refused.fault == "message_seen_before", refused.fault
"""


def test_of_two_processes_that_are_given_the_same_messages_each_is_read_by_one(tmp_path: Path) -> None:
    from tests.support.wire import public_part

    nodes = loopback(tmp_path, ("hub", "england"))
    asked = [
        nodes.parties["hub"].correspondence.write("england", MessageKind.PING, {}, MINUTE) for _ in range(20)
    ]
    command = [sys.executable, "-c", READ, str(tmp_path / "england.sqlite")]
    command += [public_part(nodes.parties["hub"].correspondence.key), *(each.token for each in asked)]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    read = [process.communicate(timeout=60)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sorted(read[0] + read[1]) == sorted(each.id for each in asked)
    assert actions(nodes.parties["england"].database) == ["message.received"] * 20
    nodes.close()
