"""Typed parameters: ``$area`` becomes the literal that the requester put in, within its approved domain."""

from __future__ import annotations

from decimal import Decimal

from sqlglot import exp

from policies.compiler.errors import nearest, refuse
from policies.context import Context
from policies.refusals import Code

RULE = "A parameter has a domain that the custodian approved; a run puts in one value of it."


def bind_parameters(tree: exp.Query, context: Context, sql: str) -> exp.Query:
    """Raises RefusalError ``parameter_missing`` or ``parameter_invalid``."""

    def one(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Placeholder | exp.Parameter):
            return node
        name = node.name
        if not name or name.isdigit() or name == "?":
            raise refuse(
                Code.PARAMETER_INVALID,
                "Parameters have names here.",
                RULE,
                "Write $area in place of ? or $1.",
                node,
                sql,
            )
        if name not in context.parameters:
            raise refuse(
                Code.PARAMETER_MISSING,
                f"“${name}” has no value.",
                RULE,
                f"Give a value for “{name}”.",
                node,
                sql,
            )
        value = context.parameters[name]
        domain = context.domains.get(name)
        if domain is not None and value not in domain.values:
            close = nearest(str(value), [str(each) for each in domain.values])
            raise refuse(
                Code.PARAMETER_INVALID,
                f"The value of “${name}” is outside its approved domain.",
                RULE,
                f"Nearest permitted: {', '.join(close)}."
                if close
                else "See the request for the permitted values.",
                node,
                sql,
            )
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            raise refuse(
                Code.PARAMETER_INVALID,
                f"“${name}” must be a text or a number.",
                RULE,
                "Change the value.",
                node,
                sql,
            )
        literal = exp.convert(value)
        literal.meta.update(node.meta)
        return literal

    bound = tree.copy().transform(one, copy=False)
    assert isinstance(bound, exp.Query)
    return bound
