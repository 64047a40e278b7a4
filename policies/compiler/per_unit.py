"""Aggregation per unit before aggregation over units: where a row is a unit, it changes nothing but the names."""

from __future__ import annotations

from sqlglot import exp

from policies.compiler.errors import refuse, unsupported
from policies.compiler.expressions import Binder
from policies.compiler.refs import Kind, OtherRef, key_of
from policies.compiler.relations import UnitRelation
from policies.compiler.trees import bare, conjuncts, map_children
from policies.refusals import Code

_IDENTITIES = (exp.Sum, exp.Avg, exp.Min, exp.Max, exp.Median, exp.AnyValue, exp.First, exp.Last)


def groups_by_unit(node: exp.Select, binder: Binder, relation: UnitRelation) -> bool:
    """Whether a SELECT has a group for each unit. Raises RefusalError where a unit has several rows."""
    group = node.args.get("group")
    if group is None:
        return False
    for typed in group.expressions:
        item = _at_position(typed, node)
        if not isinstance(item, exp.Column):
            continue
        bound = binder.below(item)
        ref = relation.refs[key_of(bound)] if isinstance(bound, exp.Column) else None
        if isinstance(ref, OtherRef) and ref.kind is Kind.UNIT:
            unit = relation.base.document.unit
            if not unit.row_is_unit:
                raise refuse(
                    Code.MEASURE_EXPRESSION,
                    f"Totals per {unit.name} are not declared for this dataset.",
                    "A measure of a unit with several rows must be declared by the custodian.",
                    f"Aggregate over the rows; their mean number per {unit.name} is"
                    f" count(*) / count(DISTINCT {ref.name}).",
                    item,
                    binder.sql,
                )
            _check_plain(node, group, binder.sql)
            return True
    return False


def _at_position(item: exp.Expr, node: exp.Select) -> exp.Expr:
    """The expression that ``GROUP BY 1`` names."""
    columns: list[exp.Expr] = node.expressions
    if isinstance(item, exp.Literal) and item.name.isdigit() and 1 <= int(item.name) <= len(columns):
        return columns[int(item.name) - 1].unalias()
    return item


def _check_plain(node: exp.Select, group: exp.Group, sql: str) -> None:
    """One row in, one row out: nothing that repeats, drops or picks units."""
    repeated = any(group.args.get(part) for part in ("rollup", "cube", "grouping_sets"))
    repeated |= any(isinstance(item, exp.Rollup | exp.Cube | exp.GroupingSets) for item in group.expressions)
    picked = [part for part in ("distinct", "limit", "offset", "qualify") if node.args.get(part) is not None]
    if repeated or picked:
        raise unsupported(
            "Groups per unit are plain here: without totals, DISTINCT, LIMIT, OFFSET or QUALIFY.",
            "Group by the unit and its columns alone, and aggregate over that.",
            node.args[picked[0]] if picked else group,
            sql,
        )


def per_unit_columns(node: exp.Select, binder: Binder, sql: str) -> dict[str, exp.Expr]:
    columns = {}
    for item in node.expressions:
        inner = item.this if isinstance(item, exp.Alias) else item
        name = item.alias_or_name.lower() or inner.sql(dialect="duckdb").lower()
        columns[name] = binder.below(_of_one_row(inner, sql))
    return columns


def per_unit_having(node: exp.Select, binder: Binder, sql: str) -> list[exp.Expr]:
    having = node.args.get("having")
    return [binder.below(_of_one_row(term, sql)) for term in conjuncts(having.this if having else None)]


def _of_one_row(node: exp.Expr, sql: str) -> exp.Expr:
    """An aggregate over exactly one row, as an expression of that row."""
    if isinstance(node, exp.Filter):
        aggregate = bare(node.this)
        row = exp.Case(ifs=[exp.If(this=node.expression.this, true=_of_one_row(aggregate, sql))])
        if isinstance(aggregate, exp.Count | exp.CountIf):
            row.set("default", exp.Literal.number(0))
        return row
    if isinstance(node, _IDENTITIES) and not isinstance(node.this, exp.Distinct):
        argument: exp.Expr = node.this
        return argument
    if isinstance(node, exp.CountIf):
        met = exp.If(this=node.this, true=exp.Literal.number(1))
        return exp.Case(ifs=[met], default=exp.Literal.number(0))
    if isinstance(node, exp.Count):
        argument = node.this
        one, zero = exp.Literal.number(1), exp.Literal.number(0)
        if isinstance(argument, exp.Star):
            return one
        if not isinstance(argument, exp.Distinct):
            absent = exp.Is(this=argument, expression=exp.Null())
            return exp.Case(ifs=[exp.If(this=absent, true=zero)], default=one)
    if isinstance(node, exp.AggFunc | exp.Window):
        raise refuse(
            Code.UNKNOWN_FUNCTION,
            "This aggregate per unit is not available.",
            "Per unit, SUM, AVG, MIN, MAX and COUNT of its one row are understood.",
            "Use the column itself.",
            node,
            sql,
        )
    return map_children(node, lambda child: _of_one_row(child, sql))
