"""Spark as an engine, through Spark Connect: over Parquet files and over the tables of its catalog.

Each run has a session of its own. A fragment is one statement (its steps are common table expressions), so that
Spark reads the rows once, nothing is kept in the cluster, and what a lost worker had done is done again. Only cells
come back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import pyarrow as pa
from pyspark.errors import AnalysisException
from pyspark.sql import types as spark_types
from sqlglot import exp

from catalogue.catalogue import BoundDataset
from catalogue.fragment import Fragment, RawCells, SourceError, SourceFault, Table, tables_of
from connectors.advice import Advice, unreadable
from connectors.cells import read_cells, read_histogram
from connectors.dialects.spark import Search, key_of, outputs, spark_sql, to_spark
from connectors.expressions import columns_of, expressions_of, named, parse_expression, place
from connectors.protocol import CancelSignal, Capability, ColumnType, Finding, TypeKind
from connectors.render import Program, render
from connectors.spark_session import FAILURES, Session, fault_of
from connectors.spark_tables import Tables, snapshot_of
from connectors.verify import checks_of, expressions_to_verify, missing_columns, source_table

DESCRIBE_SECONDS = 120.0
T = TypeVar("T")
KINDS: Mapping[type[spark_types.DataType], ColumnType] = {
    spark_types.ByteType: ColumnType(TypeKind.INTEGER, 3),
    spark_types.ShortType: ColumnType(TypeKind.INTEGER, 5),
    spark_types.IntegerType: ColumnType(TypeKind.INTEGER, 10),
    spark_types.LongType: ColumnType(TypeKind.INTEGER, 19),
    spark_types.FloatType: ColumnType(TypeKind.FLOAT),
    spark_types.DoubleType: ColumnType(TypeKind.FLOAT),
    spark_types.BooleanType: ColumnType(TypeKind.BOOLEAN),
    spark_types.DateType: ColumnType(TypeKind.DATE),
    spark_types.VarcharType: ColumnType(TypeKind.TEXT),
}


def column_type(type_: spark_types.DataType) -> ColumnType:
    """Spark's type as one of ours. A text whose collation takes different texts for equal is no TEXT.

    >>> column_type(spark_types.DecimalType(10, 2))
    ColumnType(kind=<TypeKind.DECIMAL: 'decimal'>, precision=10, scale=2)
    """
    if isinstance(type_, spark_types.DecimalType):
        return ColumnType(TypeKind.DECIMAL, type_.precision, type_.scale)
    if isinstance(type_, spark_types.StringType):
        plain = type_ == spark_types.StringType()
        return ColumnType(TypeKind.TEXT if plain else TypeKind.OTHER)
    return KINDS.get(type(type_), ColumnType(TypeKind.OTHER))


class _Names:
    """The tables of one session: their views, and the types of their columns and of expressions over them."""

    def __init__(self) -> None:
        self.names: dict[Table, str] = {}
        self.columns: dict[Table, dict[str, ColumnType]] = {}
        self.types: dict[tuple[Table, str], ColumnType] = {}
        self.relations: dict[str, dict[str, ColumnType]] = {}


class SparkConnector:
    """Implements connectors.protocol.Connector.

    ``url`` is ``sc://host:port/;name=value…`` with token and TLS; ``settings`` are Spark's own, for each session.
    """

    capabilities = frozenset(Capability)

    def __init__(self, url: str, tables: Tables, settings: Mapping[str, str] | None = None) -> None:
        self._url = url
        self._tables = tables
        self._settings = dict(settings or {})
        self._closing = threading.Event()

    # ---- sessions ---------------------------------------------------------------------------------------

    def _with_session(
        self, tables: Sequence[Table], deadline: float, cancel: CancelSignal, work: Callable[[Session], T]
    ) -> T:
        """Do some work in a session of its own. Failures of the engine come out as SourceError without its text,
        not even chained, since it may quote values."""
        session = None
        result: T | SourceError
        try:
            session = Session(self._url, self._settings, deadline, _Either(cancel, self._closing))
            session.check()
            session.pin()
            result = work(session)
        except SourceError as error:
            result = error
        except FAILURES as error:
            stopped = session.stopped() if session is not None else None
            fault = stopped or fault_of(error)
            result = SourceError(fault, f"dataset {tables[0].dataset}: the source did not answer")
        finally:
            if session is not None:
                session.close()
        if isinstance(result, SourceError):
            raise SourceError(result.fault, result.detail)
        return result

    def _within(
        self,
        tables: tuple[Table, ...],
        deadline: float,
        cancel: CancelSignal,
        work: Callable[[Session, _Names], T],
    ) -> tuple[T, str]:
        """Do some work with every table under a name; its result and the snapshot it is of."""

        def watched(session: Session) -> tuple[T, str]:
            before = snapshot_of(session, self._tables, tables)
            failed: Exception | None = None
            result: T | None = None
            try:
                result = work(session, self._bind(session, tables))
            except FAILURES as error:
                if session.stopped() is not None or fault_of(error) is SourceFault.UNREACHABLE:
                    raise
                failed = error
            if snapshot_of(session, self._tables, tables) != before:
                raise SourceError(
                    SourceFault.CHANGED, f"dataset {tables[0].dataset}: changed while it was read"
                )
            if failed is not None:
                raise failed
            return result, before  # type: ignore[return-value]

        return self._with_session(tables, deadline, cancel, watched)

    def _bind(self, session: Session, tables: tuple[Table, ...]) -> _Names:
        """Give each table a view of the session, which lists its files once for all that reads it."""
        bound = _Names()
        for table in tables:
            name = table.dataset
            while name in bound.names.values():
                name += "_"
            self._tables.read(session, table).createTempView(name)
            fields = session.spark.table(name).schema.fields
            bound.columns[table] = {field.name: column_type(field.dataType) for field in fields}
            bound.names[table] = name
            bound.relations[name] = {
                key_of(exp.column(exp.to_identifier(column, quoted=True))): type_
                for column, type_ in bound.columns[table].items()
            }
        return bound

    # ---- types and statements ---------------------------------------------------------------------------

    def _learn(self, session: Session, bound: _Names, wanted: Mapping[Table, Mapping[str, None]]) -> None:
        """The type of every expression; of all but bare columns it is asked of the engine."""
        for table, expressions in wanted.items():
            held = {name.lower(): type_ for name, type_ in bound.columns[table].items()}
            lacking = [c for text in expressions for c in columns_of(text) if c.lower() not in held]
            if lacking:
                raise SourceError(SourceFault.SCHEMA, f"dataset {table.dataset} has no column {lacking[0]}")
            unknown = []
            for text in expressions:
                tree = parse_expression(text)
                if isinstance(tree, exp.Column):
                    bound.types[table, text] = held[tree.name.lower()]
                elif (table, text) not in bound.types:
                    unknown.append(text)
            if unknown:
                self._ask(session, bound, table, unknown)

    def _ask(self, session: Session, bound: _Names, table: Table, texts: list[str]) -> None:
        name = bound.names[table]
        columns = [named(place(text, "t"), f"e{i}") for i, text in enumerate(texts)]
        select = exp.select(*columns, copy=False).from_(exp.to_table(name, alias="t"))
        session.check()
        found: list[ColumnType] = []
        try:
            schema = session.spark.sql(spark_sql(to_spark(select, bound.relations))).schema
            found = [column_type(field.dataType) for field in schema.fields]
        except AnalysisException:
            pass  # raised below, so that the engine's own text is not chained
        if not found:
            detail = f"dataset {table.dataset} does not fit a catalogue expression"
            raise SourceError(SourceFault.SCHEMA, detail)
        for text, type_ in zip(texts, found, strict=True):
            bound.types[table, text] = type_
            bound.relations[name][key_of(place(text, "t"))] = type_

    def _program(self, session: Session, bound: _Names, fragment: Fragment) -> Program:
        self._learn(session, bound, expressions_of(fragment))
        return render(fragment, bound.names, bound.types)

    def _answer(
        self, session: Session, bound: _Names, fragment: Fragment
    ) -> tuple[pa.Table, dict[str, pa.Table]]:
        program = self._program(session, bound, fragment)
        for name, mapping in program.maps.items():
            session.give(name, mapping)
        statements = _statements(program, bound)
        cells = read_cells(session.fetch(statements.pop("")), program)
        histograms = {
            name: read_histogram(session.fetch(text), fragment.weight is not None)
            for name, text in statements.items()
        }
        return cells, histograms

    # ---- the protocol -----------------------------------------------------------------------------------

    def snapshot(self, *tables: Table) -> str:
        def work(session: Session) -> str:
            return snapshot_of(session, self._tables, tables)

        return self._with_session(tables, time.monotonic() + DESCRIBE_SECONDS, threading.Event(), work)

    def describe(self, table: Table) -> Mapping[str, ColumnType]:
        def work(session: Session) -> dict[str, ColumnType]:
            return self._bind(session, (table,)).columns[table]

        return self._with_session((table,), time.monotonic() + DESCRIBE_SECONDS, threading.Event(), work)

    def run(
        self, fragments: Sequence[Fragment], *, deadline: float, cancel: CancelSignal
    ) -> tuple[RawCells, ...]:
        def work(session: Session, bound: _Names) -> list[tuple[pa.Table, dict[str, pa.Table]]]:
            return [self._answer(session, bound, fragment) for fragment in fragments]

        tables = tuple(dict.fromkeys(table for fragment in fragments for table in tables_of(fragment)))
        answers, snapshot = self._within(tables, deadline, cancel, work)
        return tuple(RawCells(cells, histograms, snapshot) for cells, histograms in answers)

    def explain(self, fragment: Fragment) -> tuple[str, ...]:
        def work(session: Session) -> tuple[str, ...]:
            bound = self._bind(session, tables_of(fragment))
            return tuple(_statements(self._program(session, bound, fragment), bound, pretty=True).values())

        deadline = time.monotonic() + DESCRIBE_SECONDS
        return self._with_session(tables_of(fragment), deadline, threading.Event(), work)

    def verify(
        self,
        dataset: BoundDataset,
        related: Mapping[str, BoundDataset],
        *,
        deadline: float,
        cancel: CancelSignal,
    ) -> tuple[Finding, ...]:
        table, wanted = source_table(dataset), expressions_to_verify(dataset, related)

        def work(session: Session, bound: _Names) -> tuple[Finding, ...]:
            found = list(missing_columns(dataset, bound.columns[table]))
            if found:
                return tuple(found)
            self._learn(session, bound, wanted)
            checks, found = checks_of(dataset, related, bound.names, bound.types)
            for check in checks:
                for name, relation in check.maps.items():
                    session.give(name, relation)
                broken = session.fetch(spark_sql(to_spark(check.broken, bound.relations)))
                if broken["broken"][0].as_py():
                    found.append(check.finding)
            return tuple(found)

        return self._within(tuple(wanted), deadline, cancel, work)[0]

    def check(self, tables: Sequence[Table]) -> tuple[Advice, ...]:
        return unreadable(self, tables)

    def close(self) -> None:
        self._closing.set()


class _Either:
    """Cancelled by the run's owner or because the connector closes."""

    def __init__(self, *signals: CancelSignal) -> None:
        self._signals = signals

    def is_set(self) -> bool:
        return any(signal.is_set() for signal in self._signals)


