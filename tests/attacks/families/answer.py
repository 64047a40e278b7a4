"""A query taken all the way in one process: compiled, run on the real connector, protected and presented."""

from __future__ import annotations

import threading
import time
from decimal import Decimal

import duckdb
import pyarrow as pa

from catalogue.models import Profile
from connectors.duckdb import DuckDBConnector
from connectors.sources import FileSource
from policies.cells import ProtectedCells
from policies.compiler import compile_query
from policies.plan import CellQuery, ClearedPlan
from policies.presentation.model import Presentation
from policies.protect import NoiseKey, protect, ptable_of
from tests.support.labour import LabourMarket

SECRET = bytes(range(32))


class Answerer:
    """Answers questions about one small labour market. ``secret`` is the noise secret."""

    def __init__(self, market: LabourMarket, secret: bytes = SECRET) -> None:
        self.market = market
        self.secret = secret
        self.connector = DuckDBConnector(FileSource(market.folder), threads=1)

    def plan(self, sql: str, **changes: object) -> ClearedPlan:
        """Compile, and run the stages that the plan has."""
        plan = compile_query(sql, self.market.context(**changes))
        if plan.stages:
            values = tuple(self._scalar(stage.query, stage.presentation) for stage in plan.stages)
            plan = compile_query(sql, self.market.context(stage_values=values, **changes))
        return plan

    def answer(self, sql: str, **changes: object) -> pa.Table:
        """The result with its statuses; rows in the order that the presentation gives."""
        plan = self.plan(sql, **changes)
        return self._present(plan.presentation, [self.cells(query) for query in plan.queries], plan.lookups)

    def cells(self, query: CellQuery) -> ProtectedCells:
        profile: Profile = self.market.catalogue.profiles[query.profile]
        deadline, cancel = time.monotonic() + 60, threading.Event()
        fragments = (query.fragment, *(guard.fragment for guard in query.guards))
        raw, *guards = self.connector.run(fragments, deadline=deadline, cancel=cancel)
        return protect(query, raw, guards, profile, NoiseKey(self.secret, 1), ptable_of(profile))

    def _scalar(self, query: CellQuery, presentation: Presentation) -> Decimal | None:
        table = self._present(presentation, [self.cells(query)], ())
        value = table.column(0)[0].as_py()
        return None if value is None else Decimal(str(value))

    def _present(
        self, presentation: Presentation, cells: list[ProtectedCells], lookups: tuple[str, ...]
    ) -> pa.Table:
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
        connection = duckdb.connect(":memory:", config={"threads": "1"})
        try:
            for name, codelist in self.market.catalogue.codelists.items():
                connection.register(name, codelist.table)
            for name, dataset in self.market.catalogue.datasets.items():
                location = self.market.folder / dataset.document.source.location
                connection.execute(f"CREATE VIEW base_{name} AS SELECT * FROM read_parquet('{location}')")
                connection.execute(f"CREATE VIEW {name} AS {self._with_virtual_columns(name)}")
            return connection.sql(sql).to_arrow_table()
        finally:
            connection.close()

    def _with_virtual_columns(self, name: str) -> str:
        """The stored columns, and those that follow from the code lists."""
        dataset = self.market.catalogue.datasets[name]
        columns = ["b.*"]
        joins = ""
        for variable, document in dataset.document.variables.items():
            if not document.stored:
                dimension = dataset.dimension_of(variable)
                assert dimension is not None
                assert dimension.codelist is not None
                alias = f"l_{variable}"
                leaf = dimension.codelist.leaf_level.name
                columns.append(f'{alias}."{dataset.level_of(variable)}" AS "{variable}"')
                joins += f' LEFT JOIN "{dimension.codelist.name}" {alias} ON {alias}."{leaf}" = b."{dimension.name}"'
        return f"SELECT {', '.join(columns)} FROM base_{name} b{joins}"
