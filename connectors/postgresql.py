"""PostgreSQL as an engine: each run is one statement after the other in one read-only, repeatable-read transaction.

A fragment is one statement for its cells and one for each histogram: the tables it reads, its maps and its steps are
common tables of the statement, since a read-only transaction can make no others. What comes back is cells, wide
numbers among them as text.

Tables are named ``table`` or ``schema.table``; only the schemas of the allow-list are read.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import pyarrow as pa
from sqlglot import exp

from catalogue.catalogue import BoundDataset
from catalogue.fragment import Fragment, RawCells, SourceError, SourceFault, Table, tables_of
from connectors.advice import Advice, advice_of
from connectors.cells import from_text, read_cells, read_histogram
from connectors.dialects.largest import CTE
from connectors.dialects.postgresql import Rewriter, mapping_relation, sql
from connectors.dialects.postgresql_columns import Relation, column_type, relation_of
from connectors.expressions import columns_of, expressions_of
from connectors.postgresql_check import ROLE, TABLE, role_advice, table_advice
from connectors.postgresql_session import Limits, Pool, Session
from connectors.postgresql_snapshot import BEHIND, FiniteColumns, State, combined, state_of
from connectors.protocol import CancelSignal, Capability, ColumnType, Finding, TypeKind
from connectors.render import Program, render
from connectors.verify import (
    checks_of,
    expressions_to_verify,
    missing_columns,
    source_table,
)

DESCRIBE_SECONDS = 60.0
T = TypeVar("T")
States = Mapping[Table, State]

COLUMNS = """
SELECT a.attname::text AS name,
  CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod)
    ELSE format_type(a.atttypid, a.atttypmod) END AS type
FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
WHERE a.attrelid = {root} AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""


