"""DuckDB as an engine: over Parquet, CSV and Arrow IPC files, and over DuckDB database files.

One in-memory instance per connector, locked down: no extension is loaded, no setting changes afterwards, and no
file is read outside the declared location. Each run has a cursor of its own, on which views of the sources and
the temporary tables of the run live and die.

Memory is bounded by ``memory_limit`` for all runs together; groups beyond it spill to ``temp_directory`` where one
is given, else the run ends with SourceError RESOURCES.

CSV columns are read as text, so that no type depends on a row and codes keep their zeros: a numeric measure is
read by TRY_CAST like any text.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import duckdb
import pyarrow as pa
import pyarrow.dataset as pads
from sqlglot import exp

from catalogue.catalogue import BoundDataset
from catalogue.fragment import Fragment, RawCells, SourceError, SourceFault, Table, tables_of
from connectors.advice import Advice, unreadable
from connectors.cells import read_cells, read_histogram
from connectors.expressions import columns_of, expressions_of, place
from connectors.protocol import (
    CancelSignal,
    Capability,
    ColumnType,
    Finding,
    TypeKind,
)
from connectors.render import Program, render
from connectors.sources import DatabaseSource, FileSource, Format, Source, snapshot_of
from connectors.verify import (
    checks_of,
    expressions_to_verify,
    missing_columns,
    source_table,
)

POLL_SECONDS = 0.02
DESCRIBE_SECONDS = 60.0
CACHED_SNAPSHOTS = 16
T = TypeVar("T")
Wanted = Mapping[Table, Mapping[str, None] | None]
"""Which expressions over each table some work reads; None for the types of all its columns and no row."""
INTEGER_DIGITS = {
    "TINYINT": 3, "SMALLINT": 5, "INTEGER": 10, "BIGINT": 19, "HUGEINT": 39,
    "UTINYINT": 3, "USMALLINT": 5, "UINTEGER": 10, "UBIGINT": 20, "UHUGEINT": 39,
}  # fmt: skip
KINDS = {
    "FLOAT": TypeKind.FLOAT,
    "DOUBLE": TypeKind.FLOAT,
    "VARCHAR": TypeKind.TEXT,
    "BOOLEAN": TypeKind.BOOLEAN,
    "DATE": TypeKind.DATE,
}


def column_type(text: str) -> ColumnType:
    """DuckDB's name of a type as one of ours.

    >>> column_type("DECIMAL(10,2)")
    ColumnType(kind=<TypeKind.DECIMAL: 'decimal'>, precision=10, scale=2)
    """
    if text in INTEGER_DIGITS:
        return ColumnType(TypeKind.INTEGER, INTEGER_DIGITS[text])
    if decimal := re.fullmatch(r"DECIMAL\((\d+),\s*(\d+)\)", text):
        return ColumnType(TypeKind.DECIMAL, int(decimal[1]), int(decimal[2]))
    return ColumnType(KINDS.get(text, TypeKind.OTHER))


def fault_of(error: Exception) -> SourceFault:
    """What kind of failure an engine's exception is; its text is never passed on."""
    match error:
        case duckdb.OutOfMemoryException() | MemoryError():
            return SourceFault.RESOURCES
        case duckdb.BinderException() | duckdb.CatalogException() | duckdb.ParserException():
            return SourceFault.SCHEMA
        case duckdb.InvalidInputException() if "schema mismatch" in str(error).lower():
            return SourceFault.SCHEMA
        case duckdb.IOException() if "No space left" in str(error):
            return SourceFault.RESOURCES
        case _:
            return SourceFault.FAILED


class Session:
    """One run's cursor, watched: interrupted when it is cancelled or late."""

    def __init__(
        self, cursor: duckdb.DuckDBPyConnection, deadline: float, cancel: CancelSignal, snapshot: str
    ) -> None:
        self.cursor = cursor
        self.names: dict[Table, str] = {}
        self.snapshot = snapshot
        self._deadline = deadline
        self._cancel = cancel
        self._closed = threading.Event()
        self._watchdog = threading.Thread(target=self._watch, name="source-watchdog", daemon=True)
        self._watchdog.start()

    def new_name(self, table: Table, before: str = "") -> str:
        """A name for the table, of its dataset where that is free; ``before`` keeps it apart from other names."""
        name = before + table.dataset
        while name in self.names.values():
            name += "_"
        self.names[table] = name
        return name

    def stopped(self) -> SourceFault | None:
        if self._cancel.is_set():
            return SourceFault.CANCELLED
        return SourceFault.TIMEOUT if time.monotonic() >= self._deadline else None

    def _watch(self) -> None:
        while not self._closed.wait(POLL_SECONDS):
            if self.stopped() is not None:
                # Again at every poll: an interrupt between two statements is lost. The connector may be closed.
                with suppress(duckdb.ConnectionException):
                    self.cursor.interrupt()

    def close(self) -> None:
        self._closed.set()
        self._watchdog.join()
        self.cursor.close()

    def execute(self, statement: str) -> None:
        self._check()
        self.cursor.execute(statement)

    def fetch(self, statement: str) -> pa.Table:
        self._check()
        return self.cursor.sql(statement).to_arrow_table()

    def _check(self) -> None:
        fault = self.stopped()
        if fault is not None:
            raise SourceError(fault, "stopped before it was done")


