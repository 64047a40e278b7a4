"""How the passes above the line refuse: the code, the place in the SQL, the rule and what to do instead."""

from __future__ import annotations

from sqlglot import exp

from policies.refusals import Code, Position, Refusal, RefusalError


def position(node: exp.Expr) -> Position | None:
    """Where ``node`` stands in the SQL as typed, where sqlglot kept it."""
    for each in node.walk():
        start = each.meta.get("start")
        if start is not None:
            return Position(
                line=each.meta["line"],
                column=each.meta["col"] - (each.meta["end"] - start),
                offset=start,
            )
    return None


def refuse(code: Code, node: exp.Expr | None, message: str, rule: str, remedy: str) -> RefusalError:
    return RefusalError(Refusal(code, message, rule, remedy, position(node) if node is not None else None))


def untraceable(node: exp.Expr, what: str) -> RefusalError:
    """A status cannot be carried through ``what``."""
    return refuse(
        Code.STATUS_NOT_TRACEABLE,
        node,
        f"The status of withheld values cannot be carried through {what}.",
        "Every number in a result says whether it was withheld or computed from one that was.",
        "Compute it in a CTE with plain expressions, aggregates or windows, and use its columns.",
    )
