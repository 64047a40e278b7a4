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


def conjuncts(node: exp.Expr | None) -> Iterator[exp.Expr]:
    """The terms of a conjunction, each without parentheses."""
    pending = [node] if node is not None else []
    while pending:
        term = bare(pending.pop())
        if isinstance(term, exp.And):
            pending += [term.expression, term.this]
        else:
            yield term