def sql(tree: exp.Expr) -> str:
    return tree.sql(dialect="duckdb")


COLLATED = """
SELECT coalesce(bool_or(contains(upper(sql), 'COLLATE')), false) AS found
FROM (SELECT database_name, sql FROM duckdb_tables() UNION ALL SELECT database_name, sql FROM duckdb_views())
WHERE database_name = 'source'
"""


class DuckDBConnector:
    """Implements connectors.protocol.Connector; see the module for what it is locked down to."""

    capabilities = frozenset(Capability)

    def __init__(
        self,
        source: Source,
        *,
        memory_limit: str = "4GB",
        threads: int | None = None,
        temp_directory: Path | None = None,
    ) -> None:
        self.source = source
        self._settings: dict[str, str | int] = {"memory_limit": memory_limit}
        if threads is not None:
            self._settings["threads"] = threads
        self._temp_directory = temp_directory
        self._lock = threading.Lock()
        self._instance: duckdb.DuckDBPyConnection | None = None
        self._opened = b""
        self._closing = threading.Event()
        self._type_cache: dict[str, dict[tuple[Table, str], ColumnType]] = {}

    # ---- the instance -----------------------------------------------------------------------------------

    def _open(self) -> duckdb.DuckDBPyConnection:
        config: dict[str, str | bool | int | float | list[str]] = {
            **self._settings,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
            "preserve_insertion_order": False,
            "temp_directory": str(self._temp_directory or ""),
        }
        instance = duckdb.connect(":memory:", config=config)
        if isinstance(self.source, DatabaseSource):
            path = sql(exp.Literal.string(str(self.source.path)))
            instance.execute(f"ATTACH {path} AS source (READ_ONLY)")
        elif isinstance(self.source, FileSource):
            root = sql(exp.Literal.string(f"{self.source.root.resolve()}/"))
            instance.execute(f"SET allowed_directories = [{root}]")
        instance.execute("SET enable_external_access = false")
        instance.execute("SET lock_configuration = true")
        return instance

    def _cursor(self, table: Table) -> duckdb.DuckDBPyConnection:
        """A cursor of the shared instance; a database file that was replaced is opened anew."""
        with self._lock:
            identity = self.source.identity(table) if isinstance(self.source, DatabaseSource) else b""
            if self._instance is None or identity != self._opened:
                try:
                    self._instance, self._opened = self._open(), identity
                except duckdb.Error:
                    self._instance = None
            cursor = None if self._instance is None else self._instance.cursor()
        if cursor is None:
            raise SourceError(SourceFault.UNREACHABLE, f"dataset {table.dataset}: its source can't be opened")
        return cursor

    def _within(
        self,
        wanted: Wanted,
        deadline: float,
        cancel: CancelSignal,
        work: Callable[[Session], T],
    ) -> tuple[T, str]:
        """Do some work in a session, with every table under a name; its result and the snapshot it is of.

        Failures of the engine come out as SourceError without its text (not even chained, since it may quote
        values), and as CHANGED where the source is no longer what it was.
        """
        tables = tuple(wanted)
        before = self.snapshot(*tables)
        session = Session(self._cursor(tables[0]), deadline, _Either(cancel, self._closing), before)
        result: T | SourceError
        try:
            self._bind(session, wanted)
            result = work(session)
        except SourceError as error:
            result = error
        except (duckdb.Error, pa.ArrowException, OSError, MemoryError, RuntimeError) as error:
            fault = session.stopped() or fault_of(error)
            result = SourceError(fault, f"dataset {tables[0].dataset}: the source did not answer")
        finally:
            session.close()
        stopped = (SourceFault.CANCELLED, SourceFault.TIMEOUT)
        if isinstance(result, SourceError) and result.fault in stopped:
            raise result
        if self.snapshot(*tables) != before:
            raise SourceError(SourceFault.CHANGED, f"dataset {tables[0].dataset}: changed while it was read")
        if isinstance(result, SourceError):
            raise result
        return result, before

    def _bind(self, session: Session, wanted: Wanted) -> None:
        """Give each table a name of its own on the session's cursor."""
        for table in wanted:
            # A view of the database's own would read what we name like a table that it is over.
            name = session.new_name(table, "__source_" if isinstance(self.source, DatabaseSource) else "")
            if isinstance(self.source, FileSource) and self.source.format(table) is Format.ARROW:
                dataset = self._arrow(self.source, table)
                session.cursor.register(name, dataset)
            else:
                view, relation = sql(exp.to_identifier(name, quoted=True)), self._relation(table)
                session.execute(
                    f"CREATE TEMP VIEW {view} AS SELECT {self._columns(session, relation)} FROM {relation}"
                )

    def _columns(self, session: Session, relation: str) -> str:
        """All columns; where the database declares collations, text without one, since text compares byte by byte.
        Only the statements of tables and views tell of a collation, so that all text is taken for collated."""
        if not isinstance(self.source, DatabaseSource) or not session.fetch(COLLATED)["found"][0].as_py():
            return "*"
        held = self._describe(
            session, exp.select("*").from_(exp.maybe_parse(relation, into=exp.Table, dialect="duckdb"))
        )
        texts = [
            sql(exp.to_identifier(name, quoted=True)) for name, t in held.items() if t.kind is TypeKind.TEXT
        ]
        plain = ", ".join(f"decode(encode({text})) AS {text}" for text in texts)
        return f"* REPLACE ({plain})" if plain else "*"

    def _relation(self, table: Table) -> str:
        if isinstance(self.source, DatabaseSource):
            parts = [exp.to_identifier(part, quoted=True) for part in ["source", *table.location.split(".")]]
            return ".".join(sql(part) for part in parts)
        assert isinstance(self.source, FileSource)
        files = ", ".join(sql(exp.Literal.string(str(path))) for path in self.source.paths(table))
        folders = "hive_partitioning = false"
        if self.source.partitions(table):
            folders = "hive_partitioning = true, hive_types_autocast = false"
        if self.source.format(table) is Format.CSV:
            return f"read_csv([{files}], header = true, all_varchar = true, {folders})"
        return f"read_parquet([{files}], {folders})"

    @staticmethod
    def _arrow(source: FileSource, table: Table) -> pads.Dataset:
        names = source.partitions(table)
        folders = pads.partitioning(pa.schema([(name, pa.string()) for name in names]), flavor="hive")
        paths = [str(path) for path in source.paths(table)]
        return pads.dataset(paths, format="ipc", partitioning=folders if names else None)

    # ---- the protocol -----------------------------------------------------------------------------------

    def snapshot(self, *tables: Table) -> str:
        return snapshot_of(self.source, tables)

    def describe(self, table: Table) -> Mapping[str, ColumnType]:
        def work(session: Session) -> dict[str, ColumnType]:
            return self._describe(session, exp.select("*").from_(_quoted(session.names[table])))

        return self._within({table: None}, time.monotonic() + DESCRIBE_SECONDS, threading.Event(), work)[0]

    @staticmethod
    def _describe(session: Session, select: exp.Select) -> dict[str, ColumnType]:
        rows = session.fetch(f"DESCRIBE {sql(select)}")
        names, types = rows["column_name"].to_pylist(), rows["column_type"].to_pylist()
        return {name: column_type(type_) for name, type_ in zip(names, types, strict=True)}

    def _types(
        self, session: Session, wanted: Mapping[Table, Mapping[str, None]]
    ) -> dict[tuple[Table, str], ColumnType]:
        """The type of every expression, asked of the engine."""
        types = self._known_types(session.snapshot)
        for table, expressions in wanted.items():
            unknown = [text for text in expressions if (table, text) not in types]
            if not unknown:
                continue
            relation = _quoted(session.names[table])
            columns = [exp.alias_(place(text, "t"), f"e{i}") for i, text in enumerate(unknown)]
            try:
                found = self._describe(session, exp.select(*columns).from_(relation.as_("t")))
            except duckdb.BinderException:
                found = {}
            if not found:
                held = {name.lower() for name in self._describe(session, exp.select("*").from_(relation))}
                lacking = [c for text in unknown for c in columns_of(text) if c.lower() not in held]
                what = f"has no column {lacking[0]}" if lacking else "does not fit a catalogue expression"
                raise SourceError(SourceFault.SCHEMA, f"dataset {table.dataset} {what}")
            types.update({(table, text): found[f"e{i}"] for i, text in enumerate(unknown)})
        return types

    def _known_types(self, snapshot: str) -> dict[tuple[Table, str], ColumnType]:
        """Types asked for before; they hold as long as the snapshot does."""
        with self._lock:
            if snapshot not in self._type_cache and len(self._type_cache) >= CACHED_SNAPSHOTS:
                self._type_cache.pop(next(iter(self._type_cache)))
            return self._type_cache.setdefault(snapshot, {})

    def _program(self, session: Session, fragment: Fragment) -> Program:
        return render(fragment, session.names, self._types(session, expressions_of(fragment)))

    def run(
        self, fragments: Sequence[Fragment], *, deadline: float, cancel: CancelSignal
    ) -> tuple[RawCells, ...]:
        def work(session: Session) -> list[tuple[pa.Table, dict[str, pa.Table]]]:
            return [self._answer(session, fragment) for fragment in fragments]

        wanted: dict[Table, dict[str, None]] = {}
        for fragment in fragments:
            for table, expressions in expressions_of(fragment).items():
                wanted.setdefault(table, {}).update(expressions)
        answers, snapshot = self._within(wanted, deadline, cancel, work)
        return tuple(RawCells(cells, histograms, snapshot) for cells, histograms in answers)

    def _answer(self, session: Session, fragment: Fragment) -> tuple[pa.Table, dict[str, pa.Table]]:
        """A fragment's cells and histograms; its temporary tables make room for those of the next one."""
        program = self._program(session, fragment)
        for name, mapping in program.maps.items():
            session.cursor.register(name, mapping)
        for name, step in program.steps:
            session.execute(f"CREATE TEMP TABLE {name} AS {sql(step)}")
        histograms = {
            name: read_histogram(session.fetch(sql(tree)), fragment.weight is not None)
            for name, tree in program.histograms.items()
        }
        cells = read_cells(session.fetch(sql(program.cells)), program)
        for name, _ in program.steps:
            session.execute(f"DROP TABLE {name}")
        return cells, histograms

    def explain(self, fragment: Fragment) -> tuple[str, ...]:
        def work(session: Session) -> Program:
            return self._program(session, fragment)

        deadline = time.monotonic() + DESCRIBE_SECONDS
        wanted = dict.fromkeys(tables_of(fragment))
        program, _ = self._within(wanted, deadline, threading.Event(), work)
        steps = [f"CREATE TEMP TABLE {name} AS\n{_pretty(step)}" for name, step in program.steps]
        return (*steps, _pretty(program.cells), *(_pretty(tree) for tree in program.histograms.values()))

    def verify(
        self,
        dataset: BoundDataset,
        related: Mapping[str, BoundDataset],
        *,
        deadline: float,
        cancel: CancelSignal,
    ) -> tuple[Finding, ...]:
        table, wanted = source_table(dataset), expressions_to_verify(dataset, related)

        def work(session: Session) -> tuple[Finding, ...]:
            select = exp.select("*").from_(_quoted(session.names[table]))
            found = list(missing_columns(dataset, self._describe(session, select)))
            if found:
                return tuple(found)
            types = self._types(session, wanted)
            checks, found = checks_of(dataset, related, session.names, types)
            for check in checks:
                for name, relation in check.maps.items():
                    session.cursor.register(name, relation)
                if session.fetch(sql(check.broken))["broken"][0].as_py():
                    found.append(check.finding)
            return tuple(found)

        return self._within(wanted, deadline, cancel, work)[0]

    def check(self, tables: Sequence[Table]) -> tuple[Advice, ...]:
        return unreadable(self, tables)

    def close(self) -> None:
        self._closing.set()
        with self._lock:
            if self._instance is not None:
                self._instance.close()
                self._instance = None


class _Either:
    """Cancelled by the run's owner or because the connector closes."""

    def __init__(self, *signals: CancelSignal) -> None:
        self._signals = signals

    def is_set(self) -> bool:
        return any(signal.is_set() for signal in self._signals)


def _quoted(name: str) -> exp.Table:
    return exp.to_table(sql(exp.to_identifier(name, quoted=True)))


def _pretty(tree: exp.Expr) -> str:
    return tree.sql(dialect="duckdb", pretty=True)