def quoted(*parts: str) -> str:
    """A name of parts as SQL writes it."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


def string(text: str) -> str:
    return sql(exp.Literal.string(text))


@dataclass(frozen=True)
class _Statement:
    """A SELECT and the common tables before it."""

    common: tuple[tuple[str, str, bool], ...]
    select: str

    def __str__(self) -> str:
        tables = [
            f"{name} AS {'' if kept else 'NOT '}MATERIALIZED (\n{query}\n)"
            for name, query, kept in self.common
        ]
        return ("WITH " + ",\n".join(tables) + "\n" if tables else "") + self.select


class PostgreSQLConnector:
    """Implements connectors.protocol.Connector; see the module for how."""

    capabilities = frozenset(Capability)

    def __init__(self, conninfo: str, schemas: Sequence[str], limits: Limits) -> None:
        self._schemas = tuple(schemas)
        self.pool = Pool(conninfo, limits)
        self._finite = FiniteColumns()

    # ---- what is there ----------------------------------------------------------------------------------

    def parts(self, table: Table) -> tuple[str, str]:
        """Schema and name of a table. Raises SourceError MISSING for a schema that is not on the allow-list."""
        schema, _, name = table.location.rpartition(".")
        schema = schema or self._schemas[0]
        if schema not in self._schemas:
            detail = f"dataset {table.dataset}: the schema of its table is not among `schemas`"
            raise SourceError(SourceFault.MISSING, detail)
        return schema, name

    def _root(self, table: Table) -> str:
        """The table's number at the server, as SQL; null where there is none."""
        schema, name = self.parts(table)
        return (
            "(SELECT c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
            f" WHERE n.nspname = {string(schema)} AND c.relname = {string(name)})"
        )

    def _states(self, session: Session, tables: Iterable[Table]) -> tuple[str, dict[Table, State]]:
        """The snapshot of the tables together, and the state of each."""
        server = session.fetch(
            "SELECT (SELECT oid FROM pg_database WHERE datname = current_database())::text AS name"
        )
        found = {
            table: state_of(table, session.fetch(BEHIND.format(root=self._root(table)))) for table in tables
        }
        return combined(server["name"][0].as_py(), found), found

    def _held(self, session: Session, table: Table) -> dict[str, ColumnType]:
        rows = session.fetch(COLUMNS.format(root=self._root(table))).to_pylist()
        if not rows:
            raise SourceError(SourceFault.MISSING, f"dataset {table.dataset}: there is no such table")
        return {row["name"]: column_type(row["type"]) for row in rows}

    def _within(
        self,
        tables: tuple[Table, ...],
        deadline: float,
        cancel: CancelSignal,
        work: Callable[[Session, States], T],
    ) -> tuple[T, str]:
        """Some work in one transaction, and the snapshot that it is of: SourceError CHANGED if that is not one."""

        def watched(session: Session) -> tuple[T, str, SourceError | None]:
            before, states = self._states(session, tables)
            result = work(session, states)
            changed = None
            if self._states(session, tables)[0] != before:
                detail = f"dataset {tables[0].dataset}: changed while it was read"
                changed = SourceError(SourceFault.CHANGED, detail)
            return result, before, changed

        result, before, changed = self.pool.run(watched, f"dataset {tables[0].dataset}", deadline, cancel)
        if changed is not None:
            raise changed
        return result, before

    def snapshot(self, *tables: Table) -> str:
        def work(session: Session) -> str:
            return self._states(session, tables)[0]

        what = f"dataset {tables[0].dataset}"
        return self.pool.run(work, what, time.monotonic() + DESCRIBE_SECONDS, threading.Event())

    def describe(self, table: Table) -> Mapping[str, ColumnType]:
        def work(session: Session) -> dict[str, ColumnType]:
            return self._held(session, table)

        what = f"dataset {table.dataset}"
        return self.pool.run(work, what, time.monotonic() + DESCRIBE_SECONDS, threading.Event())

    # ---- fragments --------------------------------------------------------------------------------------

    def _relations(
        self, session: Session, states: States, wanted: Mapping[Table, Mapping[str, None]]
    ) -> dict[Table, Relation]:
        found = {}
        for table, expressions in wanted.items():
            place, held = quoted(*self.parts(table)), self._held(session, table)
            read = {name.lower() for text in expressions for name in columns_of(text)}
            decimals = [c for c, t in held.items() if t.kind is TypeKind.DECIMAL and c.lower() in read]
            finite = self._finite.of(session, table, place, states[table], decimals)
            source, what = exp.to_table(place, dialect="postgres"), f"dataset {table.dataset}"
            found[table] = relation_of(source, held, expressions, what, finite)
        return found

    def _program(self, session: Session, states: States, fragment: Fragment) -> tuple[Program, _Writer]:
        relations = self._relations(session, states, expressions_of(fragment))
        writer = _Writer(relations)
        types = {(t, text): type_ for t, r in relations.items() for text, type_ in r.types.items()}
        program = render(fragment, writer.names, types)
        writer.add_maps(program.maps)
        writer.add_steps(program.steps)
        return program, writer

    def _statements(
        self, session: Session, states: States, fragment: Fragment
    ) -> tuple[Program, _Statement, dict[str, _Statement]]:
        program, writer = self._program(session, states, fragment)
        wide = {column.name for column in program.columns if column.scale is not None}
        names = ["block", *(f"p{i}" for i in range(program.width)), *(c.name for c in program.columns)]
        cells = writer.statement(program.cells, names, wide)
        keys = ["block", *(f"p{i}" for i in range(program.width)), "bin", "n"]
        keys += ["w"] if fragment.weight is not None else []
        return (
            program,
            cells,
            {name: writer.statement(tree, keys, {"w"}) for name, tree in program.histograms.items()},
        )

    def _answer(
        self, session: Session, states: States, fragment: Fragment
    ) -> tuple[pa.Table, dict[str, pa.Table]]:
        program, cells, bins = self._statements(session, states, fragment)
        found = session.fetch(str(cells))
        for column in program.columns:
            if column.scale is not None:
                scale = column.scale if column.as_stored else 0
                found = _replaced(found, column.name, from_text(found[column.name], scale))
        histograms = {}
        for name, statement in bins.items():
            by_bin = session.fetch(str(statement))
            if fragment.weight is not None:
                by_bin = _replaced(by_bin, "w", from_text(by_bin["w"], 0))
            histograms[name] = read_histogram(by_bin, fragment.weight is not None)
        return read_cells(found, program), histograms

    def run(
        self, fragments: Sequence[Fragment], *, deadline: float, cancel: CancelSignal
    ) -> tuple[RawCells, ...]:
        def work(session: Session, states: States) -> list[tuple[pa.Table, dict[str, pa.Table]]]:
            return [self._answer(session, states, fragment) for fragment in fragments]

        tables = tuple(dict.fromkeys(table for fragment in fragments for table in tables_of(fragment)))
        answers, snapshot = self._within(tables, deadline, cancel, work)
        return tuple(RawCells(cells, histograms, snapshot) for cells, histograms in answers)

    def explain(self, fragment: Fragment) -> tuple[str, ...]:
        def work(session: Session, states: States) -> tuple[str, ...]:
            _, cells, bins = self._statements(session, states, fragment)
            return (str(cells), *(str(statement) for statement in bins.values()))

        deadline = time.monotonic() + DESCRIBE_SECONDS
        return self._within(tables_of(fragment), deadline, threading.Event(), work)[0]

    def verify(
        self,
        dataset: BoundDataset,
        related: Mapping[str, BoundDataset],
        *,
        deadline: float,
        cancel: CancelSignal,
    ) -> tuple[Finding, ...]:
        table, wanted = source_table(dataset), expressions_to_verify(dataset, related)

        def work(session: Session, states: States) -> tuple[Finding, ...]:
            found = list(missing_columns(dataset, self._held(session, table)))
            if found:
                return tuple(found)
            held = self._relations(session, states, wanted)
            types = {(t, text): type_ for t, r in held.items() for text, type_ in r.types.items()}
            names = _Writer(held).names
            checks, found = checks_of(dataset, related, names, types)
            for check in checks:
                writer = _Writer(held)
                writer.add_maps(check.maps)
                if session.fetch(str(writer.statement(check.broken, ["broken"], set())))["broken"][0].as_py():
                    found.append(check.finding)
            return tuple(found)

        return self._within(tuple(wanted), deadline, cancel, work)[0]

    def check(self, tables: Sequence[Table]) -> tuple[Advice, ...]:
        missing: list[Advice] = []

        def work(session: Session) -> list[Advice]:
            found = list(role_advice(session))
            (row,) = session.fetch(ROLE).to_pylist()
            for table in tables:
                try:
                    self._held(session, table)
                    rows = session.fetch(TABLE.format(root=self._root(table))).to_pylist()
                except SourceError as error:
                    missing.append(advice_of(error))
                    continue
                found += table_advice(rows, row["role"], row["superuser"])
            return found

        try:
            found = self.pool.run(work, "the source", time.monotonic() + DESCRIBE_SECONDS, threading.Event())
        except SourceError as error:
            return (advice_of(error),)
        return tuple(dict.fromkeys([*missing, *found]))

    def close(self) -> None:
        self.pool.close()


