"""Notices by e-mail: one message each, in plain text, over SMTP (RFC 5321) with TLS."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Protocol

from federation.notices.words import sentence
from federation.settings import SmtpSettings, Tls
from federation.state.notices import Due

SECONDS = 20.0


class MailRefused(Exception):
    """The server will never take this message: sending it again would not help."""


class MailUnavailable(Exception):
    """The server did not take it now. ``code`` is its answer's, or the name of what went wrong; never its text."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Mailer(Protocol):
    def send(self, due: Due) -> None:
        """Hand one notice over.

        Raises:
            MailRefused, MailUnavailable: it was not taken.
        """
        ...


@dataclass(frozen=True)
class SmtpMailer:
    """Sends by the server of the settings, as ``node``, whose ``title`` and ``url`` people read."""

    settings: SmtpSettings
    password: str | None
    node: str
    title: str
    url: str

    def send(self, due: Due) -> None:
        message = self.message(due)
        try:
            with self._connected() as server:
                if self.settings.tls is Tls.STARTTLS:
                    server.starttls(context=ssl.create_default_context())
                if self.settings.user is not None and self.password is not None:
                    server.login(self.settings.user, self.password)
                server.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            codes = {code for code, _ in error.recipients.values()}
            raise _refused(max(codes, default=450)) from None
        except smtplib.SMTPResponseException as error:
            raise _refused(error.smtp_code) from None
        except (smtplib.SMTPException, OSError) as error:
            raise MailUnavailable(type(error).__name__) from None

    def message(self, due: Due) -> EmailMessage:
        """The message: its Message-ID is the same at every attempt, by which a server knows it for the same."""
        text = sentence(due.kind, due.about, due.day)
        message = EmailMessage()
        message["From"] = self.settings.sender
        message["To"] = due.email
        message["Subject"] = f"{self.title}: {text}"
        message["Message-ID"] = f"<notice-{due.id}.{self.node}@{self.settings.sender.partition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(
            f"{text}.\n\n{self.url}\n\nThis message holds no data. Change what you are sent there.\n"
        )
        return message

    def _connected(self) -> smtplib.SMTP:
        host, port = self.settings.host, self.settings.port
        if self.settings.tls is Tls.IMPLICIT:
            return smtplib.SMTP_SSL(host, port, timeout=SECONDS, context=ssl.create_default_context())
        return smtplib.SMTP(host, port, timeout=SECONDS)


def _refused(code: int) -> Exception:
    """RFC 5321, 4.2.1: an answer of the form 5yz is for good, others may pass. Not being let in is mended here."""
    permanent = 550 <= code <= 559
    return MailRefused(str(code)) if permanent else MailUnavailable(str(code))
