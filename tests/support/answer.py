"""A query taken all the way in one process: compiled, run on the real connector, protected and presented."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import duckdb
import pyarrow as pa

from catalogue.catalogue import Catalogue
from catalogue.fragment import RawCells, tables_of
from catalogue.models import Profile
from catalogue.strictest import profile_for
from connectors.duckdb import DuckDBConnector
from connectors.sources import FileSource
from policies.cells import ProtectedCells
from policies.compiler import compile_query
from policies.context import Context
from policies.plan import CellQuery, ClearedPlan
from policies.presentation.model import Presentation
from policies.protect import NoiseKey, protect, ptable_of, withhold

SECRET = bytes(range(32))


class Market(Protocol):
    """A catalogue with its files in one folder, and who asks where a test does not say."""

    @property
    def folder(self) -> Path: ...

    @property
    def catalogue(self) -> Catalogue: ...

    def context(self, **changes: Any) -> Context: ...


class Answerer:
    """Answers questions about one labour market. ``secret`` is the noise secret."""

    def __init__(self, market: Market, secret: bytes = SECRET) -> None:
        self.market = market
        self.secret = secret
        self.connector = DuckDBConnector(FileSource(market.folder), threads=1)

    def plan(self, sql: str, **changes: object) -> ClearedPlan:
        """Compile, and run the stages that the plan has."""
        plan = compile_query(sql, self.market.context(**changes))
        if plan.stages:
            plan = compile_query(sql, self.market.context(stage_values=self.stage_values(plan), **changes))
        return plan

    def answer(self, sql: str, **changes: object) -> pa.Table:
        """The result with its statuses; rows in the order that the presentation gives."""
        plan = self.plan(sql, **changes)
        return self.present(plan.presentation, [self.cells(query) for query in plan.queries], plan.lookups)

    def cells(self, query: CellQuery) -> ProtectedCells:
        profile = self.profile(query)
        if query.withheld:
            return withhold(query, profile, "")
        raw, guards = self.raw(query)
        return self.protected(query, raw, guards, profile)

    def profile(self, query: CellQuery) -> Profile:
        """The strictest of the profiles of all datasets that the query reads."""
        profile = profile_for(self.market.catalogue, [table.dataset for table in tables_of(query.fragment)])
        assert profile is not None
        return profile

    def raw(self, query: CellQuery) -> tuple[RawCells, list[RawCells]]:
        """The true statistics of a cell query, and those of its guards."""
        deadline, cancel = time.monotonic() + 60, threading.Event()
        fragments = (query.fragment, *(guard.fragment for guard in query.guards))
        raw, *guards = self.connector.run(fragments, deadline=deadline, cancel=cancel)
        return raw, guards

    def protected(
        self, query: CellQuery, raw: RawCells, guards: Sequence[RawCells], profile: Profile
    ) -> ProtectedCells:
        return protect(query, raw, guards, profile, NoiseKey(self.secret, 1), ptable_of(profile))

    def stage_values(self, plan: ClearedPlan) -> tuple[Decimal | None, ...]:
        return tuple(self._scalar(stage.query, stage.presentation) for stage in plan.stages)

    def _scalar(self, query: CellQuery, presentation: Presentation) -> Decimal | None:
        table = self.present(presentation, [self.cells(query)], ())
        value = table.column(0)[0].as_py()
        return None if value is None else Decimal(str(value))

    def present(
        self, presentation: Presentation, cells: Sequence[ProtectedCells], lookups: tuple[str, ...]
    ) -> pa.Table:
        """What stands above the line, run over these cells."""
        connection = duckdb.connect(":memory:", config={"threads": "1"})
        try:
            for each in cells:
                connection.register(each.relation, each.table)
            for name in lookups:
                connection.register(name, self.market.catalogue.codelists[name].table)
            return connection.sql(presentation.sql).to_arrow_table()
        finally:
            connection.close()

    def original(self, sql: str) -> pa.Table:
        """What the typed query gives when DuckDB runs it on the unit rows: the oracle under the null profile."""
        with self.unprotected() as connection:
            return connection.sql(sql).to_arrow_table()

    def unprotected(self) -> duckdb.DuckDBPyConnection:
        """A connection that has the unit rows and the code lists under their names."""
        connection = duckdb.connect(":memory:", config={"threads": "1"})
        for name, codelist in self.market.catalogue.codelists.items():
            connection.register(name, codelist.table)
        for name, dataset in self.market.catalogue.datasets.items():
            location = self.market.folder / dataset.document.source.location
            connection.execute(f"CREATE VIEW base_{name} AS SELECT * FROM read_parquet('{location}')")
            connection.execute(f"CREATE VIEW {name} AS {self._with_virtual_columns(name)}")
        return connection

    def _with_virtual_columns(self, name: str) -> str:
        """The stored columns, and those that follow from the code lists."""
        dataset = self.market.catalogue.datasets[name]
        columns = ["b.*"]
        joins = ""
        for variable, document in dataset.document.variables.items():
            if document.stored and document.expression is not None:
                columns.append(f'({document.expression}) AS "{variable}"')
            if not document.stored:
                dimension = dataset.dimension_of(variable)
                assert dimension is not None
                assert dimension.codelist is not None
                alias = f"l_{variable}"
                leaf = dimension.codelist.leaf_level.name
                columns.append(f'{alias}."{dataset.level_of(variable)}" AS "{variable}"')
                joins += f' LEFT JOIN "{dimension.codelist.name}" {alias} ON {alias}."{leaf}" = b."{dimension.name}"'
        return f"SELECT {', '.join(columns)} FROM base_{name} b{joins}"
