"""Binding above the line: every name resolved by scope, every star, alias, position and named window written out.

sqlglot's ``qualify`` resolves names; what it leaves to the engine and the status pass must know (``GROUP BY ALL``,
``ORDER BY ALL``, named windows, default columns of table functions) is written out here.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp
from sqlglot.errors import OptimizeError, SchemaError, SqlglotError
from sqlglot.optimizer.qualify import qualify

from policies.presentation.functions import AGGREGATES
from policies.presentation.model import Relation
from policies.presentation.refuse import refuse
from policies.refusals import Code

DIALECT = "duckdb"


def bind(query: exp.Query, relations: Mapping[str, Relation]) -> exp.Query:
    """A copy of ``query`` in which every column names its source and every projection its alias.

    Status companions of ``relations`` are not visible to it: a star does not expand to them and naming one is an
    unknown column. Raises RefusalError for names that do not resolve.
    """
    schema: dict[str, object] = {r.name: {c.name: c.type for c in r.columns} for r in relations.values()}
    named = _name_function_columns(query.copy())
    try:
        bound = qualify(
            named,
            dialect=DIALECT,
            schema=schema,
            quote_identifiers=False,
            validate_qualify_columns=False,
        )
    except (OptimizeError, SchemaError) as error:
        code = Code.AMBIGUOUS_COLUMN if "mbiguous" in str(error) else Code.UNKNOWN_COLUMN
        raise refuse(
            code,
            query,
            "A name in the query does not resolve to one column.",
            "Every name above the line is a column of a CTE, a derived table or an aggregate of this query.",
            "Qualify the column with the alias of its table, or name the column in the SELECT it comes from.",
        ) from error
    except SqlglotError as error:
        raise refuse(
            Code.UNSUPPORTED_SYNTAX,
            query,
            "The query uses a construct whose names cannot be resolved.",
            "Names are resolved before anything runs.",
            "Write the query with plain SELECTs, CTEs and derived tables.",
        ) from error
    assert isinstance(bound, exp.Query)
    for select in list(bound.find_all(exp.Select)):
        _inline_windows(select)
        _expand_group_by_all(select)
    for ordered in list(bound.find_all(exp.Query)):
        _expand_order_by_all(ordered)
    return bound


def _name_function_columns(query: exp.Query) -> exp.Query:
    """Give table functions the alias and column that DuckDB gives them: ``FROM range(3)`` has a column ``range``,
    ``FROM range(3) AS i`` a column ``i``."""
    for source in query.find_all(exp.From, exp.Join):
        table = source.this
        if isinstance(table, exp.Unnest):
            name = "unnest"
        elif isinstance(table, exp.Table) and isinstance(table.this, exp.GenerateSeries):
            name = "range" if table.this.args.get("is_end_exclusive") else "generate_series"
        else:
            continue
        alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(name))
        if not alias.columns:
            alias.set("columns", [alias.this.copy()])
        table.set("alias", alias)
    return query


def _inline_windows(select: exp.Select) -> None:
    named = {w.this.name.lower(): w for w in select.args.get("windows") or []}
    if not named:
        return
    for window in list(select.find_all(exp.Window)):
        if window.find_ancestor(exp.Select) is not select or window.arg_key == "windows":
            continue
        base = window
        while reference := base.args.get("alias"):
            definition = named.get(reference.name.lower())
            if definition is None:
                raise refuse(
                    Code.UNSUPPORTED_SYNTAX,
                    window,
                    "The window is not defined in the WINDOW clause.",
                    "Named windows are defined in the same SELECT.",
                    "Define the window, or write it out after OVER.",
                )
            window.set("alias", None)
            for part in ("partition_by", "order", "spec"):
                if not window.args.get(part) and (value := definition.args.get(part)):
                    copied = [v.copy() for v in value] if isinstance(value, list) else value.copy()
                    window.set(part, copied)
            base = definition
        window.set("over", "OVER")
    select.set("windows", None)


def is_aggregate_call(node: exp.Expr) -> bool:
    """Whether ``node`` is a call of an aggregate function (with its FILTER, ORDER BY or WITHIN GROUP)."""
    if isinstance(node, exp.Filter | exp.WithinGroup | exp.IgnoreNulls | exp.RespectNulls):
        return is_aggregate_call(node.this)
    if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc):
        return node.name.lower() in AGGREGATES
    return isinstance(node, exp.AggFunc | exp.Grouping)


def has_aggregate(node: exp.Expr) -> bool:
    """Whether ``node`` computes an aggregate of its own SELECT's rows: not as a window, not in a subquery."""
    if isinstance(node, exp.Query):
        return False
    if isinstance(node, exp.Window):
        call = node.this
        while isinstance(call, exp.IgnoreNulls | exp.RespectNulls | exp.Filter):
            call = call.this
        children = [*call.iter_expressions(), *(c for c in node.iter_expressions() if c is not node.this)]
        return any(has_aggregate(child) for child in children)
    return is_aggregate_call(node) or any(has_aggregate(child) for child in node.iter_expressions())


def _expand_group_by_all(select: exp.Select) -> None:
    group = select.args.get("group")
    if group is None or not group.args.get("all"):
        return
    keys = [p.unalias().copy() for p in select.expressions if not has_aggregate(p)]
    select.set("group", exp.Group(expressions=keys) if keys else None)


def _expand_order_by_all(query: exp.Query) -> None:
    order = query.args.get("order")
    if order is None or len(order.expressions) != 1:
        return
    key = order.expressions[0]
    if key.this.name.upper() != "ALL" or not isinstance(key.this, exp.Column | exp.Var | exp.Identifier):
        return
    keys = []
    for name in query.named_selects:
        each = key.copy()
        each.set("this", exp.column(name))
        keys.append(each)
    order.set("expressions", keys)
