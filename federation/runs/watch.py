"""A sign of life while a run is worked on: the lease is renewed, and a wish to stop is heard."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from types import TracebackType
from typing import Self

import structlog

from federation.state.database import Database
from federation.state.errors import StateError
from federation.state.runs import LeaseStatus, renew_lease
from federation.state.steps import Lease

BEATS_PER_LEASE = 5
log = structlog.get_logger(__name__)


class Stop(StrEnum):
    """Why a run should stop before its end."""

    CANCELLED = "cancelled"
    LEASE_LOST = "lease_lost"
    NODE_STOPPING = "node_stopping"


class Watch:
    """Renews a lease in a thread of its own; ``is_set`` turns true, for good, once the run should stop.

    It is the cancel signal that connectors look at. A renewal that fails is tried again at the next beat: the
    lease holds until its time is over, and then somebody else may take the run.
    """

    def __init__(
        self,
        database: Database,
        lease: Lease,
        duration: timedelta,
        clock: Callable[[], datetime],
        stopping: threading.Event,
    ) -> None:
        self._database = database
        self._lease = lease
        self._duration = duration
        self._clock = clock
        self._stopping = stopping
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"watch-{lease.run_id}", daemon=True)
        self.progress = 0
        self.stop: Stop | None = None

    def is_set(self) -> bool:
        if self.stop is None and self._stopping.is_set():
            self.stop = Stop.NODE_STOPPING
        return self.stop is not None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _beat(self) -> None:
        interval = min(self._duration.total_seconds() / BEATS_PER_LEASE, 1.0)
        while not self._ended.wait(interval):
            try:
                with self._database.write() as session:
                    found = renew_lease(session, self._lease, self.progress, self._clock(), self._duration)
            except StateError as error:
                log.warning("lease_not_renewed", run=self._lease.run_id, code=error.code)
                continue
            if found is LeaseStatus.LOST:
                self.stop = Stop.LEASE_LOST
                return
            if found is LeaseStatus.CANCEL_REQUESTED:
                self.stop = Stop.CANCELLED
