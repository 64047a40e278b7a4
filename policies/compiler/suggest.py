"""A coarser question that would be accepted: tried by the compiler itself, found from metadata alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from catalogue.catalogue import BoundDataset
from catalogue.models import Role
from policies.compiler.aggregates import is_aggregate
from policies.compiler.errors import nearest
from policies.context import Context
from policies.plan import ClearedPlan
from policies.refusals import RefusalError

MAXIMUM_TRIES = 12
PERCENTILES = {exp.Max: "0.9", exp.Min: "0.1"}

Compile = Callable[[str, Context], ClearedPlan]


def coarser(sql: str, context: Context, compile_plan: Compile) -> str | None:
    """The first coarser form of ``sql`` that compiles, None where the terms allow nothing at all.

    In order: misspelt names mended, extremes as percentiles, one dimension at a time a level coarser, one group fewer,
    a count of the same groups, no conditions; last a plain count of the dataset.
    """
    for tried, candidate in enumerate(_candidates(sql, context)):
        if tried >= MAXIMUM_TRIES:
            break
        if candidate == sql:
            continue
        try:
            compile_plan(candidate, context)
        except RefusalError:
            continue
        return candidate
    return next(_compiling(_counts(sql, context), context, compile_plan), None)


def _compiling(candidates: Iterator[str], context: Context, compile_plan: Compile) -> Iterator[str]:
    for candidate in candidates:
        try:
            compile_plan(candidate, context)
        except RefusalError:
            continue
        yield candidate


def _candidates(sql: str, context: Context) -> Iterator[str]:
    try:
        tree = sqlglot.parse_one(sql, dialect="duckdb")
    except (SqlglotError, RecursionError):
        return
    if not isinstance(tree, exp.Select):
        return
    mended = _mended(tree, context)
    if mended != tree:
        tree = mended
        yield tree.sql(dialect="duckdb")
    percentiles = tree.transform(_percentile)
    if percentiles != tree:
        yield percentiles.sql(dialect="duckdb")
    for dataset in _datasets(tree, context):
        for finer, other in _coarsenings(dataset):
            if any(column.name.lower() == finer for column in tree.find_all(exp.Column)):
                yield tree.transform(_renaming(finer, other)).sql(dialect="duckdb")
    for fewer in _fewer_groups(tree):
        yield fewer.sql(dialect="duckdb")
    counted = _counted(tree, context)
    if counted is not None:
        yield counted.sql(dialect="duckdb")
    if tree.args.get("where"):
        for conditional in (tree, counted):
            if conditional is not None:
                plain = conditional.copy()
                plain.set("where", None)
                yield plain.sql(dialect="duckdb")


def _counted(tree: exp.Select, context: Context) -> exp.Select | None:
    """The same groups under the same conditions, with a plain count in place of what was to be computed of them."""
    from_ = tree.args.get("from_")
    source = from_.this if from_ is not None else None
    if not isinstance(source, exp.Table) or source.name.lower() not in context.catalogue.datasets:
        return None
    counted = exp.Select(
        expressions=[
            *(item.copy() for item in tree.expressions if not any(map(_computes, item.walk()))),
            exp.Count(this=exp.Star()),
        ]
    )
    for part in ("from_", "joins", "where", "group"):
        clause = tree.args.get(part)
        counted.set(
            part, [each.copy() for each in clause] if isinstance(clause, list) else clause and clause.copy()
        )
    return counted


def _computes(node: exp.Expr) -> bool:
    return is_aggregate(node) or isinstance(node, exp.Window | exp.Query | exp.Star)


def _mended(tree: exp.Select, context: Context) -> exp.Select:
    """The query with each name that nothing has as the nearest that something has."""
    catalogue, mended = context.catalogue, tree.copy()
    own = {alias.alias_or_name.lower() for alias in tree.find_all(exp.CTE, exp.Alias, exp.TableAlias)}
    tables = {*catalogue.datasets, *catalogue.codelists, *own}
    for table in mended.find_all(exp.Table):
        if table.name.lower() not in tables and (close := nearest(table.name, tables - own, 1)):
            table.set("this", exp.to_identifier(close[0]))
    columns = set(own)
    for table in mended.find_all(exp.Table):
        name = table.name.lower()
        if name in catalogue.datasets:
            columns |= set(catalogue.datasets[name].document.variables)
        elif name in catalogue.codelists:
            columns |= set(catalogue.codelists[name].table.column_names)
    for column in mended.find_all(exp.Column):
        if column.name.lower() not in columns and (close := nearest(column.name, columns - own, 1)):
            column.set("this", exp.to_identifier(close[0]))
    return mended


def _percentile(node: exp.Expr) -> exp.Expr:
    for kind, quantile in PERCENTILES.items():
        if isinstance(node, kind) and not node.expressions:
            return exp.PercentileCont(this=node.this, expression=exp.Literal.number(quantile))
    return node


def _renaming(finer: str, other: str) -> Callable[[exp.Expr], exp.Expr]:
    def one(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column) and node.name.lower() == finer:
            return exp.column(other, table=node.table or None)
        return node

    return one


def _datasets(tree: exp.Expr, context: Context) -> list[BoundDataset]:
    names = dict.fromkeys(table.name.lower() for table in tree.find_all(exp.Table))
    return [context.catalogue.datasets[name] for name in names if name in context.catalogue.datasets]


def _coarsenings(dataset: BoundDataset) -> Iterator[tuple[str, str]]:
    """Pairs of variables of one dimension, the finer first, by how many codes they have."""
    for dimension in dataset.dimensions.values():
        codelist = dimension.codelist
        if codelist is None:
            continue
        sized = []
        for name, variable in dataset.document.variables.items():
            if variable.role is Role.DIMENSION and (variable.of or name) == dimension.name:
                level = dataset.level_of(name)
                codes = set(codelist.table.column(level).to_pylist()) if level is not None else set()
                sized.append((len(codes), name))
        sized.sort(reverse=True)
        yield from ((finer, other) for (_, finer), (_, other) in pairwise(sized))


def _fewer_groups(tree: exp.Select) -> Iterator[exp.Select]:
    """The query without its last group, and without the column that shows it."""
    group = tree.args.get("group")
    if group is None or len(group.expressions) < 2:
        return
    for dropped in reversed(group.expressions):
        fewer = tree.copy()
        fewer.args["group"].set("expressions", [e.copy() for e in group.expressions if e is not dropped])
        kept = [
            item.copy()
            for number, item in enumerate(tree.expressions, 1)
            if item.alias_or_name != dropped.alias_or_name
            and not (isinstance(dropped, exp.Literal) and dropped.name == str(number))
        ]
        if kept and not any(isinstance(e, exp.Literal) for e in group.expressions):
            fewer.set("expressions", kept)
            yield fewer


def _counts(sql: str, context: Context) -> Iterator[str]:
    """Plain counts of the dataset that was meant, or of any that the agreement covers, by a variable that the question
    names, or by a coarse one."""
    covered = list(context.agreement.datasets) if context.agreement else []
    words = set(re.findall(r"\w+", sql.lower()))
    for name in sorted(covered, key=lambda name: name not in words):
        dataset = context.catalogue.datasets.get(name)
        if dataset is None:
            continue
        variables = dataset.document.variables.items()
        named = [
            variable for variable, v in variables if v.role is Role.DIMENSION and variable.lower() in words
        ]
        for variable in [*named, *(other for _, other in _coarsenings(dataset))][:3]:
            yield f"SELECT {variable}, COUNT(*) FROM {name} GROUP BY {variable}"
        yield f"SELECT COUNT(*) FROM {name}"
