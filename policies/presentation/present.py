"""From a query over cells to the SQL that runs: allowed, bound, given statuses, regenerated and check again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlglot import exp

from policies.presentation.allow import check, one_select, verify_all_with_duckdb
from policies.presentation.bind import DIALECT, bind
from policies.presentation.clock import bind_clock
from policies.presentation.model import OutputColumn, Presentation, Relation
from policies.presentation.refuse import refuse
from policies.presentation.scope import ROWS, Columns, companion, named, quoted, unnamed
from policies.presentation.status import add_statuses
from policies.refusals import Code


def present(
    query: exp.Query,
    relations: Mapping[str, Relation],
    output_names: Sequence[str],
    *,
    clock: datetime | None = None,
) -> Presentation:
    """The presentation of ``query`` over ``relations``, with a status beside every output column.

    ``output_names`` are the names of the result's columns in order, as DuckDB would give them to the typed text;
    one that is there already is numbered (``a``, ``a_1``). ``clock`` is what now() and current_date mean.

    Raises RefusalError: unsupported_syntax, unknown_function, unknown_table, unknown_column, ambiguous_column or
    status_not_traceable, decided from the query alone.
    """
    timed = bind_clock(one_select(query), clock)
    check(timed, relations)
    bound = bind(timed, relations)
    rewritten, columns, notes = add_statuses(bound, relations)
    final, outputs = _finished(rewritten, columns, output_names)
    sql = final.sql(DIALECT)
    verify_all_with_duckdb([sql, *(n.sql for n in notes)], relations, query)
    return Presentation(sql, outputs, notes)


def _finished(
    query: exp.Query, columns: Columns, output_names: Sequence[str]
) -> tuple[exp.Select, tuple[OutputColumn, ...]]:
    """The query under its output names, with a status column, never NULL, for every one of them."""
    if len(output_names) != len(columns):
        raise refuse(
            Code.AMBIGUOUS_COLUMN,
            query,
            "Two columns of a derived table or CTE have the same name.",
            "Every name above the line is a column of a CTE, a derived table or an aggregate of this query.",
            "Give each column of the derived table or CTE an alias of its own.",
        )
    names = _distinct(output_names)
    outputs = tuple(OutputColumn(name, companion(name)) for name in names)
    statuses = {own: status for own, status in columns.items() if status}
    if isinstance(query, exp.Select):
        select, values = query.copy(), query.expressions[: len(names)]
        found = dict(zip(statuses, query.expressions[len(names) :], strict=True))
        status_of = {own: unnamed(each) for own, each in found.items()}
    else:
        select = exp.Select().from_(_rows(query))
        for part in ("order", "limit", "offset", "with_"):
            if (clause := query.args.get(part)) is not None:
                select.set(part, clause.copy())
        values = [exp.column(quoted(own), table=ROWS) for own in columns]
        status_of = {own: exp.column(quoted(status), table=ROWS) for own, status in statuses.items()}
    renamed = {own: exp.to_identifier(name, quoted=True) for own, name in zip(columns, names, strict=True)}
    if (order := select.args.get("order")) is not None:
        for column in list(order.find_all(exp.Column)):
            if not column.table and column.name.lower() in renamed:
                column.set("this", renamed[column.name.lower()].copy())
    select.set(
        "expressions",
        [
            *(named(unnamed(v).copy(), n, always_quoted=True) for v, n in zip(values, names, strict=True)),
            *(
                named(_known(status_of.get(own)), output.status_name, always_quoted=True)
                for own, output in zip(columns, outputs, strict=True)
            ),
        ],
    )
    return select, outputs


def _rows(query: exp.Query) -> exp.Subquery:
    inner = query.copy()
    for part in ("order", "limit", "offset", "with_"):
        inner.set(part, None)
    return exp.Subquery(this=inner, alias=exp.TableAlias(this=exp.to_identifier(ROWS)))


def _known(status: exp.Expr | None) -> exp.Expr:
    """A status as a small int; what an outer join or an empty group left NULL was not hidden."""
    if status is None:
        value: exp.Expr = exp.Literal.number(0)
    else:
        value = exp.Coalesce(this=status.copy(), expressions=[exp.Literal.number(0)])
    return exp.cast(value, exp.DType.TINYINT)


def _distinct(names: Sequence[str]) -> list[str]:
    taken: set[str] = set()
    distinct = []
    for name in names:
        unique, number = name, 1
        while unique.lower() in taken:
            unique, number = f"{name}_{number}", number + 1
        taken.add(unique.lower())
        distinct.append(unique)
    return distinct
