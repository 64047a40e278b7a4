"""Threads that take runs from the queue, and one that takes up again what a dead worker left."""

from __future__ import annotations

import os
import socket
import threading
from datetime import timedelta
from types import TracebackType
from typing import Self

import structlog

from federation.audit.events import AuditAction, AuditEvent, Detail
from federation.release.files import StorageFull
from federation.runs.execute import execute
from federation.runs.watch import Watch
from federation.service.node import Node
from federation.state.errors import LeaseLost, StateError
from federation.state.runs import DeadRun, claim_run, dead_runs, next_queued, revive_run
from federation.state.steps import Lease

IDLE_SECONDS = 0.1
TROUBLE_SECONDS = 2.0
ROOM_SECONDS = 5.0
log = structlog.get_logger(__name__)


class Workers:
    """The workers of a node. ``start`` and ``stop`` them, or use this as a context manager.

    Stopping in order gives runs back to the queue; a process that is killed leaves its leases to run out.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._owner = f"{node.settings.node}@{socket.gethostname()}:{os.getpid()}"
        self._lease = timedelta(seconds=node.settings.limits.lease_seconds)
        self._stopping = threading.Event()
        names = [f"worker-{number}" for number in range(node.settings.limits.run_workers)]
        self._threads = [threading.Thread(target=self._work, args=(name,), name=name) for name in names]
        self._threads.append(threading.Thread(target=self._revive, name="reviver"))

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop taking runs, give back those under way, and wait for that."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _work(self, name: str) -> None:
        owner = f"{self._owner}/{name}"
        pause = 0.0
        while not self._stopping.wait(pause):
            try:
                lease = self._claim(owner)
                pause = IDLE_SECONDS if lease is None else 0.0
                if lease is not None:
                    self._execute(lease)
            except StateError as error:
                # Nothing runs while the state can't be written: the audit event would come first.
                log.error("worker_waits", code=error.code)
                pause = TROUBLE_SECONDS
            except StorageFull as error:
                log.error("worker_waits", code=error.code)
                pause = ROOM_SECONDS
            except Exception as error:  # noqa: BLE001  # a worker outlives whatever a run does to it
                log.error("worker_stumbled", kind=type(error).__name__)
                pause = TROUBLE_SECONDS

    def _claim(self, owner: str) -> Lease | None:
        database, now = self._node.database, self._node.clock()
        with database.read() as session:
            run_id = next_queued(session)
        if run_id is None:
            return None
        event = AuditEvent(owner, AuditAction.RUN_CLAIMED, run_id, now, {Detail.OWNER: owner})
        try:
            with database.write() as session:
                return claim_run(session, run_id, owner, now, self._lease, event)
        except LeaseLost:
            return None

    def _execute(self, lease: Lease) -> None:
        node = self._node
        with Watch(node.database, lease, self._lease, node.clock, self._stopping) as watch:
            execute(node, lease, watch)

    def _revive(self) -> None:
        while not self._stopping.wait(min(1.0, self._lease.total_seconds() / 2)):
            try:
                with self._node.database.read() as session:
                    dead = dead_runs(session, self._node.clock())
                for run in dead:
                    self._take_up(run)
            except StateError as error:
                log.error("reviver_waits", code=error.code)
            except Exception as error:  # noqa: BLE001
                log.error("reviver_stumbled", kind=type(error).__name__)

    def _take_up(self, dead: DeadRun) -> None:
        now = self._node.clock()
        event = AuditEvent(
            self._owner, dead.fate.recorded_as, dead.run_id, now, {Detail.ATTEMPT: dead.attempt}
        )
        try:
            with self._node.database.write() as session:
                revive_run(session, dead, now, event)
        except LeaseLost:
            return
        log.warning("run_taken_up", run=dead.run_id, fate=str(dead.fate))
