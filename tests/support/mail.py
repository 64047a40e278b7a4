"""A real mail server of the test's own, on loopback."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

from federation.notices.mail import SmtpMailer
from federation.notices.sender import Sender
from federation.settings import SmtpSettings
from federation.state.database import Database
from tests.support.state import NOW


@dataclass
class Mailbox:
    """What the server has taken; ``refusals`` are what it answers to the next messages instead.

    ``on_taken`` is called before a message is answered, ``on_quit`` when the sender has read that and says good-bye.
    """

    port: int
    messages: list[EmailMessage] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    on_taken: Callable[[], None] = lambda: None
    on_quit: Callable[[], None] = lambda: None

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.refusals:
            return self.refusals.pop(0)
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        self.on_taken()
        return "250 taken"

    async def handle_QUIT(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.on_quit()
        return "221 bye"

    def to(self, address: str) -> list[str]:
        """The subjects of what was sent to somebody."""
        return [str(each["Subject"]) for each in self.messages if each["To"] == address]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def listening(mailbox: Mailbox) -> Iterator[None]:
    controller = Controller(mailbox, hostname="127.0.0.1", port=mailbox.port)
    controller.start()
    try:
        yield
    finally:
        controller.stop()


def outbox(database: Database, port: int, clock: Callable[[], datetime]) -> Sender:
    """A sender by the server on ``port``."""
    settings = SmtpSettings.model_validate(
        {"host": "127.0.0.1", "port": port, "tls": "none", "sender": "node@example.org"}
    )
    mailer = SmtpMailer(settings, None, "node", "A node", "https://node.example.org")
    return Sender(database, mailer, lambda: None, clock)


if __name__ == "__main__":  # a process of its own that sends what is due, for a test that kills it
    outbox(Database.open(Path(sys.argv[1])), int(sys.argv[2]), lambda: NOW).send_next()
