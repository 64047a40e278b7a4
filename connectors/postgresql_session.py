"""Connections to a PostgreSQL server: pooled, pinned to one reading of values, and given back clean.

Work runs in a thread of its own while the caller watches it: at the deadline, or when it is cancelled, the statement
is cancelled at the server, and a connection that does not come back is dropped. A statement timeout at the server
says the same again, for a node that dies.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Protocol, TypeVar, cast

import adbc_driver_manager as adbc
import adbc_driver_postgresql.dbapi as driver
import pyarrow as pa

from catalogue.fragment import SourceError, SourceFault
from connectors.protocol import CancelSignal

POLL_SECONDS = 0.02
GRACE_SECONDS = 3.0
"""How long a cancelled statement may take to end before its connection is left to itself."""

SETTINGS = {
    "search_path": "pg_catalog",
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
    "row_security": "on",
    "jit": "off",  # it compiles for longer than these statements run
    "stats_fetch_consistency": "none",
}
"""What would otherwise depend on the role or on the database. A server that does not know one goes without."""

T = TypeVar("T")


@dataclass(frozen=True)
class Limits:
    """``statement_seconds`` is the server's own timeout; ``work_mem`` its memory for one sort or hash."""

    pool_size: int = 4
    statement_seconds: float = 600.0
    work_mem: str = "64MB"


class Cursor(Protocol):
    """What is used of the driver's cursors."""

    def execute(self, operation: str) -> object: ...

    def fetch_arrow_table(self) -> pa.Table: ...

    def adbc_cancel(self) -> None: ...

    def close(self) -> None: ...


class Connection(Protocol):
    """What is used of the driver's connections."""

    def cursor(self) -> Cursor: ...

    def close(self) -> None: ...


class Closeable(Protocol):
    def close(self) -> None: ...


