"""People are told: in their feed, by e-mail through a real server, once, and never what anybody wrote."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pydantic import ValidationError
from sqlalchemy import text

from federation.audit.events import AuditAction
from federation.notices.feed import ATOM
from federation.notices.sender import Sender
from federation.notices.words import NoticeKind, sentence
from federation.service.notices import remind
from federation.settings import SmtpSettings
from federation.state import notices
from federation.state.database import Database
from federation.state.models import Contact
from tests.support.mail import Mailbox, free_port, listening, outbox
from tests.support.node import CUSTODIAN_SQL, FILES, PURPOSE, STANDING_SQL, Running, running, write_node
from tests.support.state import NOW, event

SAID = "a remark that only its readers see"


def served(directory: Path, mailbox: Mailbox, clock: Callable[[], datetime] | None = None):  # type: ignore[no-untyped-def]
    settings = (
        f"notices: {{smtp: {{host: 127.0.0.1, port: {mailbox.port}, tls: none, sender: node@example.org}},"
        " domains: [example.org]}\n"
    )
    write_node(directory, {"node.yaml": FILES["node.yaml"] + settings})
    return running(directory) if clock is None else running(directory, clock=clock)


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    found = Mailbox(free_port())
    with listening(found):
        yield found


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, mailbox: Mailbox) -> Iterator[Running]:
    with served(tmp_path_factory.mktemp("node"), mailbox) as found:
        for person in ("pat", "olu", "sam"):
            with found.session(person) as session:
                session.subscribe(f"{person}@example.org")
        yield found


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)


def test_who_has_to_decide_and_who_asked_are_told_by_e_mail(node: Running, mailbox: Mailbox) -> None:
    with node.session("pat") as pat, node.session("olu") as olu:
        request = pat.request(CUSTODIAN_SQL, agreement="planning", purpose=PURPOSE)
        until(
            lambda: f"Test node: {sentence('to_decide', request.id, None)}" in mailbox.to("olu@example.org")
        )
        olu.send_back(request.id, reason=SAID)
        pat.get_request(request.id).submit()
        olu.approve(request.id, reason=SAID, plan_digest=pat.get_request(request.id).plan_digest)
        pat.comment("request", request.id, SAID)
        release = pat.get_request(request.id).wait(progress=False).release
        olu.recall(release, reason=SAID)
        told = [sentence(kind, request.id, None) for kind in ("returned", "approved")]
        told.append(sentence("recalled", release, None))
        until(lambda: {f"Test node: {each}" for each in told} <= set(mailbox.to("pat@example.org")))
        until(lambda: any("comment" in subject for subject in mailbox.to("olu@example.org")))
        assert [each["text"] for each in pat.comments("request", request.id)] == [SAID]
        assert {each["kind"] for each in pat.notices()} >= {"returned", "approved", "recalled"}
        assert pat.notices()[0]["kind"] == "recalled"
    assert mailbox.to("sam@example.org") == []
    for message in mailbox.messages:
        assert SAID not in message.as_string()
        assert "SELECT" not in message.as_string()
        assert message["Auto-Submitted"] == "auto-generated"
    identifiers = [str(message["Message-ID"]) for message in mailbox.messages]
    assert len(set(identifiers)) == len(identifiers)


def test_a_feed_is_atom_for_whoever_has_its_address_until_it_is_renewed(node: Running) -> None:
    with node.session("pat") as pat:
        first = pat.subscribe()["feed"].removeprefix(node.node.settings.public_url)
        pat.request(CUSTODIAN_SQL, agreement="planning", purpose=PURPOSE).withdraw()
    with node.session("olu") as olu:
        path = olu.subscribe()["feed"].removeprefix(node.node.settings.public_url)
    with node.http() as anybody:
        answer = anybody.get(path)
        assert answer.headers["Content-Type"] == "application/atom+xml"
        feed = ElementTree.fromstring(answer.content)
        assert feed.tag == f"{{{ATOM}}}feed"
        entries = feed.findall(f"{{{ATOM}}}entry")
        titles = [str(each.findtext(f"{{{ATOM}}}title")) for each in entries]
        assert any("withdrawn" in title for title in titles)
        for each in (feed, *entries):
            assert all(each.findtext(f"{{{ATOM}}}{name}") for name in ("id", "title", "updated"))
        assert len({each.findtext(f"{{{ATOM}}}id") for each in entries}) == len(entries)
        assert SAID not in answer.text
        assert anybody.get(first).status_code == 200
        with node.session("pat") as pat:
            pat.subscribe()
        assert anybody.get(first).json()["code"] == "not_found"
        assert anybody.get("/v1/feed/guess").json()["code"] == "not_found"


@pytest.mark.parametrize(
    "email", ["pat@elsewhere.org", "example.org", "a@b@example.org", "x\r\nBcc: y@example.org"]
)
def test_e_mail_goes_to_addresses_of_the_nodes_domains_alone(node: Running, email: str) -> None:
    with node.http("pat") as http:
        answer = http.put("/v1/notices/subscription", json={"email": email})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/email")


def test_comments_are_for_those_who_may_see_the_thing(node: Running) -> None:
    with node.session("pat") as pat:
        request = pat.request(CUSTODIAN_SQL, agreement="planning", purpose=PURPOSE).id
    for person, code in (("eve", 404), ("sam", 404), ("olu", 201), ("ada", 403)):
        with node.http(person) as http:
            assert http.post(f"/v1/comments/request/{request}", json={"text": "x"}).status_code == code
    with node.http("eve") as http:
        assert (
            http.post("/v1/comments/dataset/people", json={"text": "is this of age 16?"}).status_code == 201
        )
        assert http.get("/v1/comments/dataset/none").status_code == 404
        assert http.get("/v1/comments/release/rel_none").status_code == 404
    with node.session("ada") as ada:
        assert [each["text"] for each in ada.comments("request", request)] == ["x"]


def test_people_are_reminded_once_before_something_ends(tmp_path: Path) -> None:
    mailbox = Mailbox(free_port())
    now = datetime(2026, 1, 5, 9, tzinfo=UTC)
    with served(tmp_path, mailbox, clock=lambda: now) as node:
        with node.session("pat") as pat, node.session("olu") as olu:
            pat.subscribe()
            olu.subscribe()
            waits = pat.request(CUSTODIAN_SQL, agreement="planning", purpose=PURPOSE)
            granted = pat.request(STANDING_SQL, agreement="planning", purpose=PURPOSE)
            body = {"reason": "for a week", "plan_digest": waits.plan_digest}
            with node.http("olu") as http:
                until_day = (now + timedelta(days=120)).isoformat()
                other = pat.request(CUSTODIAN_SQL, agreement="planning", purpose=PURPOSE).id
                http.post(f"/v1/requests/{other}/approve", json=body | {"valid_until": until_day})
            remind(node.node)
            assert not {each["kind"] for each in pat.notices()} & {"lapses", "expires", "agreement_ends"}
        now = now + timedelta(days=80)
        for _ in range(2):
            remind(node.node)
        now = now + timedelta(days=30)
        remind(node.node)
        with node.node.database.read() as session:
            told = [(each.recipient, each.kind, each.about) for each in notices.notices_of(session, "pat")]
            asked = [(each.recipient, each.kind, each.about) for each in notices.notices_of(session, "olu")]
    assert told.count(("pat", "expires", other)) == 1
    assert asked.count(("olu", "lapses", waits.id)) == 1
    assert granted.id not in {about for _, kind, about in told if kind == "expires"}


def put(database: Database, count: int = 1) -> None:
    with database.write() as session:
        happening = event(AuditAction.CONTACT_CHANGED, "pat")
        contact = notices.subscribe(session, "pat", "gmca", False, "pat@example.org", "token", NOW, happening)
        for number in range(count):
            notices.tell(session, [contact], NoticeKind.APPROVED, f"req_{number}", f"{number}", NOW)
            notices.tell(session, [contact], NoticeKind.APPROVED, f"req_{number}", f"{number}", NOW)


def test_what_is_told_commits_with_what_it_tells_of(database: Database) -> None:
    def act() -> None:
        with database.write() as session:
            notices.tell(session, [Contact(subject="pat", email=None)], NoticeKind.APPROVED, "r", "once", NOW)
            raise RuntimeError("the act failed")

    with pytest.raises(RuntimeError):
        act()
    with database.read() as session:
        assert notices.notices_of(session, "pat") == []


def test_a_server_that_is_away_or_busy_is_tried_again_and_a_refusal_is_not(database: Database) -> None:
    mailbox, now = Mailbox(free_port()), NOW
    sender = outbox(database, mailbox.port, lambda: now)
    put(database)
    assert sender.send_next()
    assert not sender.send_next(), "it is not due yet"
    with listening(mailbox):
        now += timedelta(minutes=2)
        mailbox.refusals.append("451 later")
        assert sender.send_next()
        now += timedelta(minutes=5)
        assert sender.send_next()
        assert [str(each["Message-ID"]) for each in mailbox.messages] == ["<notice-1.node@example.org>"]
        now += timedelta(days=1)
        assert not sender.send_next(), "nothing is sent twice"
        with database.write() as session:
            contact = session.get_one(Contact, "pat")
            notices.tell(session, [contact], NoticeKind.REFUSED, "req_9", "9", now)
        mailbox.refusals.append("550 nobody here")
        assert sender.send_next()
        now += timedelta(days=1)
        assert not sender.send_next()
        assert len(mailbox.messages) == 1


def test_of_several_senders_each_e_mail_is_sent_by_one(database: Database) -> None:
    mailbox = Mailbox(free_port())
    put(database, 12)
    senders = [outbox(database, mailbox.port, lambda: NOW) for _ in range(3)]

    def work(sender: Sender) -> None:
        for _ in range(30):
            sender.send_next()

    with listening(mailbox):
        threads = [threading.Thread(target=work, args=(sender,)) for sender in senders]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(mailbox.messages) == len({str(each["Message-ID"]) for each in mailbox.messages}) == 12


def test_what_a_sender_that_died_had_claimed_is_due_again_later(database: Database) -> None:
    put(database)
    with database.write() as session:
        assert notices.claim(session, NOW) is not None
    with database.write() as session:
        assert notices.claim(session, NOW) is None
        again = notices.claim(session, NOW + notices.FIRST_WAIT)
        assert again is not None
        assert (again.id, again.attempt) == (1, 2)


def test_a_process_killed_between_the_servers_yes_and_its_own_record_sends_the_same_message_again(
    database: Database, tmp_path: Path
) -> None:
    """SMTP knows no more than at least once. The database is held so that the record cannot be made meanwhile."""
    mailbox, held = Mailbox(free_port()), ExitStack()
    put(database)
    mailbox.on_taken = lambda: held.enter_context(database.write()).execute(text("select 1"))  # type: ignore[assignment,func-returns-value]
    mailbox.on_quit = lambda: process.kill()
    arguments = [str(tmp_path / "state.sqlite"), str(mailbox.port)]
    with listening(mailbox):
        process = subprocess.Popen([sys.executable, "-m", "tests.support.mail", *arguments])
        assert process.wait(60) == -signal.SIGKILL
        held.close()
        mailbox.on_taken = mailbox.on_quit = lambda: None
        later = outbox(database, mailbox.port, lambda: NOW + notices.FIRST_WAIT)
        assert later.send_next()
        assert not later.send_next(), "it is recorded now"
    first, again = (str(message["Message-ID"]) for message in mailbox.messages)
    assert first == again == "<notice-1.node@example.org>"


@pytest.mark.parametrize(
    "changes",
    [
        {"host": "mail.example.org", "tls": "none"},
        {"user": "node"},
        {"sender": "node"},
        {"sender": "a@b.org\r\nBcc: c@d.org"},
    ],
)
def test_settings_that_would_not_be_safe_are_mistakes(changes: dict[str, str]) -> None:
    sound = {"host": "127.0.0.1", "sender": "node@example.org"}
    SmtpSettings.model_validate(sound)
    with pytest.raises(ValidationError):
        SmtpSettings.model_validate(sound | changes)


def test_every_kind_has_a_sentence() -> None:
    for kind in NoticeKind:
        assert sentence(kind, "req_1", "2026-01-01")
