"""Small helpers on sqlglot trees that keep a node's place in the text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from sqlglot import exp

Node = TypeVar("Node", bound=exp.Expr)


def map_children(node: Node, change: Callable[[exp.Expr], exp.Expr]) -> Node:
    """A new node of the same kind whose children are changed; place and comments stay behind with it."""
    arguments: dict[str, object] = {}
    for name, value in node.args.items():
        if isinstance(value, list):
            arguments[name] = [change(item) if isinstance(item, exp.Expr) else item for item in value]
        else:
            arguments[name] = change(value) if isinstance(value, exp.Expr) else value
    new = type(node)(**arguments)
    new.meta.update({name: value for name, value in node.meta.items() if name != "query_modifiers"})
    return new


def bare(node: exp.Expr) -> exp.Expr:
    """Without the parentheses around it."""
    while isinstance(node, exp.Paren):
        node = node.this
    return node


def rows_compared(node: exp.Expr) -> exp.Expr:
    """A comparison of rows, ``(a, b) IN ((1, 2), …)`` or ``(a, b) = (1, 2)``, column by column.

    Within rows DuckDB compares as IS NOT DISTINCT FROM does. What is no such comparison is given back as it is.

    >>> import sqlglot
    >>> rows_compared(sqlglot.parse_one("(a, b) = (1, 2)", dialect="duckdb")).sql("duckdb")
    '(a IS NOT DISTINCT FROM 1 AND b IS NOT DISTINCT FROM 2)'
    """
    left = bare(node.this) if isinstance(node, exp.In | exp.EQ | exp.NEQ) else None
    if not isinstance(left, exp.Tuple):
        return node
    rows = [bare(row) for row in (node.expressions if isinstance(node, exp.In) else [node.expression])]
    if not rows or not all(
        isinstance(row, exp.Tuple) and len(row.expressions) == len(left.expressions) for row in rows
    ):
        return node
    alternatives = [
        exp.and_(
            *(
                exp.NullSafeEQ(this=mine.copy(), expression=theirs.copy())
                for mine, theirs in zip(left.expressions, row.expressions, strict=True)
            ),
            wrap=False,
        )
        for row in rows
    ]
    same = exp.Paren(this=exp.or_(*alternatives))
    return exp.Not(this=same) if isinstance(node, exp.NEQ) else same


def conjuncts(node: exp.Expr | None) -> Iterator[exp.Expr]:
    """The terms of a conjunction, each without parentheses."""
    pending = [node] if node is not None else []
    while pending:
        term = bare(pending.pop())
        if isinstance(term, exp.And):
            pending += [term.expression, term.this]
        else:
            yield term
