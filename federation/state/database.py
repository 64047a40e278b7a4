"""Engine, transactions and migrations. SQLite is the default; nothing here or in the tables is beyond PostgreSQL.

On SQLite: write-ahead log, foreign keys on, full synchronisation (a release that was answered survives a power
cut), and writers that begin IMMEDIATE, so that two never find out at COMMIT that they disagree.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import URL, Connection, Engine, create_engine, event, func, make_url, select
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from federation.state.errors import SchemaUnknown, StateConflict, StateError, StateUnavailable
from federation.state.private import OWNER_ONLY

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_TIMEOUT_SECONDS = 15
_WRITER = "federation_writer"
_MIGRATING = 0x6665646D
"""The number of an advisory lock of PostgreSQL."""


class Database:
    """A node's database with its schema up to date. Sessions are short: one unit of work each."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writer = engine.execution_options(**{_WRITER: True})
        # A transaction of SQLite reads from one snapshot anyway; elsewhere one has to ask for it.
        sqlite = engine.dialect.name == "sqlite"
        self._reader = engine if sqlite else engine.execution_options(isolation_level="REPEATABLE READ")

    @classmethod
    def open(cls, location: str | URL | Path) -> Database:
        """Connect to ``location`` (a database URL, or the path of a SQLite file) and bring the schema up to date.

        Raises:
            SchemaUnknown: the database was written by a newer version.
            StateUnavailable: it cannot be opened.
        """
        database = cls(_engine(_sqlite_url(location) if isinstance(location, Path) else make_url(location)))
        database.migrate()
        return database

    def migrate(self) -> None:
        """Apply the migrations that are missing, all in one transaction where the engine allows it."""
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        try:
            with self._writer.begin() as connection:
                if connection.dialect.name == "postgresql":
                    # Of several servers that start at once, one brings the schema up to date.
                    connection.execute(select(func.pg_advisory_xact_lock(_MIGRATING)))
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        except CommandError:
            raise SchemaUnknown("the database was written by a newer version of this software") from None
        except (DBAPIError, PoolTimeout) as error:
            raise _unavailable(error) from None

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one consistent state and is rolled back at its end."""
        try:
            with Session(self._reader, expire_on_commit=False) as session:
                yield session
        except (DBAPIError, PoolTimeout) as error:
            raise _unavailable(error) from None

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session that commits at its end, or rolls back if anything was raised.

        Objects stay readable after it.

        Raises:
            StateConflict: a constraint of the schema was violated; nothing was changed.
            StateUnavailable: the database was busy too long, is full or damaged; nothing was changed.
        """
        try:
            with Session(self._writer, expire_on_commit=False) as session, session.begin():
                yield session
        except (DBAPIError, PoolTimeout) as error:
            raise _unavailable(error) from None

    def close(self) -> None:
        self.engine.dispose()


def _sqlite_url(path: Path) -> URL:
    """The file exists, for its owner alone, before SQLite opens it: its log and index take over the mode."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=OWNER_ONLY)
    except OSError as error:
        raise StateUnavailable(f"the state database cannot be created ({error.strerror})") from None
    return URL.create("sqlite", database=str(path))


def _plain(value: object) -> float:
    """Numbers that came in as JSON go out as JSON: a double has every digit that theirs had."""
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


_JSON: dict[str, Any] = {
    "json_serializer": partial(json.dumps, default=_plain),
    "json_deserializer": partial(json.loads, parse_float=Decimal),
}


def _engine(url: URL) -> Engine:
    # Parameters of a failing statement would otherwise stand in the text of the error.
    if url.get_backend_name() != "sqlite":
        try:
            return create_engine(url, hide_parameters=True, pool_pre_ping=True, **_JSON)
        except ModuleNotFoundError as error:
            raise StateUnavailable(f"the state database needs {error.name}, which is not installed") from None
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_TIMEOUT_SECONDS}, **_JSON)

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = (
            None  # the driver's own BEGIN is deferred and spares DDL; ours is explicit
        )
        for pragma in (
            "journal_mode = wal",
            "synchronous = full",
            "foreign_keys = on",
            "recursive_triggers = on",  # INSERT OR REPLACE deletes, and must meet the triggers that forbid it
        ):
            connection.execute(f"pragma {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writer = connection.get_execution_options().get(_WRITER, False)
        connection.exec_driver_sql("begin immediate" if writer else "begin")

    return engine


def _unavailable(error: DBAPIError | PoolTimeout) -> StateError:
    """The engine's name for what went wrong; its text may quote values."""
    if isinstance(error, PoolTimeout):
        return StateUnavailable("the state database has too much to do: try again")
    name = getattr(error.orig, "sqlite_errorname", None) or type(error.orig).__name__
    if isinstance(error, IntegrityError):
        return StateConflict(f"the change contradicts what is stored ({name})")
    return StateUnavailable(f"the state database could not be used ({name})")
