"""Trees that the status pass builds: queries wrapped, deduplicated and brought to the same columns."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from policies.presentation.bind import DIALECT
from policies.presentation.refuse import untraceable
from policies.presentation.scope import ROWS, Columns, companion, named, quoted, unnamed


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A query with its companions. ``undecided``: statuses, one row each, of the rows a correlated WHERE decides."""

    query: exp.Query
    columns: Columns
    undecided: exp.Select | None = None


def wrapped(query: exp.Query, projections: list[exp.Expr]) -> exp.Select:
    """``SELECT projections FROM (query) AS __fed_rows``."""
    source = exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier(ROWS)))
    return exp.Select(expressions=projections).from_(source)


def all_columns(columns: Columns) -> list[exp.Expr]:
    names = [*columns, *(status for status in columns.values() if status)]
    return [exp.column(quoted(name), table=ROWS) for name in names]


def deduplicated(query: exp.Query, columns: Columns) -> exp.Select:
    """Each distinct row of values once, with the worst of its statuses."""
    values = [exp.column(quoted(name), table=ROWS) for name in columns]
    statuses = [named(exp.Max(this=exp.column(quoted(s), table=ROWS)), s) for s in columns.values() if s]
    with_ = query.args.get("with_")
    if with_ is not None:
        query.set("with_", None)
    new = wrapped(query, [*values, *statuses])
    new.set("with_", with_)
    new.set("group", exp.Group(expressions=[v.copy() for v in values]))
    return new


def padded(branch: Rewritten, need: set[int], names: list[str]) -> exp.Query:
    """A branch of a set operation that returns its values, then a companion at each position of ``need``."""
    have = {i for i, status in enumerate(branch.columns.values()) if status}
    if have == need and list(branch.columns) == names and isinstance(branch.query, exp.Select):
        return branch.query
    projections: list[exp.Expr] = [
        named(exp.column(quoted(own), table=ROWS), name)
        for own, name in zip(branch.columns, names, strict=True)
    ]
    for i, (name, status) in enumerate(zip(names, branch.columns.values(), strict=True)):
        if i in need:
            value = exp.column(quoted(status), table=ROWS) if status else exp.Literal.number(0)
            projections.append(named(value, companion(name)))
    return wrapped(branch.query, projections)


def renamed(node: exp.Expr, columns: Columns, alias: exp.Expr | None) -> Columns:
    """``columns`` under the names of ``AS t(a, b)``, which is copied to ``alias``."""
    given = node.args.get("alias")
    names = given.columns if isinstance(given, exp.TableAlias) else []
    if not names:
        return columns
    if isinstance(alias, exp.TableAlias):
        alias.set("columns", [n.copy() for n in names])
    kept = list(columns)[len(names) :]
    known = [*(n.name.lower() for n in names), *kept]
    return dict(zip(known, columns.values(), strict=False))


def leaves(node: exp.Expr) -> list[exp.Expr]:
    """The keys of a ROLLUP, CUBE or GROUPING SETS."""
    if isinstance(node, exp.Tuple | exp.Rollup | exp.Cube | exp.GroupingSets):
        return [leaf for child in node.expressions for leaf in leaves(child)]
    if isinstance(node, exp.Paren):
        return leaves(node.this)
    return [node]


def reads(query: exp.Expr, name: str) -> bool:
    return any(table.name.lower() == name.lower() for table in query.find_all(exp.Table))


def order_of_output(select: exp.Select, order: exp.Order | None) -> exp.Order | None:
    """ORDER BY of a SELECT DISTINCT in terms of its output columns, the only ones it may use."""
    if order is None:
        return None
    names = {unnamed(p).sql(DIALECT): p.alias_or_name for p in select.expressions}
    outputs = {name.lower() for name in names.values()}
    keys = []
    for ordered, original in zip(order.expressions, select.args["order"].expressions, strict=True):
        name = names.get(original.this.sql(DIALECT))
        if name is None and isinstance(original.this, exp.Column) and original.this.name.lower() in outputs:
            name = original.this.name
        if name is None:
            raise untraceable(original, "ORDER BY of something that SELECT DISTINCT does not return")
        key = ordered.copy()
        key.set("this", exp.column(quoted(name), table=ROWS))
        keys.append(key)
    return exp.Order(expressions=keys)
