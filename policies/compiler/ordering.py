"""ORDER BY ALL as the positions that it stands for."""

from __future__ import annotations

from sqlglot import exp

from policies.compiler.errors import unsupported


def expand_order_by_all(tree: exp.Query, sql: str) -> exp.Query:
    """The query with each ORDER BY ALL as ORDER BY 1, 2, … in the same direction.

    Raises RefusalError (``unsupported_syntax``) where a star hides how many columns there are.
    """
    if not any(_is_all(order) for order in tree.find_all(exp.Order)):
        return tree
    changed = tree.copy()
    for order in list(changed.find_all(exp.Order)):
        query = order.parent
        if not isinstance(query, exp.Query) or not _is_all(order):
            continue
        ordered = order.expressions[0]
        if query.is_star:
            raise unsupported(
                "ORDER BY ALL needs the columns by name, not a star.",
                "Name the columns, or order by some of them.",
                query,
                sql,
            )
        positions = []
        for number in range(1, len(query.selects) + 1):
            position = ordered.copy()
            position.set("this", exp.Literal.number(number))
            positions.append(position)
        order.set("expressions", positions)
    return changed


def _is_all(order: exp.Order) -> bool:
    ordered = order.expressions[0]
    return len(order.expressions) == 1 and isinstance(ordered.this, exp.Var) and ordered.name.upper() == "ALL"
