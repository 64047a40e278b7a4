"""Set operations over queries with companions: rows are compared by their values, and keep the worst status."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from policies.presentation.expressions import worst
from policies.presentation.notes import statuses_of
from policies.presentation.refuse import refuse, untraceable
from policies.presentation.scope import ROWS, Columns, companion, named, quoted
from policies.presentation.trees import Rewritten, all_columns, deduplicated, padded, wrapped
from policies.refusals import Code

_SIDE = "__fed_side"


@dataclass(frozen=True, slots=True)
class Combined:
    """A set operation, without its ORDER BY and LIMIT; ``compared``: the status of each row that it compares."""

    query: exp.Query
    columns: Columns
    compared: exp.Select | None = None


def combined(operation: exp.SetOperation, left: Rewritten, right: Rewritten) -> Combined:
    """``operation`` on its rewritten sides. Raises RefusalError where rows would be compared one by one (ALL)."""
    columns, branches = _aligned(operation, left, right)
    distinct, by_name = bool(operation.args.get("distinct")), bool(operation.args.get("by_name")) or None
    if not any(columns.values()):
        plain = type(operation)(this=branches[0], expression=branches[1], distinct=distinct, by_name=by_name)
        return Combined(plain, columns)
    union = exp.Union(this=branches[0], expression=branches[1], distinct=False, by_name=by_name)
    if isinstance(operation, exp.Union) and not distinct:
        return Combined(union, columns)
    if not distinct or (by_name and not isinstance(operation, exp.Union)):
        raise untraceable(operation, "EXCEPT ALL or INTERSECT ALL")
    compared = statuses_of(wrapped(union, []), hidden_status(columns))
    if isinstance(operation, exp.Union):
        return Combined(deduplicated(union.copy(), columns), columns, compared)
    return Combined(_kept(operation, branches, columns), columns, compared)


def hidden_status(columns: Columns) -> exp.Expr:
    """The worst status of a row of ``columns``, of which at least one may be hidden."""
    status = worst([exp.column(quoted(s), table=ROWS) for s in columns.values() if s])
    assert status is not None
    return status


def _aligned(
    operation: exp.SetOperation, left: Rewritten, right: Rewritten
) -> tuple[Columns, list[exp.Query]]:
    """The columns of the result, and both sides with a companion wherever either has one."""
    if operation.args.get("by_name"):
        names = {**left.columns, **right.columns}
        return {n: left.columns.get(n) or right.columns.get(n) for n in names}, [left.query, right.query]
    if len(left.columns) != len(right.columns):
        raise refuse(
            Code.UNSUPPORTED_SYNTAX,
            operation,
            "The two sides of the set operation have different numbers of columns.",
            "Both sides of UNION, EXCEPT and INTERSECT return the same columns.",
            "Return the same columns on both sides, or use UNION BY NAME.",
        )
    pairs = zip(left.columns.values(), right.columns.values(), strict=True)
    need = {i for i, pair in enumerate(pairs) if any(pair)}
    positions = list(left.columns)
    columns: Columns = {n: companion(n) if i in need else None for i, n in enumerate(positions)}
    return columns, [padded(left, need, positions), padded(right, need, positions)]


def _kept(operation: exp.SetOperation, branches: list[exp.Query], columns: Columns) -> exp.Query:
    """EXCEPT and INTERSECT as a grouping: by whether the values occur on each side, whatever their status."""
    sides = [
        wrapped(branch.copy(), [*all_columns(columns), named(exp.Literal.number(i), _SIDE)])
        for i, branch in enumerate(branches)
    ]
    both = exp.Union(this=sides[0], expression=sides[1], distinct=False)
    side = exp.column(_SIDE, table=ROWS)
    last = 0 if isinstance(operation, exp.Except) else 1
    bounds = (exp.Min(this=side), 0), (exp.Max(this=side.copy()), last)
    return deduplicated(both, columns).having(
        *(exp.EQ(this=bound, expression=exp.Literal.number(value)) for bound, value in bounds)
    )
