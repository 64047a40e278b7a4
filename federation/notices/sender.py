"""A thread that sends what is in the outbox, and reminds people of what is about to end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime

import structlog

from federation.notices.mail import Mailer, MailRefused, MailUnavailable
from federation.state.database import Database
from federation.state.errors import StateError
from federation.state.notices import Due, claim, done

IDLE_SECONDS = 2.0
TROUBLE_SECONDS = 15.0
REMIND_SECONDS = 3_600.0
log = structlog.get_logger(__name__)


class Sender:
    """Started and stopped with the node. Several processes may have one each: an e-mail is claimed before it is sent.

    Args:
        mailer: None where the node sends no e-mail; then it only reminds.
        remind: puts reminders in the outbox.
    """

    def __init__(
        self,
        database: Database,
        mailer: Mailer | None,
        remind: Callable[[], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._mailer = mailer
        self._remind = remind
        self._clock = clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="notices")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def send_next(self) -> bool:
        """Send the e-mail that has been due longest; whether there was one.

        It is claimed in a transaction of its own first: a process that dies while it sends leaves it due again,
        later and under the same Message-ID.
        """
        if self._mailer is None:
            return False
        with self._database.write() as session:
            due = claim(session, self._clock())
        if due is None:
            return False
        try:
            self._mailer.send(due)
        except MailUnavailable as error:
            log.warning("notice_not_sent", notice=due.id, attempt=due.attempt, code=error.code)
            return True
        except MailRefused as error:
            log.warning("notice_refused", notice=due.id, code=str(error))
        self._done(due)
        return True

    def _done(self, due: Due) -> None:
        with self._database.write() as session:
            done(session, due.id)

    def _work(self) -> None:
        pause, next_reminder = 0.0, 0.0
        while not self._stopping.wait(pause):
            try:
                if time.monotonic() >= next_reminder:
                    self._remind()
                    next_reminder = time.monotonic() + REMIND_SECONDS
                pause = 0.0 if self.send_next() else IDLE_SECONDS
            except StateError as error:
                log.error("notices_wait", code=error.code)
                pause = TROUBLE_SECONDS
            except Exception as error:  # noqa: BLE001  # its text may hold an address
                log.error("notices_stumbled", kind=type(error).__name__)
                pause = TROUBLE_SECONDS
