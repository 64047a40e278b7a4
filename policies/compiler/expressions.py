"""Binding expressions of a SELECT over unit rows: names to references, subqueries to what they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlglot import exp

from policies.compiler.aggregates import is_aggregate
from policies.compiler.codes import name_codes
from policies.compiler.errors import refuse, unsupported
from policies.compiler.relations import UnitRelation
from policies.compiler.scope import Scope
from policies.compiler.subqueries import MEMBER_RULE
from policies.compiler.trees import bare, conjuncts, map_children, rows_compared
from policies.refusals import Code

if TYPE_CHECKING:
    from policies.compiler.queries import Environment, QueryCompiler


def _only_truth_matters(node: exp.Expr) -> bool:
    """Whether false and null come to the same where a condition stands: nothing negates it or shows it."""
    while isinstance(node.parent, exp.Paren | exp.And | exp.Or):
        node = node.parent
    parent = node.parent
    if isinstance(parent, exp.If):
        return node.arg_key == "this" and not (isinstance(parent.parent, exp.Case) and parent.parent.this)
    return isinstance(parent, exp.Where)


class Binder:
    """Binds the expressions of one SELECT. ``aliases`` are its own output names, used where no column has them."""

    def __init__(
        self,
        compiler: QueryCompiler,
        environment: Environment,
        scope: Scope,
        aliases: Mapping[str, exp.Expr],
    ) -> None:
        self._compiler = compiler
        self._environment = environment
        self._scope = scope
        self._aliases = aliases
        self.sql = scope.sql

    def below(self, node: exp.Expr) -> exp.Expr:
        """An expression that rows are to be decided by: conditions, groups, arguments of aggregates."""
        bound = self._bind(node, below=True, expanding=frozenset())
        return name_codes(bound, self._scope.refs, self._compiler.area, self._scope.sql)

    def mixed(self, node: exp.Expr) -> exp.Expr:
        """An expression of the select list: aggregates read rows, what stands around them reads cells."""
        bound = self._bind(node, below=False, expanding=frozenset())
        return name_codes(bound, self._scope.refs, self._compiler.area, self._scope.sql)

    def _bind(self, node: exp.Expr, below: bool, expanding: frozenset[str]) -> exp.Expr:
        def again(child: exp.Expr) -> exp.Expr:
            return self._bind(child, below, expanding)

        node = rows_compared(node)
        if isinstance(node, exp.Column):
            return self._column(node, below, expanding)
        if isinstance(node, exp.Window):
            inner = map_children(
                node.this, again
            )  # the window's own aggregate reads cells, its arguments may hold others
            rest = {k: v for k, v in node.args.items() if k != "this"}
            bound = map_children(exp.Window(**rest), again)
            bound.set("this", inner)
            return bound
        if isinstance(node, exp.Exists | exp.In) and (node.args.get("query") or isinstance(node, exp.Exists)):
            return self._subquery_predicate(node, below, expanding)
        if isinstance(node, exp.Subquery | exp.Select):
            inside = node.unnest() if isinstance(node, exp.Subquery) else node
            if below:
                return self._compiler.stage(inside, self._environment, node)
            return exp.Subquery(this=self._compiler.presented(inside, self._environment, node))
        if not below and is_aggregate(node):
            return map_children(node, lambda child: self._bind(child, True, expanding))
        return map_children(node, again)

    def _column(self, node: exp.Column, below: bool, expanding: frozenset[str]) -> exp.Expr:
        found = self._scope.find(node)
        if found is not None:
            bound = found.copy()
            bound.meta.update(node.this.meta)
            return bound
        alias = node.name.lower()
        if not node.table and alias in self._aliases and alias not in expanding:
            bound = self._bind(self._aliases[alias], below, expanding | {alias})
            return bound if isinstance(bound, exp.Column | exp.Literal) else exp.Paren(this=bound)
        return self._scope.resolve(node)

    def _subquery_predicate(
        self, node: exp.Exists | exp.In, below: bool, expanding: frozenset[str]
    ) -> exp.Expr:
        query = node.this if isinstance(node, exp.Exists) else node.args["query"]
        inside = query.unnest() if isinstance(query, exp.Subquery) else query
        if not below and isinstance(node, exp.In):
            presented = self._compiler.presented(inside, self._environment, node)
            bound = self._bind(node.this, below, expanding)
            return exp.In(this=bound, query=exp.Subquery(this=presented))
        if not isinstance(inside, exp.Select):
            raise unsupported("This subquery is not a plain SELECT.", MEMBER_RULE, node, self._scope.sql)
        if isinstance(node, exp.In):
            return self._in(node, inside, expanding)
        return self._exists(node, inside)

    def _in(self, node: exp.In, inside: exp.Select, expanding: frozenset[str]) -> exp.Expr:
        bound = self._bind(node.this, True, expanding)
        literals = self._compiler.lookup_values(inside, self._environment)
        if literals is not None:
            return exp.In(this=bound, expressions=literals) if literals else exp.false()
        if len(inside.expressions) != 1:
            raise unsupported("IN needs one column.", MEMBER_RULE, node, self._scope.sql)
        distinct = inside.args.get("distinct")
        if distinct is not None and not distinct.args.get("on"):
            # What is in a set is in it once or often alike.
            inside = inside.copy()
            inside.set("distinct", None)
        relation = self._compiler.units(inside, self._environment, node)
        key = next(iter(relation.columns.values()))
        memberships = self._compiler.memberships(relation)
        found = memberships.column(bare(bound), relation, key, self._scope.refs, node)
        if not _only_truth_matters(node) and any(
            memberships.nullable(each, refs)
            for each, refs in ((bare(bound), self._scope.refs), (key, relation.refs))
        ):
            raise unsupported(
                "IN is neither true nor false for a key that is null, and one of these keys may be.",
                "Use NOT EXISTS (SELECT 1 FROM other WHERE other.key = this.key), which is true where there is no key.",
                node,
                self._scope.sql,
            )
        return found

    def _exists(self, node: exp.Exists, inside: exp.Select) -> exp.Expr:
        plain = {"kind", "expressions", "from_", "where", "distinct", "order"}
        extra = {part for part, value in inside.args.items() if value and part not in plain}
        from_ = inside.args.get("from_")
        if extra or from_ is None or any(item.find(exp.AggFunc) for item in inside.expressions):
            raise unsupported("EXISTS is a plain SELECT here.", MEMBER_RULE, node, self._scope.sql)
        alias, relation = self._compiler.source(from_.this, self._environment)
        if not isinstance(relation, UnitRelation):
            raise unsupported("EXISTS reads a dataset here.", MEMBER_RULE, node, self._scope.sql)
        inner = Scope(self._scope.sql, relation.refs, {alias: dict(relation.columns)})
        binder = Binder(self._compiler, self._environment, inner, {})
        outer_key: exp.Expr | None = None
        inner_key: exp.Expr | None = None
        rest: list[exp.Expr] = []
        where = inside.args.get("where")
        for term in conjuncts(where.this if where else None):
            pair = self._correlation(term, inner)
            if pair is not None and outer_key is None:
                outer_key, inner_key = pair
            else:
                rest.append(binder.below(term))
        if outer_key is None or inner_key is None:
            raise refuse(
                Code.JOIN_NOT_DECLARED,
                "This EXISTS does not say how the two datasets meet.",
                MEMBER_RULE,
                "Add the equality of the two keys to its WHERE.",
                node,
                self._scope.sql,
            )
        restricted = relation.and_where(rest)
        return self._compiler.memberships(relation).column(
            outer_key, restricted, inner_key, self._scope.refs, node
        )

    def _correlation(self, term: exp.Expr, inner: Scope) -> tuple[exp.Expr, exp.Expr] | None:
        if not isinstance(term, exp.EQ):
            return None
        left, right = bare(term.this), bare(term.expression)
        if not isinstance(left, exp.Column) or not isinstance(right, exp.Column):
            return None
        for here, there in ((left, right), (right, left)):
            outer = self._scope.find(here) if inner.find(here) is None or here.table else None
            found = inner.find(there)
            if outer is not None and found is not None and inner.find(here) is None:
                return outer.copy(), found.copy()
        return None
