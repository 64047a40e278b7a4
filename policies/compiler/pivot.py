"""PIVOT as filtered aggregates: its columns come from the domain of the pivoted group, never from the data."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
from sqlglot import exp

from policies.compiler import leaf_engine
from policies.compiler.errors import did_you_mean, unsupported
from policies.compiler.queries import Environment, QueryCompiler
from policies.compiler.relations import PresentedRelation, UnitRelation
from policies.compiler.trees import bare
from policies.context import Context
from policies.plan import CellQuery

MAXIMUM_COLUMNS = 200


def expand_pivots(
    tree: exp.Query, sql: str, context: Context, tables: Mapping[str, Mapping[str, str]]
) -> exp.Query:
    """The query with every PIVOT written out. Raises RefusalError for one whose columns can't be known without data."""
    if _innermost(tree) is None:
        return tree
    result = tree.copy()
    while (found := _innermost(result)) is not None:
        expanded = _Expansion(result, sql, context, tables).expand(found)
        if found is result:
            return expanded
        alias = found.args.get("alias")
        replacement = exp.Subquery(this=expanded, alias=alias.copy() if alias else None)
        if isinstance(found, exp.Pivot) and isinstance(found.parent, exp.CTE | exp.Subquery):
            found.replace(expanded)
        else:
            found.replace(replacement)
    return result


def _innermost(tree: exp.Expr) -> exp.Expr | None:
    """A pivoted source, or a PIVOT statement, that has none inside."""
    holders = [
        node
        for node in tree.walk()
        if node.args.get("pivots") or (isinstance(node, exp.Pivot) and not _is_clause(node))
    ]
    return holders[-1] if holders else None


def _is_clause(node: exp.Pivot) -> bool:
    return bool(node.parent is not None and node in (node.parent.args.get("pivots") or ()))


