"""The run's clock: now() and its like become literals, so that a query means the same when it is run again."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlglot import exp

from policies.presentation.refuse import refuse
from policies.refusals import Code

_DATES = {"current_date", "today"}
_INSTANTS = {"now", "current_timestamp", "transaction_timestamp", "get_current_timestamp"}
_LOCAL = {"localtimestamp", "current_localtimestamp"}
#: What becomes a literal, by the names that DuckDB's own parse has.
CLOCK_FUNCTIONS = frozenset(_DATES | _INSTANTS | _LOCAL)
_NODES: dict[type[exp.Expr], str] = {
    exp.CurrentDate: "current_date",
    exp.CurrentTimestamp: "now",
    exp.Localtimestamp: "localtimestamp",
}


def bind_clock(query: exp.Query, clock: datetime | None) -> exp.Query:
    """``query`` with the date and the time of day of ``clock`` (with a time zone; as UTC): a copy, unless it has none.

    >>> import sqlglot
    >>> noon = datetime(2026, 3, 31, 12, tzinfo=UTC)
    >>> bind_clock(sqlglot.parse_one("SELECT current_date", dialect="duckdb"), noon).sql("duckdb")
    "SELECT CAST('2026-03-31' AS DATE)"

    Raises RefusalError(unsupported_syntax) if the query asks for the time and there is no clock.
    """

    if query.find(*_NODES, exp.Anonymous) is None:
        return query  # copying a long query takes longer than all that is done here

    def literal(node: exp.Expr) -> exp.Expr:
        name = _NODES.get(type(node)) or (node.name.lower() if isinstance(node, exp.Anonymous) else "")
        if name not in CLOCK_FUNCTIONS or node.expressions:
            return node
        if clock is None:
            raise refuse(
                Code.UNSUPPORTED_SYNTAX,
                node,
                "The query asks for the date or time of day.",
                "A result may depend on the time only through the clock of its run.",
                "Write the date in the query.",
            )
        utc = clock.astimezone(UTC)
        if name in _DATES:
            return exp.cast(exp.Literal.string(utc.date().isoformat()), exp.DType.DATE)
        text = exp.Literal.string(
            utc.isoformat(sep=" ") if name in _INSTANTS else utc.replace(tzinfo=None).isoformat(sep=" ")
        )
        return exp.cast(text, exp.DType.TIMESTAMPTZ if name in _INSTANTS else exp.DType.TIMESTAMP)

    bound = query.copy()
    for node in list(bound.find_all(*_NODES, exp.Anonymous)):
        node.replace(literal(node))
    return bound