class Session:
    """One transaction's cursor."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.cursor = connection.cursor()

    def fetch(self, statement: str) -> pa.Table:
        self.cursor.execute(statement)
        return self.cursor.fetch_arrow_table()

    def execute(self, statement: str) -> None:
        self.cursor.execute(statement)

    def close(self) -> None:
        self.cursor.close()


class Pool:
    """At most ``pool_size`` connections, opened when they are needed. Errors of the driver come out as SourceError."""

    def __init__(self, conninfo: str, limits: Limits) -> None:
        self._conninfo = conninfo
        self._limits = limits
        self._free = threading.BoundedSemaphore(limits.pool_size)
        self._lock = threading.Lock()
        self._idle: list[Connection] = []
        self._closing = threading.Event()

    def run(self, work: Callable[[Session], T], what: str, deadline: float, cancel: CancelSignal) -> T:
        """Do some work in a transaction of its own that sees one state of the database and is rolled back."""
        with self._slot(what, deadline, cancel):
            task = _Task(self, work, deadline)
            task.start()
            fault = None
            while not task.done.wait(POLL_SECONDS):
                fault = fault or self._stopped(deadline, cancel)
                if fault is not None and not task.stop():
                    break
            if fault is None and task.error is not None:
                fault = self._stopped(deadline, cancel)
            if fault is not None:
                raise SourceError(fault, "stopped before it was done")
            if task.error is not None:
                raise _typed(task.error, what)
            return cast(T, task.result)

    def _stopped(self, deadline: float, cancel: CancelSignal) -> SourceFault | None:
        if cancel.is_set() or self._closing.is_set():
            return SourceFault.CANCELLED
        return SourceFault.TIMEOUT if time.monotonic() >= deadline else None

    @contextmanager
    def _slot(self, what: str, deadline: float, cancel: CancelSignal) -> Iterator[None]:
        while not self._free.acquire(timeout=POLL_SECONDS):
            fault = self._stopped(deadline, cancel)
            if fault is not None:
                raise SourceError(fault, f"{what}: all connections of the pool are in use")
        try:
            yield
        finally:
            self._free.release()

    def open(self) -> Connection:
        return cast(Connection, driver.connect(self._conninfo, autocommit=True))

    def take(self) -> Connection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def give(self, connection: Connection) -> None:
        with self._lock:
            if not self._closing.is_set():
                self._idle.append(connection)
                return
        connection.close()

    def begin(self, session: Session, deadline: float) -> None:
        """A read-only transaction with everything pinned, and a timeout at the server."""
        session.execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        seconds = max(0.001, min(self._limits.statement_seconds, deadline - time.monotonic()))
        wanted = {
            **SETTINGS,
            "statement_timeout": str(int(seconds * 1000) + 1),
            "idle_in_transaction_session_timeout": str(int(seconds * 1000) + 60_000),
            "work_mem": self._limits.work_mem,
        }
        values = ", ".join(f"('{name}', '{value}')" for name, value in wanted.items())
        session.fetch(
            "SELECT count(pg_catalog.set_config(w.name, w.setting, true)) AS n"
            f" FROM (VALUES {values}) AS w(name, setting)"
            " JOIN pg_catalog.pg_settings s ON lower(s.name) = w.name"
        )

    def close(self) -> None:
        self._closing.set()
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            with suppress(adbc.Error):
                connection.close()


class _Task(threading.Thread):
    """The work, on a connection that it takes from the pool and gives back if nothing went wrong."""

    def __init__(self, pool: Pool, work: Callable[[Session], object], deadline: float) -> None:
        super().__init__(name="source-postgresql", daemon=True)
        self.done = threading.Event()
        self.result: object = None
        self.error: BaseException | None = None
        self._pool, self._work, self._deadline = pool, work, deadline
        self._session: Session | None = None
        self._stopped = 0.0
        self._cancelling: threading.Thread | None = None

    def run(self) -> None:
        try:
            self._attempt()
        except Exception as error:  # noqa: BLE001  # the caller, who waits for it, says what it is
            self.error = error
        finally:
            self._session = None
            self.done.set()

    def _attempt(self) -> None:
        connection = self._pool.take()
        session = None
        if connection is not None:
            try:
                session = self._begin(connection)
            except adbc.Error:  # the server went away while the connection was idle
                _drop(connection)
                connection = None
        if connection is None:
            connection = self._pool.open()
        try:
            session = session or self._begin(connection)
            self.result = self._work(session)
            session.execute("ROLLBACK")
            session.close()
        except BaseException:
            if session is not None:
                _drop(session)
            _drop(connection)
            raise
        self._pool.give(connection)

    def _begin(self, connection: Connection) -> Session:
        session = Session(connection)
        try:
            self._pool.begin(session, self._deadline)
        except BaseException:
            _drop(session)
            raise
        self._session = session
        return session

    def stop(self) -> bool:
        """Cancel the statement under way, again at every call; False when it has been waited for long enough.

        Cancelling asks the server, which may not answer either: it is done in a thread of its own.
        """
        self._stopped = self._stopped or time.monotonic()
        session = self._session
        if session is not None and (self._cancelling is None or not self._cancelling.is_alive()):
            self._cancelling = threading.Thread(target=_cancel, args=(session,), daemon=True)
            self._cancelling.start()
        return time.monotonic() - self._stopped < GRACE_SECONDS


def _cancel(session: Session) -> None:
    with suppress(adbc.Error):
        session.cursor.adbc_cancel()


def _drop(thing: Closeable) -> None:
    with suppress(adbc.Error):
        thing.close()


FAULTS = {
    "42P01": (SourceFault.MISSING, "there is no such table"),
    "3F000": (SourceFault.MISSING, "there is no such schema"),
    "3D000": (SourceFault.MISSING, "there is no such database"),
    "42501": (SourceFault.DENIED, "the role may not read it"),
    "57014": (SourceFault.TIMEOUT, "the statement took longer than the server allows"),
    "40001": (SourceFault.CHANGED, "changed while it was read"),
    "53300": (SourceFault.UNREACHABLE, "the server has no connection free"),
}
CLASSES = {
    "08": (SourceFault.UNREACHABLE, "the connection to the server was lost"),
    "57": (SourceFault.UNREACHABLE, "the server is stopping or starting"),
    "28": (SourceFault.UNREACHABLE, "the server refuses the role's login"),
    "53": (SourceFault.RESOURCES, "the server has too little memory or disk, or less than the role may use"),
    "42": (SourceFault.SCHEMA, "its columns or types are not what the catalogue says"),
}


def _typed(error: BaseException, what: str) -> SourceError:
    """What kind of failure the driver's exception is; its text, which may quote values, is never passed on."""
    if isinstance(error, SourceError):
        return SourceError(error.fault, error.detail)
    if isinstance(error, MemoryError):
        return SourceError(SourceFault.RESOURCES, f"{what}: too little memory for its cells")
    if not isinstance(error, adbc.Error):
        return SourceError(SourceFault.FAILED, f"{what}: the source did not answer")
    state = error.sqlstate or ""
    lost = (SourceFault.UNREACHABLE, "the server cannot be reached")
    nothing = lost if error.status_code == adbc.AdbcStatusCode.IO and not state else None
    fault, text = FAULTS.get(state) or CLASSES.get(state[:2]) or nothing or (
        SourceFault.FAILED, "the source did not answer",
    )  # fmt: skip
    return SourceError(fault, f"{what}: {text}")
