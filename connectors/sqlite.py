"""SQLite database files as a source, read through ADBC into the locked-down DuckDB of the same process.

SQLite has neither decimals nor 128-bit sums, its sums raise on overflow, and its driver cannot stop a statement
that has begun: so no aggregate runs in it. It streams the columns that a fragment reads, in one read transaction,
and the engine of connectors.duckdb does the rest. See docs/adr/sqlite-is-streamed.md.

Any row of a SQLite table may hold any type, whatever its column declares. The statement that reads a column gives
one type of each row: what does not fit is no code and no number, yet not null, and no value of any row makes it fail.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import quote

import adbc_driver_manager
import adbc_driver_sqlite.dbapi as adbc
import pyarrow as pa
import pyarrow.compute as pc

from catalogue.fragment import SourceError, SourceFault, Table
from connectors.duckdb import DuckDBConnector, Session, Wanted
from connectors.expressions import NOT_A_CODE, columns_of
from connectors.sources import SqliteSource

BATCH_ROWS = 65_536
BUSY_MILLISECONDS = 2_000
STREAM = "sqlite_stream"
HEADER = "header of a stream"


class _As(StrEnum):
    """As what a column is read: the SQL is of the column ``{c}``, quoted."""

    INTEGER = f"CASE typeof({{c}}) WHEN 'integer' THEN {{c}} WHEN 'null' THEN NULL ELSE {NOT_A_CODE} END"
    REAL = (
        "CASE typeof({c}) WHEN 'real' THEN {c} WHEN 'integer' THEN CAST({c} AS REAL) WHEN 'null' THEN NULL"
        " ELSE 9e999 END"
    )
    TEXT = (
        "CASE typeof({c}) WHEN 'text' THEN {c} WHEN 'null' THEN NULL WHEN 'integer' THEN CAST({c} AS TEXT)"
        " WHEN 'real' THEN printf('%!.17g', {c}) ELSE 'x' || hex({c}) END"
    )


_FIRST = {_As.INTEGER: "0", _As.REAL: "0.5", _As.TEXT: "''"}
"""The driver takes the types of the first rows for those of all, so the first row holds a value of each type."""


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of a table: how it is read, and what DuckDB makes of what was read (nothing, where empty)."""

    name: str
    read: _As
    cast: str = ""

    @property
    def quoted(self) -> str:
        return '"' + self.name.replace('"', '""') + '"'


def column_of(name: str, declared: str) -> _Column:
    """SQLite's rules of affinity, with decimals, dates and booleans as what they are called.

    >>> column_of("pay", "DECIMAL(10, 2)").cast, column_of("age", "SMALLINT").read.name
    ('DECIMAL(10, 2)', 'INTEGER')
    """
    text = declared.upper()
    if "INT" in text:
        return _Column(name, _As.INTEGER)
    if any(word in text for word in ("CHAR", "CLOB", "TEXT")):
        return _Column(name, _As.TEXT)
    if any(word in text for word in ("REAL", "FLOA", "DOUB")):
        return _Column(name, _As.REAL)
    decimal = re.fullmatch(r"(?:DECIMAL|NUMERIC) *\( *(\d+) *(?:, *(\d+) *)?\)", text)
    if decimal and int(decimal[2] or 0) <= int(decimal[1]) <= 38:
        return _Column(name, _As.REAL, f"DECIMAL({decimal[1]}, {decimal[2] or 0})")
    if text in ("DATE", "BOOLEAN"):
        return _Column(name, _As.TEXT, text)
    return _Column(name, _As.TEXT)


class SqliteConnector(DuckDBConnector):
    """Implements connectors.protocol.Connector over one database file, which is opened for reading alone."""

    def _bind(self, session: Session, wanted: Wanted) -> None:
        """Copy what is wanted of each table into tables of the session, all in one transaction of the source."""
        source = self.source
        assert isinstance(source, SqliteSource)
        dataset = next(iter(wanted)).dataset
        fault: SourceError | None = None
        try:
            with closing(_connect(source.path)) as connection:
                for table, expressions in wanted.items():
                    self._copy(connection, session, table, expressions)
        except adbc_driver_manager.Error as error:
            fault = _fault(error, dataset)
        if fault is not None:  # raised outside, so that the driver's own text is not chained
            raise fault

    @staticmethod
    def _copy(
        connection: adbc.Connection,
        session: Session,
        table: Table,
        expressions: Mapping[str, None] | None,
    ) -> None:
        columns = _columns(connection, table)
        if not columns:
            raise SourceError(SourceFault.MISSING, f"dataset {table.dataset}: its source is not there")
        if expressions is not None:
            read = {column.lower() for text in expressions for column in columns_of(text)}
            columns = [column for column in columns if column.name.lower() in read] or columns[:1]
        stream = _Stream(connection, session, table, columns, rows=expressions is not None)
        name = '"' + session.new_name(table).replace('"', '""') + '"'
        casts = [
            f"TRY_CAST({column.quoted} AS {column.cast}) AS {column.quoted}" if column.cast else column.quoted
            for column in columns
        ]
        statement = (
            f'CREATE TEMP TABLE {name} AS SELECT {", ".join(casts)} FROM {STREAM} WHERE "{HEADER}" = 0'
        )
        session.cursor.register(STREAM, stream.reader())
        fault: SourceError | None = None
        try:
            session.execute(statement)
        except Exception:
            fault = stream.fault
            if fault is None:
                raise
        finally:
            session.cursor.unregister(STREAM)
        if fault is not None:
            raise fault


