"""The walk over a whole query: what aggregates unit rows becomes a cell query, the rest stays presentation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

import duckdb
from sqlglot import exp

from catalogue.catalogue import BoundDataset
from catalogue.codelists import CodeList
from policies.compiler import leaf_engine
from policies.compiler.aggregates import is_aggregate
from policies.compiler.cell_select import CellSelect
from policies.compiler.errors import Faults, refuse, unknown_table, unsupported
from policies.compiler.expressions import Binder
from policies.compiler.parse import MAXIMUM_EXPANSION
from policies.compiler.per_unit import groups_by_unit, per_unit_columns, per_unit_having
from policies.compiler.refs import DimensionRef
from policies.compiler.relations import (
    PresentedRelation,
    Relation,
    UnitRelation,
    unit_relation,
    whole_lookup,
)
from policies.compiler.scope import Scope
from policies.compiler.sources import Joiner, renamed
from policies.compiler.subqueries import Memberships
from policies.compiler.trees import bare, conjuncts, map_children
from policies.context import Context
from policies.plan import CellQuery
from policies.refusals import Code, RefusalError

ROW_RULE = "Only protected aggregates leave a source; rows about single units never do."


@dataclass(frozen=True)
class Environment:
    """The CTEs in scope, with their original definitions for naming columns as DuckDB does."""

    relations: Mapping[str, Relation] = field(default_factory=dict)
    definitions: tuple[exp.CTE, ...] = ()

    def with_cte(self, cte: exp.CTE, relation: Relation) -> Environment:
        return Environment({**self.relations, cte.alias.lower(): relation}, (*self.definitions, cte))

    def standing_alone(self, node: exp.Expr) -> exp.Expr:
        """A copy of a query with the definitions of those CTEs in scope that it reads, directly or through others."""
        alone = node.copy()
        needed = {table.name.lower() for table in alone.find_all(exp.Table)}
        kept: list[exp.CTE] = []
        for cte in reversed(self.definitions):
            if cte.alias.lower() in needed:
                needed.discard(cte.alias.lower())
                needed |= {table.name.lower() for table in cte.this.find_all(exp.Table)}
                kept.insert(0, cte.copy())
        own = alone.args.get("with_")
        if kept:
            alone.set("with_", exp.With(expressions=[*kept, *(own.expressions if own is not None else ())]))
        return alone


@dataclass(frozen=True)
class StageDraft:
    """A scalar stage as compiled; ``hidden`` where it has been run and its answer was withheld."""

    query: CellQuery
    presentation: exp.Query
    hidden: bool


@dataclass
class QueryCompiler:
    """One compilation. ``queries`` collects cell queries in order; ``stages`` those of scalar stages.

    ``names`` are the output names of the whole query, where the caller had DuckDB give them.
    """

    sql: str
    context: Context
    tables: Mapping[str, Mapping[str, str]]
    queries: list[CellQuery] = field(default_factory=list)
    stages: list[StageDraft] = field(default_factory=list)
    lookups: set[str] = field(default_factory=set)
    names: tuple[str, ...] = ()
    effects: list[tuple[str, str]] = field(default_factory=list)
    made: int = 0
    _literals: dict[int, tuple[exp.Expr, exp.Expr]] = field(default_factory=dict)
    _compiled: dict[int, tuple[exp.Expr, Relation]] = field(default_factory=dict)

    # -- the walk ----------------------------------------------------------------------------------------------

    def query(self, node: exp.Expr, environment: Environment) -> Relation:
        """What a query stands for. A node is compiled once, however often it is looked at."""
        known = self._compiled.get(id(node))
        if known is None:
            known = self._compiled[id(node)] = (node, self._query(node, environment))
        return known[1]

    def _query(self, node: exp.Expr, environment: Environment) -> Relation:
        if isinstance(node, exp.Subquery):
            inner = self.query(node.this, environment)
            if isinstance(inner, PresentedRelation):
                wrapped = node.copy()
                wrapped.set("this", inner.query)
                return PresentedRelation(wrapped)
            return inner
        with_ = node.args.get("with_")
        kept: list[exp.CTE] = []
        if with_ is not None:
            if with_.args.get("recursive"):
                raise unsupported(
                    "Recursive queries are not supported.", "Write the steps out.", with_, self.sql
                )
            for cte in with_.expressions:
                relation = self._cte(cte, environment)
                environment = environment.with_cte(cte, relation)
                if isinstance(relation, PresentedRelation):
                    changed = cte.copy()
                    changed.set("this", relation.query)
                    kept.append(changed)
        if isinstance(node, exp.SetOperation):
            result = self._set_operation(node, environment)
        elif isinstance(node, exp.Select):
            result = self._select(node, environment)
        else:
            raise unsupported(
                "This is not a SELECT.", "Write SELECT … FROM a dataset of the catalogue.", node, self.sql
            )
        if isinstance(result, PresentedRelation) and with_ is not None:
            query = result.query
            query.set("with_", exp.With(expressions=kept) if kept else None)
        return result

    def _cte(self, cte: exp.CTE, environment: Environment) -> Relation:
        relation = self.query(cte.this, environment)
        names = cte.args["alias"].columns if cte.args.get("alias") else []
        if names and isinstance(relation, UnitRelation):
            return replace(relation, columns=renamed(relation.columns, [n.name for n in names]))
        return relation

    def presented(self, node: exp.Expr, environment: Environment, place: exp.Expr) -> exp.Query:
        """A query whose result stands above the line. Raises ``row_level_result`` where it would show rows."""
        relation = self.query(node, environment)
        if isinstance(relation, PresentedRelation):
            return relation.query
        raise refuse(
            Code.ROW_LEVEL,
            "This would return a row for each unit.",
            ROW_RULE,
            "Aggregate: COUNT(*), SUM, AVG or MEDIAN with GROUP BY.",
            place,
            self.sql,
        )

    def units(self, node: exp.Expr, environment: Environment, place: exp.Expr) -> UnitRelation:
        relation = self.query(node, environment)
        if isinstance(relation, UnitRelation):
            return relation
        raise unsupported(
            "Below the line a subquery reads unit rows or code lists.",
            "Aggregate in an outer query, or join the aggregates.",
            place,
            self.sql,
        )

    def source(self, node: exp.Expr, environment: Environment) -> tuple[str, Relation]:
        """A source of FROM with its alias, lower case."""
        if isinstance(node, exp.Subquery):
            relation = self.query(node.this, environment)
            alias = node.alias.lower() or "unnamed_subquery"
            names = [column.name for column in node.args["alias"].columns] if node.args.get("alias") else []
        elif isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            relation = self._table(node, environment)
            alias = (node.alias or node.name).lower()
            names = [column.name for column in node.args["alias"].columns] if node.args.get("alias") else []
        else:
            return node.alias.lower(), PresentedRelation(exp.select("*"))
        if names and isinstance(relation, UnitRelation):
            relation = replace(relation, columns=renamed(relation.columns, names))
        return alias, relation

    def _table(self, node: exp.Table, environment: Environment) -> Relation:
        name = node.name.lower()
        if not node.db and name in environment.relations:
            return environment.relations[name]
        dataset = self.dataset(name)
        if dataset is not None:
            return unit_relation(dataset, self.context.agreement)
        codelist = self.codelist(name)
        if codelist is not None:
            return whole_lookup(codelist)
        known = [*environment.relations, *self.context.catalogue.datasets, *self.context.catalogue.codelists]
        raise unknown_table(node, known, self.sql)

    def dataset(self, name: str) -> BoundDataset | None:
        return self.context.catalogue.datasets.get(name)

    def codelist(self, name: str) -> CodeList | None:
        return self.context.catalogue.codelists.get(name)

    # -- one SELECT --------------------------------------------------------------------------------------------

    def _select(self, node: exp.Select, environment: Environment) -> Relation:
        from_ = node.args.get("from_")
        sources = [from_.this] if from_ is not None else []
        sources += [join.this for join in node.args.get("joins") or ()]
        found = [self.source(source, environment)[1] for source in sources if _is_relation(source)]
        if not any(isinstance(relation, UnitRelation) for relation in found):
            return PresentedRelation(self._present_select(node, environment))
        joiner = Joiner(
            self.sql,
            lambda source: self.source(source, environment),
            self.area,
            self.context.catalogue.codelists,
        )
        scope, relation = joiner.scope(node)
        aliases = {item.alias.lower(): item.this for item in node.expressions if isinstance(item, exp.Alias)}
        binder = Binder(self, environment, scope, aliases)
        where = node.args.get("where")
        terms = [term for term in conjuncts(where.this if where else None) if not joiner.consumed(term)]
        bound, faults = list[exp.Expr](), Faults()
        for term in terms:
            with faults.collected():
                bound.append(binder.below(term))
        if len(bound) < len(terms) and _aggregates(node):
            with faults.collected():
                CellSelect(self, environment, node, scope, relation, binder).bind_all()
        faults.raise_found()
        relation = relation.and_where(bound)
        if groups_by_unit(node, binder, relation):
            return replace(relation, columns=per_unit_columns(node, binder, self.sql)).and_where(
                per_unit_having(node, binder, self.sql)
            )
        if _aggregates(node):
            cells = CellSelect(self, environment, node, scope, relation, binder)
            self.made += 1
            return PresentedRelation(cells.compile(f"cells_{self.made - 1}"))
        return self._rows(node, scope, relation, binder)

    def _rows(self, node: exp.Select, scope: Scope, relation: UnitRelation, binder: Binder) -> UnitRelation:
        """A projection of unit rows, for an aggregate further out."""
        for part in ("limit", "offset", "qualify", "windows"):
            if node.args.get(part) is not None:
                raise refuse(
                    Code.ROW_LEVEL,
                    f"{part.upper()} over unit rows would pick out single units.",
                    ROW_RULE,
                    "Aggregate first; then limit, rank or filter the cells.",
                    node.args[part] if isinstance(node.args[part], exp.Expr) else node,
                    self.sql,
                )
        columns: dict[str, exp.Expr] = {}
        for item in node.expressions:
            if isinstance(item, exp.Star) or (
                isinstance(item, exp.Column) and isinstance(item.this, exp.Star)
            ):
                if any(item.args.get(part) for part in ("except_", "replace", "rename")):
                    raise unsupported("A changed star.", "Name the columns.", item, self.sql)
                table = item.table if isinstance(item, exp.Column) else None
                for name, bound in scope.columns(table or None):
                    _add_column(columns, name, bound)
                continue
            if item.find(exp.Window):
                raise refuse(
                    Code.ROW_LEVEL,
                    "A window over unit rows would show single units.",
                    ROW_RULE,
                    "Aggregate first, then use windows over the cells.",
                    item,
                    self.sql,
                )
            if item.find(exp.Unnest, exp.Explode):
                raise unsupported("UNNEST over unit rows would repeat them.", "Leave it out.", item, self.sql)
            inner = item.this if isinstance(item, exp.Alias) else item
            name = item.alias_or_name.lower() or inner.sql(dialect="duckdb").lower()
            bound = binder.below(inner)
            if sum(1 for _ in bound.walk()) > MAXIMUM_EXPANSION:
                raise refuse(
                    Code.SQL_TOO_LARGE,
                    "Columns that stand for other columns grow too large.",
                    f"At most {MAXIMUM_EXPANSION:,} terms once every name is put in.",
                    "Compute the column in one step.",
                    item,
                    self.sql,
                )
            _add_column(columns, name, bound)
        return replace(relation, columns=columns)

    def _present_select(self, node: exp.Select, environment: Environment) -> exp.Select:
        """A SELECT above the line: its subqueries are compiled, the rest is resolved there."""
        for found in node.find_all(exp.Table):
            if isinstance(found.this, exp.Identifier) and self._names_lookup(found, environment):
                self.lookups.add(found.name.lower())

        def inner(child: exp.Expr) -> exp.Expr:
            if isinstance(child, exp.Subquery):
                changed = child.copy()
                changed.set("this", self.presented(child.this, environment, child))
                return changed
            if isinstance(child, exp.Query):
                return self.presented(child, environment, child)
            if isinstance(child, exp.With):
                return child
            return map_children(child, inner)

        return map_children(node, inner)

    def _names_lookup(self, table: exp.Table, environment: Environment) -> bool:
        name = table.name.lower()
        return (
            name not in environment.relations
            and self.dataset(name) is None
            and self.codelist(name) is not None
        )

    def _set_operation(self, node: exp.SetOperation, environment: Environment) -> Relation:
        left, right = self.query(node.this, environment), self.query(node.expression, environment)
        if isinstance(left, UnitRelation) and isinstance(right, UnitRelation):
            return self._union(node, left, right)
        if isinstance(left, UnitRelation) or isinstance(right, UnitRelation):
            raise refuse(
                Code.ROW_LEVEL,
                "One branch of this set operation returns unit rows.",
                ROW_RULE,
                "Aggregate in every branch.",
                node,
                self.sql,
            )
        changed = node.copy()
        for name, side in (("this", left), ("expression", right)):
            query = side.query if isinstance(side, PresentedRelation) else None
            assert query is not None
            changed.set(name, query)
        changed.set("with_", None)
        return PresentedRelation(changed)

    def _union(self, node: exp.SetOperation, left: UnitRelation, right: UnitRelation) -> UnitRelation:
        """UNION ALL of branches of one dataset; that they are disjoint is held when the region is known."""
        same_columns = [e.sql() for e in left.columns.values()] == [e.sql() for e in right.columns.values()]
        if (
            not isinstance(node, exp.Union)
            or node.args.get("distinct")
            or left.base.name != right.base.name
            or not same_columns
            or not left.refs.include(right.refs)
        ):
            raise refuse(
                Code.UNION_NOT_DISJOINT,
                "Only UNION ALL of disjoint parts of one dataset, with the same columns, is understood.",
                "A set operation over unit rows must not count anybody twice.",
                "Use one SELECT with the conditions joined by OR, or aggregate each branch.",
                node,
                self.sql,
            )
        branches = [relation.alternatives or (relation.where,) for relation in (left, right)]
        own = [relation.where if relation.alternatives else () for relation in (left, right)]
        merged = tuple(
            (*alternative, *extra)
            for found, extra in zip(branches, own, strict=True)
            for alternative in found
        )
        return replace(left, where=(), alternatives=merged)

    # -- subqueries below the line -----------------------------------------------------------------------------

    def memberships(self, relation: UnitRelation) -> Memberships:
        profile = self.context.catalogue.profile_of(relation.base.name)
        assert profile is not None
        return Memberships(self.context, profile, self.sql)

    def lookup_values(self, select: exp.Select, environment: Environment) -> list[exp.Expr] | None:
        """The values of a subquery that reads code lists alone, None if it reads anything else."""
        names = {
            table.name.lower()
            for table in select.find_all(exp.Table)
            if isinstance(table.this, exp.Identifier)
        }
        if not names or any(name in environment.relations or self.dataset(name) for name in names):
            return None
        tables = {name: found.table for name in names if (found := self.codelist(name)) is not None}
        if len(tables) != len(names):
            return None
        if not _is_small_lookup(select):
            raise unsupported(
                "This look-up does more than pick codes out of code lists.",
                "Read code lists by plain comparisons: look-ups are answered while the query is compiled.",
                select,
                self.sql,
            )
        try:
            values = leaf_engine.lookup_column(select.sql(dialect="duckdb"), tables)
        except duckdb.Error as error:
            raise unsupported(
                f"This look-up could not be read: {str(error).splitlines()[0]}",
                "Mend the subquery.",
                select,
                self.sql,
            ) from None
        return [exp.convert(value) for value in values]

    def stage(self, node: exp.Expr, environment: Environment, place: exp.Expr) -> exp.Expr:
        """A scalar subquery below the line: the literal that its protected answer was, or a placeholder."""
        known = self._literals.get(id(place))
        if known is not None:
            return known[1].copy()
        number = len(self.stages)
        own = QueryCompiler(self.sql, self.context, self.tables)
        own.stages = self.stages
        try:
            query = own.presented(environment.standing_alone(node), Environment(), place)
        except RefusalError as error:
            if error.refusals[0].code is Code.UNKNOWN_COLUMN:
                raise refuse(
                    Code.STAGE_CORRELATED,
                    "This subquery depends on the row outside it.",
                    "A subquery below the line is answered once, as a protected cell of its own.",
                    "Make the subquery stand by itself.",
                    place,
                    self.sql,
                ) from None
            raise
        blocks = own.queries[0].blocks if len(own.queries) == 1 else ()
        scalar = isinstance(query, exp.Select) and len(query.expressions) == 1
        if len(blocks) != 1 or blocks[0].axes or not scalar or len(own.stages) != number:
            raise refuse(
                Code.STAGE_NOT_SCALAR,
                "A subquery below the line must give one number from one aggregate.",
                "A subquery below the line is answered once, as a protected cell of its own.",
                "Use one aggregate without GROUP BY.",
                place,
                self.sql,
            )
        values = self.context.stage_values
        value = values[number] if number < len(values) else None
        self.stages.append(StageDraft(own.queries[0], query, number < len(values) and value is None))
        literal = exp.convert(value if value is not None else self._placeholder(own.queries[0]))
        self._literals[id(place)] = (place, literal)
        return literal.copy()

    def _placeholder(self, query: CellQuery) -> Decimal:
        """The middle of the measure's grid: a number that makes a plan of the right shape before the stage ran."""
        for statistic in query.fragment.statistics:
            measure = statistic.measure
            if measure is not None and measure.field is not None:
                dataset, name = measure.name.split(".", 1)
                variable = self.context.catalogue.datasets[dataset].document.variables.get(name)
                if variable is not None and variable.minimum is not None and variable.maximum is not None:
                    return (variable.minimum + variable.maximum) / 2
        return Decimal(1)

    def area(self, ref: DimensionRef, name: str) -> tuple[str, ...] | None:
        """The codes of a registered custom area of this body, None where the name is not one."""
        area = self.context.catalogue.areas.get(name)
        if (
            area is None
            or area.body != self.context.body
            or area.dataset != ref.dataset.name
            or ref.dimension.codelist is None
            or area.codelist != ref.dimension.codelist.name
        ):
            return None
        self.effects.append(
            ("custom_area", f"{area.title}: {len(area.codes)} areas, aggregated at the source")
        )
        return tuple(area.codes)