class _Writer:
    """Writes the statements of one program: its relations, maps and steps as common tables."""

    def __init__(self, relations: Mapping[Table, Relation]) -> None:
        self.names: dict[Table, str] = {table: f"source{i}" for i, table in enumerate(relations)}
        self._common: list[tuple[str, str, bool]] = [
            (self.names[table], sql(relation.query, pretty=True), False)
            for table, relation in relations.items()
        ]
        self._rewriter = Rewriter(
            {self.names[table]: relation.columns for table, relation in relations.items()},
            {
                (self.names[table], text): computed
                for table, relation in relations.items()
                for text, computed in relation.computed.items()
            },
        )

    def add_maps(self, maps: Mapping[str, pa.Table]) -> None:
        for name, mapping in maps.items():
            self._common.append((name, sql(mapping_relation(mapping)), False))

    def add_steps(self, steps: Iterable[CTE]) -> None:
        for name, step in steps:
            tree, before = self._rewriter.rewrite(step)
            self._common += [(hoisted, sql(query, pretty=True), True) for hoisted, query in before]
            self._common.append((name, sql(tree, pretty=True), True))

    def statement(self, tree: exp.Expr, names: Sequence[str], wide: set[str]) -> _Statement:
        """The statement of one result; ``wide`` columns come as text."""
        tree, before = self._rewriter.rewrite(tree)
        common = [*self._common, *((name, sql(query, pretty=True), True) for name, query in before)]
        columns = ", ".join(f"{quoted(n)}::text AS {quoted(n)}" if n in wide else quoted(n) for n in names)
        return _Statement(tuple(common), f"SELECT {columns} FROM (\n{sql(tree, pretty=True)}\n) AS result")


def _replaced(table: pa.Table, name: str, column: pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, column)