class _Stream:
    """The rows of one table. What goes wrong in the midst of them is in ``fault``: what an engine that pulls the
    rows makes of an exception is its own affair."""

    def __init__(
        self,
        connection: adbc.Connection,
        session: Session,
        table: Table,
        columns: Sequence[_Column],
        *,
        rows: bool,
    ) -> None:
        self.fault: SourceError | None = None
        self._session = session
        self._dataset = table.dataset
        first = ", ".join(_FIRST[column.read] + " AS " + column.quoted for column in columns)
        values = ", ".join(column.read.format(c=column.quoted) for column in columns)
        location = '"' + table.location.replace('"', '""') + '"'
        self._statement = f'SELECT 1 AS "{HEADER}", {first} UNION ALL SELECT 0, {values} FROM {location}'
        if not rows:
            self._statement += " WHERE 0"
        self._connection = connection

    def reader(self) -> pa.RecordBatchReader:
        cursor = self._connection.cursor()
        cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": str(BATCH_ROWS)})
        cursor.execute(self._statement)
        reader = cursor.fetch_record_batch()
        return pa.RecordBatchReader.from_batches(reader.schema, self._batches(reader, cursor))

    def _batches(self, reader: pa.RecordBatchReader, cursor: adbc.Cursor) -> Iterator[pa.RecordBatch]:
        with closing(cursor):
            try:
                for batch in reader:
                    stopped = self._session.stopped()
                    if stopped is not None:
                        self.fault = SourceError(stopped, "stopped before it was done")
                        return
                    yield _as_text(batch)
            except (adbc_driver_manager.Error, pa.ArrowException, OSError) as error:
                self.fault = _fault(error, self._dataset)


def _connect(path: Path) -> adbc.Connection:
    """A connection in a transaction that only reads; it is over when the connection is closed."""
    connection = adbc.connect(f"file:{quote(str(path.resolve()))}?mode=ro", autocommit=True)
    try:
        with closing(connection.cursor()) as cursor:
            for setting in (f"busy_timeout = {BUSY_MILLISECONDS}", "query_only = 1", "trusted_schema = 0"):
                cursor.execute(f"PRAGMA {setting}")
                cursor.fetchall()
            cursor.execute("BEGIN")
    except BaseException:
        connection.close()
        raise
    return connection


def _columns(connection: adbc.Connection, table: Table) -> list[_Column]:
    location = "'" + table.location.replace("'", "''") + "'"
    with closing(connection.cursor()) as cursor:
        cursor.execute(
            f"SELECT name, type FROM pragma_table_xinfo({location}) WHERE hidden <> 1 ORDER BY cid"
        )
        return [column_of(name, declared or "") for name, declared in cursor.fetchall()]


def _as_text(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Text that is not UTF-8 is read with the sign for what cannot be read, as DuckDB takes no other text."""
    columns = []
    for column in batch.columns:
        if pa.types.is_string(column.type) and not _is_utf8(column):
            raw = pc.cast(column, pa.binary()).to_pylist()
            texts = [None if value is None else value.decode(errors="replace") for value in raw]
            column = pa.array(texts, column.type)
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def _is_utf8(column: pa.Array) -> bool:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


_FAULTS = {
    "unable to open": (SourceFault.UNREACHABLE, "its database can't be opened"),
    "failed to open": (SourceFault.UNREACHABLE, "its database can't be opened"),
    "locked": (SourceFault.UNREACHABLE, "its database is locked by a writer"),
    "malformed": (SourceFault.FAILED, "its database is damaged"),
    "not a database": (SourceFault.FAILED, "its file is not a SQLite database"),
    "no such table": (SourceFault.MISSING, "its source is not there"),
    "no such column": (SourceFault.SCHEMA, "a view refers to a column that is not there"),
    "out of memory": (SourceFault.RESOURCES, "the source did not answer"),
    "full": (SourceFault.RESOURCES, "the source did not answer"),
}


def _fault(error: Exception, dataset: str) -> SourceError:
    """What the driver means, which gives one code for most of SQLite's; its text is never passed on."""
    text = str(error).lower()
    fault, detail = next(
        (known for word, known in _FAULTS.items() if word in text),
        (SourceFault.FAILED, "the source did not answer"),
    )
    return SourceError(fault, f"dataset {dataset}: {detail}")
