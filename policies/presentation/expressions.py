"""The status of an expression: the worst of what it reads, over the same rows, filter and frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from sqlglot import exp

from policies.cells import FIRST_HIDDEN
from policies.presentation.bind import DIALECT, is_aggregate_call
from policies.presentation.refuse import untraceable
from policies.presentation.scope import Scope

_RANKS = exp.RowNumber | exp.Rank | exp.DenseRank | exp.PercentRank | exp.CumeDist | exp.Ntile
_SHIFTS = exp.Lag | exp.Lead
_PICKS = exp.FirstValue | exp.LastValue | exp.NthValue


def worst(statuses: Sequence[exp.Expr]) -> exp.Expr | None:
    """One expression for the worst of several statuses; None if there are none. NULL (no row) counts as none."""
    unique = list({s.sql(DIALECT): s for s in statuses}.values())
    if not unique:
        return None
    if len(unique) == 1:
        return unique[0].copy()
    return exp.Anonymous(this="greatest", expressions=[s.copy() for s in unique])


def hidden(status: exp.Expr) -> exp.GTE:
    return exp.GTE(this=status.copy(), expression=exp.Literal.number(int(FIRST_HIDDEN)))


def guard(value: exp.Expr, status: exp.Expr | None) -> exp.Expr:
    """``value``, NULL where its status hides it. A bare column needs no guard: it is NULL where hidden."""
    if status is None or isinstance(value, exp.Column):
        return value
    return exp.Case(ifs=[exp.If(this=hidden(status), true=exp.null())], default=value)


class Use(StrEnum):
    """What an expression takes from a subquery."""

    SCALAR = "scalar"  # its one value
    ANY_ROW = "any_row"  # a value of any row: IN, ANY, ALL, ARRAY
    EXISTENCE = "existence"  # whether it has rows


@dataclass(frozen=True, slots=True)
class Answer:
    """A subquery of an expression, rewritten: what gives its value, and the statuses it brings in."""

    value: exp.Query
    statuses: tuple[exp.Expr, ...]


@dataclass(frozen=True, slots=True)
class GroupKey:
    """A GROUP BY key that may be hidden: the key as it is grouped by, and its status within a group."""

    value: exp.Expr
    status: exp.Expr


Subqueries = Callable[[exp.Query, Use, Scope], Answer]


@dataclass(slots=True)
class Expressions:
    """Values and statuses of the expressions of one SELECT.

    ``grouped`` if the SELECT aggregates: then columns outside aggregates are group keys, and ``keys`` holds those
    that may be hidden by their SQL. ``aliases`` are statuses of output columns, for ORDER BY.
    """

    scope: Scope
    subquery: Subqueries
    grouped: bool = False
    keys: dict[str, GroupKey] = field(default_factory=dict)
    aliases: dict[str, exp.Expr | None] = field(default_factory=dict)

    # Values -----------------------------------------------------------------------------------------------------

    def condition(self, node: exp.Expr) -> exp.Expr:
        """``value``, and aggregates and windows in it are NULL where hidden: no condition reads a partial sum."""
        if isinstance(node, exp.Query):
            return self.value(node)
        if isinstance(node, exp.Window) or (self.grouped and is_aggregate_call(node)):
            return guard(self.value(node), self.status(node))
        if node.find(exp.AggFunc, exp.Anonymous, exp.Window) is None:
            return self.value(node)
        copied = node.copy()
        for name, child in node.args.items():
            if isinstance(child, exp.Expr):
                copied.set(name, self.condition(child))
            elif isinstance(child, list):
                copied.set(name, [self.condition(c) if isinstance(c, exp.Expr) else c for c in child])
        return copied

    def value(self, node: exp.Expr, grouped: bool | None = None) -> exp.Expr:
        """``node`` with its subqueries rewritten and its hidden group keys guarded."""
        grouped = self.grouped if grouped is None else grouped
        if grouped and self.keys and (key := self.keys.get(node.sql(DIALECT))):
            return key.value.copy()
        if isinstance(node, exp.Query):
            answer = self.subquery(node, _use(node), self.scope).value
            return exp.Subquery(this=answer) if isinstance(node, exp.Subquery) else answer
        inner = grouped and not is_aggregate_call(node)
        copied = node.copy()
        if not (self.keys and inner) and not any(isinstance(n, exp.Query) for n in node.walk()):
            return copied
        if isinstance(node, exp.Window):
            copied.set("this", self._call_value(node.this, inner))
        for name, child in node.args.items():
            if name == "this" and isinstance(node, exp.Window):
                continue
            if isinstance(child, exp.Expr):
                copied.set(name, self.value(child, inner))
            elif isinstance(child, list):
                copied.set(name, [self.value(c, inner) if isinstance(c, exp.Expr) else c for c in child])
        return copied

    def _call_value(self, call: exp.Expr, grouped: bool) -> exp.Expr:
        """A window's own function: no aggregate of the SELECT, though its arguments may hold some."""
        copied = call.copy()
        for name, child in call.args.items():
            if isinstance(child, exp.Expr):
                wrapped = name == "this" and isinstance(call, exp.IgnoreNulls | exp.RespectNulls | exp.Filter)
                copied.set(name, (self._call_value if wrapped else self.value)(child, grouped))
            elif isinstance(child, list):
                copied.set(name, [self.value(c, grouped) if isinstance(c, exp.Expr) else c for c in child])
        return copied

    # Statuses ---------------------------------------------------------------------------------------------------

    def status(self, node: exp.Expr) -> exp.Expr | None:
        """The status of ``node``, or None if nothing it reads is ever hidden."""
        return worst(self.statuses(node, self.grouped))

    def statuses(self, node: exp.Expr, grouped: bool, bound: frozenset[str] = frozenset()) -> list[exp.Expr]:
        """Statuses of all that ``node`` reads; ``bound`` are the parameters of the lambdas around it."""
        if grouped and self.keys and (key := self.keys.get(node.sql(DIALECT))):
            return [key.status]
        match node:
            case exp.Column():
                return self._column(node, bound)
            case exp.Query():
                return list(self.subquery(node, _use(node), self.scope).statuses)
            case exp.Window():
                return self._window(node, grouped, bound)
            case exp.TableColumn():
                raise untraceable(node, "a whole row as a value")
            case exp.Lambda():
                parameters = bound | {p.name.lower() for p in node.expressions}
                return self.statuses(node.this, grouped, parameters)
            case exp.Comprehension():
                inner = bound | {n.name.lower() for n in (node.this, node.expression) if n is not None}
                bound = inner
            case _ if grouped and is_aggregate_call(node):
                return self._aggregate(node, bound)
        return [s for child in node.iter_expressions() for s in self.statuses(child, grouped, bound)]

    def _column(self, column: exp.Column, bound: frozenset[str]) -> list[exp.Expr]:
        if not column.table or column.table.lower() in bound:
            if column.name.lower() in bound or column.table.lower() in bound:
                return []
            if column.name.lower() in self.aliases:
                status = self.aliases[column.name.lower()]
                return [] if status is None else [status]
        found = self.scope.status_of(column)
        return [] if found is None else [found]

    def _aggregate(self, node: exp.Expr, bound: frozenset[str]) -> list[exp.Expr]:
        """The worst status over the rows of the group; a condition that may be hidden counts on every row."""
        if isinstance(node, exp.Grouping):
            return []
        call, predicate = node, None
        if isinstance(node, exp.Filter):
            call, predicate = node.this, node.expression.this
        found: list[exp.Expr] = []
        reads = [s for child in call.iter_expressions() for s in self.statuses(child, False, bound)]
        if (status := worst(reads)) is not None:
            total: exp.Expr = exp.Max(this=status)
            if predicate is not None:
                total = exp.Filter(this=total, expression=exp.Where(this=self.value(predicate, False)))
            found.append(total)
        if predicate is not None and (status := worst(self.statuses(predicate, False, bound))) is not None:
            found.append(exp.Max(this=status))
        return found

    def _window(self, node: exp.Window, grouped: bool, bound: frozenset[str]) -> list[exp.Expr]:
        """The same window over statuses, and what places the row itself: its partition and order keys."""
        call, predicate, skips_nulls = node.this, None, False
        while isinstance(call, exp.IgnoreNulls | exp.RespectNulls | exp.Filter):
            skips_nulls = skips_nulls or isinstance(call, exp.IgnoreNulls)
            if isinstance(call, exp.Filter):
                predicate = call.expression.this
            call = call.this
        found = [s for key in window_keys(node) for s in self.statuses(key, grouped, bound)]
        reads = [s for child in call.iter_expressions() for s in self.statuses(child, grouped, bound)]
        status = worst(reads)
        if isinstance(call, _RANKS):
            return found + reads
        if status is not None:
            over = self.value(node, grouped)
            if isinstance(call, exp.Anonymous) and call.name.lower() == "fill":
                raise untraceable(node, "fill(), which reads neighbouring rows")
            if isinstance(call, _SHIFTS) or (isinstance(call, _PICKS) and not skips_nulls):
                if skips_nulls:
                    raise untraceable(node, "LAG or LEAD with IGNORE NULLS")
                over.set("this", self._picked(call, grouped, bound))
            else:
                largest: exp.Expr = exp.Max(this=status)
                if predicate is not None:
                    where = exp.Where(this=self.value(predicate, grouped))
                    largest = exp.Filter(this=largest, expression=where)
                over.set("this", largest)
            found.append(over)
        if predicate is not None and (status := worst(self.statuses(predicate, grouped, bound))) is not None:
            over = self.value(node, grouped)
            over.set("this", exp.Max(this=status))
            found.append(over)
        return found

    def _picked(self, call: exp.Expr, grouped: bool, bound: frozenset[str]) -> exp.Expr:
        """LAG, LEAD, FIRST_VALUE, LAST_VALUE, NTH_VALUE of the status, with the arguments of the value's."""
        picked = self.value(call, grouped)
        picked.set("this", worst(self.statuses(call.this, grouped, bound)) or exp.Literal.number(0))
        if (default := call.args.get("default")) is not None:
            picked.set("default", worst(self.statuses(default, grouped, bound)) or exp.Literal.number(0))
        if (offset := call.args.get("offset")) is not None and self.statuses(offset, grouped, bound):
            raise untraceable(call, "an offset that may itself be withheld")
        return picked


def window_keys(window: exp.Window) -> list[exp.Expr]:
    """What a window partitions and orders by."""
    order = window.args.get("order")
    return [*(window.args.get("partition_by") or []), *(o.this for o in (order.expressions if order else []))]


def _use(query: exp.Query) -> Use:
    parent = query.parent
    if isinstance(parent, exp.Exists):
        return Use.EXISTENCE
    if isinstance(parent, exp.In | exp.Any | exp.All | exp.Array):
        return Use.ANY_ROW
    return Use.SCALAR
