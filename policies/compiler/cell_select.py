"""One aggregate SELECT over unit rows: its cell query below the line, and what is left of it above."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
from sqlglot import exp

from catalogue.models import Profile
from catalogue.strictest import profile_for
from policies.boxes import EVERYWHERE, Region, hull, intersect, union
from policies.compiler import leaf_engine
from policies.compiler.aggregates import Aggregates, is_aggregate
from policies.compiler.atoms import AtomTable
from policies.compiler.errors import Faults, refuse, unsupported
from policies.compiler.expressions import Binder
from policies.compiler.fragments import FragmentBuilder
from policies.compiler.guards import guards_of
from policies.compiler.jurisdiction import JurisdictionPass
from policies.compiler.keys import Key, bind_keys, grid_block, grouping_sets
from policies.compiler.limits import check_cell_query, partitions_of
from policies.compiler.predicates import Predicates
from policies.compiler.refs import key_of
from policies.compiler.relations import UnitRelation
from policies.compiler.scope import Scope
from policies.compiler.trees import bare, map_children
from policies.plan import CellQuery
from policies.refusals import Code, RefusalError

if TYPE_CHECKING:
    from policies.compiler.queries import Environment, QueryCompiler

GROUPING_COLUMN = "grouping"


class CellSelect:
    def __init__(
        self,
        compiler: QueryCompiler,
        environment: Environment,
        select: exp.Select,
        scope: Scope,
        relation: UnitRelation,
        binder: Binder,
    ) -> None:
        self._compiler = compiler
        self._environment = environment
        self._select = select
        self._scope = scope
        self._relation = relation
        self._binder = binder
        self._sql = scope.sql
        self._keys: list[Key] = []
        self._groups: list[tuple[exp.Expr, exp.Expr]] = []
        self._aliases = {item.alias.lower() for item in select.expressions if isinstance(item, exp.Alias)}

    def compile(self, name: str) -> exp.Select:
        """The presentation SELECT over relation ``name``; the cell query is added to the compiler's."""
        context = self._compiler.context
        self.bind_all()
        profile = self._profile()
        predicates = Predicates(self._relation.refs, self._sql)
        region, faults = EVERYWHERE, Faults()
        with faults.collected():
            region = self._region(predicates)
        table = AtomTable(name, self._relation.base.document.unit.row_is_unit)
        self._aggregates = Aggregates(predicates, region, table, profile)
        with faults.collected():
            expressions, sets = self._grouping()
            self._keys = bind_keys(expressions, predicates)
            presented = self._presented(name)
        faults.raise_found()
        where = hull(region)
        blocks = [grid_block(self._keys, chosen, where, predicates) for chosen in sets]
        jurisdiction = JurisdictionPass(context, predicates.refs, self._sql)
        jurisdiction.check(where, self._place)
        blocks = jurisdiction.restrict(blocks)
        for atom in table.atoms.values():
            jurisdiction.check(atom.where, self._place)
        self._compiler.effects += jurisdiction.effects
        weighted = any(atom.weighted for atom in table.atoms.values())
        builder = FragmentBuilder(context.catalogue, self._relation.base, predicates.refs, profile)
        specs = list(table.statistics.values())
        query = CellQuery(
            relation=name,
            dataset=self._relation.base.name,
            profile=profile.profile,
            where=where,
            keys=tuple(key.column for key in self._keys),
            blocks=tuple(blocks),
            atoms=tuple(table.atoms.values()),
            fragment=builder.fragment(where, blocks, specs, weighted),
            guards=guards_of(where, blocks, table, builder, weighted),
            partitions=partitions_of(blocks, where, table, predicates.refs),
        )
        check_cell_query(query, profile, predicates.refs, self._select, self._sql)
        for key in dict.fromkeys(predicates.snapped):
            self._compiler.effects.append(("grid", f"a condition on {key} was moved to its declared grid"))
        self._compiler.queries.append(query)
        return presented

    def _place(self, dimension: str) -> exp.Expr:
        """Where the SELECT first names a column of the dimension, in its conditions if it does so there."""
        for part in (self._select.args.get("where"), self._select):
            for column in part.find_all(exp.Column, bfs=False) if part is not None else ():
                bound = self._scope.find(column) if column.parent_select is self._select else None
                if isinstance(bound, exp.Column) and key_of(bound) == dimension:
                    return column
        return self._select

    def bind_all(self) -> None:
        """Bind the select list once before anything is decided: what it reads decides the profile.

        Raises RefusalError with what is wrong with each item.
        """
        faults = Faults()
        for item in self._select.expressions:
            with faults.collected():
                self._binder.mixed(item.this if isinstance(item, exp.Alias) else item)
        faults.raise_found()

    def _profile(self) -> Profile:
        base = self._relation.base
        datasets = [base.name, *self._relation.refs.datasets()]
        profile = profile_for(self._compiler.context.catalogue, datasets)
        if profile is None:
            raise refuse(
                Code.NO_PROFILE,
                f"“{base.document.title}”, or what is joined to it, has no disclosure profile.",
                "Data without a disclosure profile is never released.",
                "Ask the custodian to give the dataset a profile.",
                self._select,
                self._sql,
            )
        return profile

    def _region(self, predicates: Predicates) -> Region:
        region = predicates.region(self._relation.where)
        if self._relation.alternatives:
            union_of: Region = ()
            for alternative in self._relation.alternatives:
                branch = predicates.region(alternative)
                if intersect(union_of, branch):
                    raise refuse(
                        Code.UNION_NOT_DISJOINT,
                        "The branches of this UNION ALL overlap.",
                        "A set operation over unit rows must not count anybody twice.",
                        "Make the conditions of the branches exclude each other.",
                        self._select,
                        self._sql,
                    )
                union_of = union(union_of, branch)
            region = intersect(region, union_of)
        if not region:
            raise refuse(
                Code.EMPTY_QUESTION,
                "No code meets these conditions together.",
                "A question about nobody by its own wording is not run.",
                "Check the conditions: one excludes another.",
                self._select.args.get("where") or self._select,
                self._sql,
            )
        return region

    # -- groups ------------------------------------------------------------------------------------------------

    def _grouping(self) -> tuple[list[exp.Expr], list[tuple[int, ...]]]:
        group = self._select.args.get("group")
        if group is None:
            if self._distinct_groups():
                return grouping_sets(exp.Group(expressions=self._plain()), self._sql)
            return [], [()]
        if group.args.get("all"):
            return grouping_sets(exp.Group(expressions=self._plain()), self._sql)
        return grouping_sets(self._bound_group(group), self._sql)

    def _distinct_groups(self) -> bool:
        """Whether DISTINCT alone makes the groups."""
        parts = self._select.args
        aggregated = parts.get("group") or parts.get("having") or _has_aggregate(self._select)
        return bool(parts.get("distinct")) and not aggregated

    def _plain(self) -> list[exp.Expr]:
        """The select list without aggregates, as GROUP BY ALL takes it; constants are no groups."""
        items: list[exp.Expr] = []
        for item in self._select.expressions:
            if isinstance(item, exp.Star) or (
                isinstance(item, exp.Column) and isinstance(item.this, exp.Star)
            ):
                raise self._row_level(item)
            inner = bare(item.this if isinstance(item, exp.Alias) else item)
            # An alias may stand for an aggregate or a window, so what it stands for decides.
            meant = self._binder.mixed(inner)
            if not _has_aggregate(meant) and not meant.find(exp.Window) and _reads_rows(meant):
                items.append(self._group(inner))
        return items

    def _group(self, typed: exp.Expr) -> exp.Expr:
        """A group as bound, remembered as typed too: a stage in it is run once for the group and where it is shown."""
        bound = self._binder.below(typed)
        self._groups.append((typed, bound))
        return bound

    def _grouped(self, item: exp.Expr) -> exp.Expr | None:
        """The group that an item of the select list shows, as bound."""
        inner = bare(item.this if isinstance(item, exp.Alias) else item)
        alias = item.alias.lower() if isinstance(item, exp.Alias) else None
        for typed, bound in self._groups:
            if bare(typed) == inner:
                return bound
            if isinstance(typed, exp.Column) and not typed.table and typed.name.lower() == alias:
                return bound if self._scope.find(typed) is None else None
        return None

    def _bound_group(self, group: exp.Group) -> exp.Group:
        containers = (exp.Rollup, exp.Cube, exp.GroupingSets, exp.Tuple, exp.Paren)

        def one(node: exp.Expr) -> exp.Expr:
            if isinstance(node, containers):
                return map_children(node, one)
            if isinstance(node, exp.Literal) and not node.is_string:
                return self._position(node)
            return self._group(node)

        return map_children(group, one)

    def _position(self, node: exp.Literal) -> exp.Expr:
        number = int(node.this) if str(node.this).isdigit() else 0
        if not 1 <= number <= len(self._select.expressions):
            raise unsupported(
                "GROUP BY names a position that is not in the select list.",
                f"Use 1 to {len(self._select.expressions)}.",
                node,
                self._sql,
            )
        item = self._select.expressions[number - 1]
        return self._group(item.this if isinstance(item, exp.Alias) else item)

    # -- what stands above -------------------------------------------------------------------------------------

    def _presented(self, name: str) -> exp.Select:
        self._name = name
        select = exp.Select().from_(exp.to_table(name))
        names = self._names()
        projections, faults = list[exp.Expr](), Faults()
        for item, given in zip(self._select.expressions, names, strict=True):
            inner = item.this if isinstance(item, exp.Alias) else item
            with faults.collected():
                group = self._grouped(item)
                value = self._above(group if group is not None else self._binder.mixed(inner))
                projections.append(exp.alias_(value, given, quoted=True))
        faults.raise_found()
        select.set("expressions", projections)
        having = self._select.args.get("having")
        if having is not None:
            select.set("where", exp.Where(this=self._above(self._binder.mixed(having.this))))
        for part in ("qualify", "limit", "offset", "order", "windows"):
            clause = self._select.args.get(part)
            if isinstance(clause, list):
                select.set(part, [self._clause(item) for item in clause])
            elif isinstance(clause, exp.Expr):
                select.set(part, self._clause(clause))
        distinct = self._select.args.get("distinct")
        if isinstance(distinct, exp.Expr) and (distinct.args.get("on") or not self._distinct_groups()):
            select.set("distinct", self._clause(distinct))
        return select

    def _clause(self, node: exp.Expr) -> exp.Expr:
        """A clause whose expressions may name output columns, positions, keys and aggregates."""

        def one(child: exp.Expr) -> exp.Expr:
            if isinstance(child, exp.Ordered | exp.Order | exp.Tuple | exp.WindowSpec | exp.Identifier):
                return map_children(child, one)
            if isinstance(child, exp.Literal | exp.Var | exp.LimitOptions):
                return child.copy()
            if isinstance(child, exp.Column) and not child.table and child.name.lower() in self._aliases:
                return child.copy()
            return self._above(self._binder.mixed(child))

        return map_children(node, one)

    def _above(self, node: exp.Expr) -> exp.Expr:
        """Keys become key columns, aggregates atoms; what else reads rows is refused."""
        plain = bare(node)
        for key in self._keys:
            if key.expression == plain:
                return exp.column(key.name, table=self._name)
        if isinstance(node, exp.Grouping | exp.GroupingId):
            return self._grouping_bits(node)
        if isinstance(node, exp.Window):
            function = map_children(node.this, self._above)
            bound = map_children(
                exp.Window(**{k: v for k, v in node.args.items() if k != "this"}), self._above
            )
            bound.set("this", function)
            return bound
        if is_aggregate(node):
            return self._aggregates.translate(node)
        if isinstance(node, exp.Query | exp.Subquery):
            return node
        if isinstance(node, exp.Star):
            raise self._row_level(node)
        if isinstance(node, exp.Column):
            raise self._row_level(node)
        return map_children(node, self._above)

    def _row_level(self, node: exp.Expr) -> RefusalError:
        return refuse(
            Code.ROW_LEVEL,
            "This column is neither grouped nor aggregated.",
            "Above the disclosure line there are only groups and protected aggregates.",
            "Add it to GROUP BY, or aggregate it.",
            node,
            self._sql,
        )

    def _grouping_bits(self, node: exp.Grouping | exp.GroupingId) -> exp.Expr:
        """GROUPING(a, b) from the mask over all keys: the last argument is the lowest bit."""
        bits: list[exp.Expr] = []
        arguments = node.expressions
        for position, argument in enumerate(arguments):
            index = next((i for i, key in enumerate(self._keys) if key.expression == bare(argument)), None)
            if index is None:
                raise self._row_level(argument)
            shift = len(self._keys) - 1 - index
            weight = 1 << (len(arguments) - 1 - position)
            mask = exp.column(GROUPING_COLUMN, table=self._name)
            shifted = exp.IntDiv(this=mask, expression=exp.Literal.number(1 << shift))
            bit = exp.Mod(this=exp.Paren(this=shifted), expression=exp.Literal.number(2))
            bits.append(exp.Mul(this=exp.Paren(this=bit), expression=exp.Literal.number(weight)))
        total = bits[0]
        for bit_value in bits[1:]:
            total = exp.Add(this=total, expression=bit_value)
        return exp.Paren(this=total)

    def _names(self) -> list[str]:
        """The output names that DuckDB would give to this SELECT as typed."""
        if all(isinstance(item, exp.Alias | exp.Column) for item in self._select.expressions):
            return [item.alias_or_name for item in self._select.expressions]
        if self._select.parent is None and len(self._compiler.names) == len(self._select.expressions):
            return list(self._compiler.names)
        probe = self._select.copy()
        for part in ("order", "limit", "offset", "qualify", "having"):
            probe.set(part, None)
        own = probe.args.get("with_")
        ctes = [*(cte.copy() for cte in self._environment.definitions), *(own.expressions if own else ())]
        last = {cte.alias.lower(): cte for cte in ctes}
        probe.set("with_", exp.With(expressions=list(last.values())) if last else None)
        try:
            described = leaf_engine.describe(probe.sql(dialect="duckdb"), self._compiler.tables)
        except duckdb.Error:
            # A correlated subquery can't be described by itself; its names are then the expressions' texts.
            return [item.alias_or_name or item.sql(dialect="duckdb") for item in self._select.expressions]
        return [name for name, _ in described]


def _reads_rows(node: exp.Expr) -> bool:
    """Whether an expression reads a column outside its subqueries."""
    if isinstance(node, exp.Subquery):
        return False
    return isinstance(node, exp.Column) or any(_reads_rows(child) for child in node.iter_expressions())


def _has_aggregate(node: exp.Expr) -> bool:
    if isinstance(node, exp.Subquery):
        return False
    if isinstance(node, exp.Select):
        return any(_has_aggregate(item) for item in node.expressions)
    if isinstance(node, exp.Window):
        return any(_has_aggregate(child) for child in node.this.iter_expressions())
    return is_aggregate(node) or any(_has_aggregate(child) for child in node.iter_expressions())