class _Expansion:
    def __init__(
        self, tree: exp.Query, sql: str, context: Context, tables: Mapping[str, Mapping[str, str]]
    ) -> None:
        self._tree = tree
        self._sql = sql
        self._context = context
        self._tables = tables

    def expand(self, holder: exp.Expr) -> exp.Select:
        pivot: exp.Pivot = holder if isinstance(holder, exp.Pivot) else holder.args["pivots"][0]
        if pivot.args.get("unpivot") or len(holder.args.get("pivots") or ()) > 1:
            raise unsupported(
                "UNPIVOT and chains of PIVOT are not supported.",
                "Use UNION ALL of one SELECT for each column, or one PIVOT in each subquery.",
                pivot,
                self._sql,
            )
        if isinstance(holder, exp.Pivot):
            source = holder.this.copy()
            on = [self._on(item) for item in pivot.expressions]
            aggregates = list(pivot.args.get("using") or [exp.Count(this=exp.Star())])
        else:
            source = holder.copy()
            source.set("pivots", None)
            source.set("alias", None)
            on = [self._on(item) for item in pivot.args.get("fields") or ()]
            aggregates = list(pivot.expressions)
        if len(on) != 1:
            raise unsupported("PIVOT takes one column here.", "Pivot one column at a time.", pivot, self._sql)
        column, values = on[0]
        if isinstance(source, exp.Subquery):
            source.set("alias", exp.TableAlias(this=exp.to_identifier("pivoted")))
        if values is None:
            values = self._domain(source, column, pivot)
        groups = self._groups(source, pivot, column, aggregates)
        named = self._aggregate_names(source, aggregates)
        projections: list[exp.Expr] = [group.copy() for group in groups]
        for value in values:
            for aggregate, described in zip(aggregates, named, strict=True):
                inner = aggregate.this if isinstance(aggregate, exp.Alias) else aggregate
                condition = exp.EQ(this=column.copy(), expression=exp.convert(value))
                name = str(value)
                if isinstance(aggregate, exp.Alias) or len(aggregates) > 1:
                    name = f"{name}_{described}"
                filtered = exp.Filter(this=inner.copy(), expression=exp.Where(this=condition))
                projections.append(exp.alias_(filtered, name, quoted=True))
        select = exp.Select(expressions=projections).from_(source)
        if groups:
            select.set("group", exp.Group(expressions=[group.copy() for group in groups]))
        return select

    def _on(self, node: exp.Expr) -> tuple[exp.Column, list[object] | None]:
        if isinstance(node, exp.In) and isinstance(node.this, exp.Column) and node.expressions:
            literals = [bare(item) for item in node.expressions]
            if all(isinstance(item, exp.Literal) for item in literals):
                return node.this, [item.to_py() for item in literals]
        if isinstance(node, exp.Column):
            return node, None
        raise unsupported(
            "PIVOT is on one column, with literal values.", "Write ON column IN ('a', 'b').", node, self._sql
        )

    def _ctes(self) -> list[exp.CTE]:
        with_ = self._tree.args.get("with_")
        return [cte.copy() for cte in with_.expressions] if with_ is not None else []

    def _from(self, source: exp.Expr, *projections: exp.Expr) -> exp.Select:
        select = exp.Select(expressions=list(projections)).from_(source.copy())
        ctes = [cte for cte in self._ctes() if _innermost(cte) is None]
        if ctes:
            select.set("with_", exp.With(expressions=ctes))
        return select

    def _groups(
        self, source: exp.Expr, pivot: exp.Pivot, column: exp.Column, aggregates: list[exp.Expr]
    ) -> list[exp.Expr]:
        """What PIVOT groups by: what it says, else every column that it does not use."""
        group = pivot.args.get("group")
        if group is not None:
            return [item.copy() for item in group.expressions]
        used = {column.name.lower()}
        used |= {found.name.lower() for item in aggregates for found in item.find_all(exp.Column)}
        found = self._described(self._from(source, exp.Star()), pivot)
        return [exp.column(name, quoted=True) for name in found if name.lower() not in used]

    def _aggregate_names(self, source: exp.Expr, aggregates: list[exp.Expr]) -> list[str]:
        probe = self._from(source, *(aggregate.copy() for aggregate in aggregates))
        return self._described(probe, source)

    def _described(self, probe: exp.Select, place: exp.Expr) -> list[str]:
        """The names of the columns of a query over the source."""
        try:
            described = leaf_engine.describe(probe.sql(dialect="duckdb"), self._tables)
        except duckdb.Error:
            raise unsupported(
                "This PIVOT could not be read.", "Mend its source and its aggregates first.", place, self._sql
            ) from None
        return [name for name, _ in described]

    def _domain(self, source: exp.Expr, column: exp.Column, pivot: exp.Pivot) -> list[object]:
        compiler = QueryCompiler(self._sql, self._context, self._tables)
        relation = compiler.query(self._from(source, column.copy()), Environment())
        values: list[object] | None = None
        if isinstance(relation, UnitRelation):
            distinct = self._from(source, column.copy())
            distinct.set("distinct", exp.Distinct())
            compiler = QueryCompiler(self._sql, self._context, self._tables)
            compiler.query(distinct, Environment())
            values = _key_values(compiler.queries[-1], "k0")
        elif isinstance(relation, PresentedRelation):
            values = _traced(relation.query, column.name.lower(), {q.relation: q for q in compiler.queries})
        if values is None:
            raise unsupported(
                f"The columns of this PIVOT can't be known before “{column.name}” is.",
                did_you_mean(column.name, []) + " Or write the values: ON column IN ('a', 'b').",
                pivot,
                self._sql,
            )
        if len(values) > MAXIMUM_COLUMNS:
            raise unsupported(
                f"This PIVOT would make {len(values)} columns.",
                "Pivot a coarser level, or name the values with IN.",
                pivot,
                self._sql,
            )
        return values


def _key_values(query: CellQuery, key: str) -> list[object] | None:
    """The domain of a key in the order that PIVOT gives its columns; without NULL, as PIVOT leaves it out."""
    found: set[object] = set()
    for block in query.blocks:
        for axis in block.axes:
            if key in axis.keys:
                found |= set(axis.values[axis.keys.index(key)])
    found.discard(None)
    return sorted(found, key=lambda value: (str(type(value)), value)) if found else None


def _traced(query: exp.Expr, name: str, cells: Mapping[str, CellQuery]) -> list[object] | None:
    """Follow an output column down to the key of a cell relation."""
    while isinstance(query, exp.Subquery):
        query = query.this
    if not isinstance(query, exp.Select):
        return None
    projection = next((item for item in query.expressions if item.alias_or_name.lower() == name), None)
    inner = projection.this if isinstance(projection, exp.Alias) else projection
    if not isinstance(inner, exp.Column):
        return None
    source = query.args["from_"].this if query.args.get("from_") else None
    if isinstance(source, exp.Table):
        if source.name in cells:
            return _key_values(cells[source.name], inner.name)
        with_ = query.args.get("with_")
        ctes = {cte.alias.lower(): cte.this for cte in with_.expressions} if with_ is not None else {}
        below = ctes.get(source.name.lower())
        return _traced(below, inner.name.lower(), cells) if below is not None else None
    return _traced(source, inner.name.lower(), cells) if source is not None else None
