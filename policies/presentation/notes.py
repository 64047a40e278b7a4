"""Notes: where a withheld value decides which rows survive or in what order, the result says how many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlglot import exp

from policies.presentation.bind import DIALECT
from policies.presentation.expressions import hidden
from policies.presentation.model import NoteQuery
from policies.presentation.scope import ROWS, Scope, named


class NoteKind(StrEnum):
    FILTER = "filter"
    HAVING = "having"
    QUALIFY = "qualify"
    JOIN = "join"
    GROUP = "group"
    WINDOW = "window"
    DISTINCT = "distinct"
    SET_OPERATION = "set_operation"
    LIMIT = "limit"


TEXTS = {
    NoteKind.FILTER: "rows have a withheld value in the WHERE condition, which treats it as unknown",
    NoteKind.HAVING: "groups have a withheld value in the HAVING condition, which treats it as unknown",
    NoteKind.QUALIFY: "rows have a withheld value in the QUALIFY condition, which treats it as unknown",
    NoteKind.JOIN: "rows have a withheld value in a join condition and match nothing by it",
    NoteKind.GROUP: "rows have a withheld value in what they are grouped by and fall in one group without a name",
    NoteKind.WINDOW: "rows have a withheld value in what a rank or window is partitioned or ordered by",
    NoteKind.DISTINCT: "rows have a withheld value in what DISTINCT compares",
    NoteKind.SET_OPERATION: "rows have a withheld value in what a set operation compares",
    NoteKind.LIMIT: "rows have a withheld value in what ORDER BY sorts by before LIMIT or DISTINCT ON picks rows",
}

_STATUS = "__fed_status"


def statuses_of(rows: exp.Select, status: exp.Expr) -> exp.Select:
    """``rows`` (FROM to HAVING) returning the one status."""
    each = rows.copy()
    each.set("expressions", [named(status.copy(), _STATUS)])
    return each


def note(kind: NoteKind, definitions: Sequence[exp.CTE], *statuses: exp.Select) -> NoteQuery:
    """Counts the hidden among ``statuses``, each a query of one status column, under the CTEs in scope."""
    counts = []
    for each in statuses:
        rows = exp.select(exp.Count(this=exp.Star())).from_(
            exp.Subquery(this=each, alias=exp.TableAlias(this=exp.to_identifier(ROWS)))
        )
        counts.append(exp.Subquery(this=rows.where(hidden(exp.column(_STATUS)))))
    total: exp.Expr = counts[0]
    for count in counts[1:]:
        total = exp.Add(this=total, expression=count)
    query = exp.select(named(total, "rows"))
    if definitions:
        recursive = any(d.meta.get("recursive") for d in definitions)
        query.set("with_", exp.With(expressions=[d.copy() for d in definitions], recursive=recursive))
    return NoteQuery(kind, TEXTS[kind], query.sql(DIALECT))


@dataclass(frozen=True, slots=True)
class Pending:
    """A note to be made once it is known that the SELECT can be counted by itself."""

    kind: NoteKind
    joined: tuple[tuple[str, exp.Expr], ...]
    statuses: exp.Select | None = None

    def note(self, scope: Scope, sources: Mapping[str, exp.Expr]) -> NoteQuery:
        if self.statuses is not None:
            return note(self.kind, scope.definitions, self.statuses)
        counted = [statuses_of(exp.Select().from_(sources[a].copy()), s) for a, s in self.joined]
        return note(self.kind, scope.definitions, *counted)