def _add_column(columns: dict[str, exp.Expr], name: str, bound: exp.Expr) -> None:
    """Under its name; one that is there already is numbered, as DuckDB numbers it."""
    unique, number = name, 1
    while unique in columns:
        unique, number = f"{name}_{number}", number + 1
    columns[unique] = bound


def _is_relation(node: exp.Expr) -> bool:
    return isinstance(node, exp.Subquery) or (
        isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier)
    )


def _aggregates(node: exp.Select) -> bool:
    """Whether a SELECT aggregates by itself, not only inside a subquery or a window."""
    if node.args.get("group") or node.args.get("having") or node.args.get("distinct"):
        return True

    def found(item: exp.Expr) -> bool:
        if isinstance(item, exp.Query | exp.Subquery):
            return False
        if isinstance(item, exp.Window):
            return any(found(child) for child in item.this.iter_expressions())
        return is_aggregate(item) or any(found(child) for child in item.iter_expressions())

    return any(found(bare(item)) for item in node.expressions)


_LOOKUP_SOURCES = 3
_LOOKUP_FUNCTIONS = (
    exp.And,
    exp.Cast,
    exp.Coalesce,
    exp.EndsWith,
    exp.Left,
    exp.Length,
    exp.Lower,
    exp.Or,
    exp.RegexpLike,
    exp.Right,
    exp.StartsWith,
    exp.Substring,
    exp.Trim,
    exp.Upper,
)


def _is_small_lookup(select: exp.Select) -> bool:
    """Whether a look-up is bounded by its code lists: a look-up runs in this process, which no limit contains."""
    if any(isinstance(n, exp.Func) and not isinstance(n, _LOOKUP_FUNCTIONS) for n in select.walk()):
        return False
    joins = list(select.find_all(exp.Join))
    return (
        len(list(select.find_all(exp.Select))) == 1
        and len(joins) < _LOOKUP_SOURCES
        and all(join.args.get("on") or join.args.get("using") for join in joins)
        and select.find(exp.With, exp.Unnest, exp.Lateral, exp.Values) is None
    )