def _statements(program: Program, bound: _Names, *, pretty: bool = False) -> dict[str, str]:
    """The statements of a program by histogram, and under the empty name that of its cells. Each holds the steps
    that it reads as common table expressions."""
    relations: dict[str, Mapping[str, ColumnType]] = dict(bound.relations)
    steps: dict[str, exp.Expr] = {}
    search = Search()

    def rewritten(tree: exp.Expr) -> exp.Expr:
        tree, before = search.in_rows(tree)
        for name, step in before:
            add(name, to_spark(step, relations))
        return to_spark(tree, relations)

    def add(name: str, step: exp.Expr) -> None:
        steps[name], relations[name] = step, outputs(step, relations)

    for name, step in program.steps:
        add(name, rewritten(step))
    found = {}
    for name, tree in {"": program.cells, **program.histograms}.items():
        query = rewritten(tree)
        assert isinstance(query, exp.Query)
        read = _read(query)
        for step_name in reversed(steps):
            if step_name in read:
                read |= _read(steps[step_name])
        for step_name, step in steps.items():
            if step_name in read:
                query = query.with_(step_name, as_=_kept(step), copy=False)
        found[name] = query.sql(dialect="spark", pretty=pretty)
    return found


def _read(tree: exp.Expr) -> set[str]:
    return {table.name for table in tree.find_all(exp.Table)}


def _kept(step: exp.Expr) -> exp.Select:
    """A step that Spark works out once, however often it is read: it repeats only what is deterministic, which a
    condition on a random number is not, though it always holds."""
    always = exp.GTE(this=exp.func("RAND"), expression=exp.Literal.number(0))
    assert isinstance(step, exp.Query)
    return exp.select("*").from_(step.subquery("step")).where(always)
