"""Messages that wait for a peer behind a firewall: fetched, answered, lost on the way, or never asked for."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from federation.wire.channel import NodeUnavailable, Unavailability
from federation.wire.correspondence import Written
from federation.wire.mailbox import Mailbox
from federation.wire.peers import Peer

ENGLAND, WALES = (Peer(name, name.title(), None, True, name, name) for name in ("england", "wales"))
FIRST, SECOND = Written("msg_1", "token 1"), Written("msg_2", "token 2")


@pytest.fixture
def pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(4)


def left(
    pool: ThreadPoolExecutor, box: Mailbox, message: Written, peer: Peer = ENGLAND, seconds: float = 20
) -> Future[str]:
    """A message that somebody waits for in another thread."""
    waiting = pool.submit(
        box.carry, peer, message, deadline=time.monotonic() + seconds, cancel=threading.Event()
    )
    until = time.monotonic() + 5
    while message.id not in box._waiting and not waiting.done() and time.monotonic() < until:
        time.sleep(0.001)
    return waiting


def reason(waiting: Future[str]) -> Unavailability:
    error = waiting.exception(timeout=10)
    assert isinstance(error, NodeUnavailable)
    return error.reason


def test_they_are_fetched_in_order_by_whom_they_are_for(pool: ThreadPoolExecutor) -> None:
    box = Mailbox()
    first, second = left(pool, box, FIRST), left(pool, box, SECOND)
    assert box.fetch("wales", ()) is None
    assert box.fetch("england", ()) == "token 1"
    assert box.fetch("england", ("msg_1",)) == "token 2"
    assert box.fetch("england", ("msg_1", "msg_2")) is None
    assert box.deliver("england", "msg_2", "answer 2")
    assert box.deliver("england", "msg_1", "answer 1")
    assert (first.result(10), second.result(10)) == ("answer 1", "answer 2")
    assert box.fetch("england", ()) is None


def test_what_was_lost_on_the_way_is_given_again(pool: ThreadPoolExecutor) -> None:
    box = Mailbox()
    waiting = left(pool, box, FIRST)
    assert box.fetch("england", ()) == box.fetch("england", ()) == "token 1"
    box.deliver("england", "msg_1", "answer")
    assert waiting.result(10) == "answer"


def test_an_answer_is_taken_once_and_from_whom_was_asked(pool: ThreadPoolExecutor) -> None:
    box = Mailbox()
    waiting = left(pool, box, FIRST)
    assert not box.deliver("wales", "msg_1", "answer of another")
    assert not box.deliver("england", "msg_2", "answer to nothing")
    assert box.deliver("england", "msg_1", "answer")
    assert waiting.result(10) == "answer"
    assert not box.deliver("england", "msg_1", "answer")


def test_one_that_nobody_fetches_is_away_at_its_deadline(pool: ThreadPoolExecutor) -> None:
    box = Mailbox()
    assert reason(left(pool, box, FIRST, seconds=0.2)) is Unavailability.AWAY
    assert box.fetch("england", ()) is None


def test_one_that_was_fetched_and_not_answered_took_too_long(pool: ThreadPoolExecutor) -> None:
    box = Mailbox()
    waiting = left(pool, box, FIRST, seconds=0.5)
    assert box.fetch("england", ()) == "token 1"
    assert reason(waiting) is Unavailability.TIMED_OUT
    assert not box.deliver("england", "msg_1", "too late")


def test_a_peer_that_shows_no_sign_of_life_is_not_waited_for(pool: ThreadPoolExecutor) -> None:
    box = Mailbox(away_seconds=0.3)
    began = time.monotonic()
    assert reason(left(pool, box, FIRST, seconds=60)) is Unavailability.AWAY
    assert time.monotonic() - began < 5
    # One that polls is alive, however long it works.
    waiting = left(pool, box, SECOND, seconds=60)
    for _ in range(10):
        assert box.fetch("england", ("msg_2",)) is None
        time.sleep(0.1)
    assert not waiting.done()
    box.deliver("england", "msg_2", "answer")
    assert waiting.result(10) == "answer"


def test_a_cancelled_run_waits_for_nobody(pool: ThreadPoolExecutor) -> None:
    box, cancel = Mailbox(), threading.Event()
    waiting = pool.submit(box.carry, WALES, FIRST, deadline=time.monotonic() + 60, cancel=cancel)
    cancel.set()
    assert reason(waiting) is Unavailability.CANCELLED
