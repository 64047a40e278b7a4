"""Typed parameters: ``$area`` becomes the literal that the requester put in, within its approved domain."""

from __future__ import annotations

from decimal import Decimal

from sqlglot import exp

from policies.compiler.errors import nearest
from policies.compiler.parse import MAXIMUM_DIGITS, position_of, too_long
from policies.context import Context
from policies.refusals import Code, Refusal

RULE = "A parameter has a domain that the custodian approved; a run puts in one value of it."


def bind_parameters(tree: exp.Query, context: Context, sql: str) -> tuple[exp.Query, list[Refusal]]:
    """The query with its values, and what is wrong with them (``parameter_missing``, ``parameter_invalid``).

    A parameter without a sound value stands as NULL, so that the rest of the query can be looked at.
    """
    faults: dict[str, Refusal] = {}
    if tree.find(exp.Placeholder, exp.Parameter) is None:
        return tree, []

    def one(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Placeholder | exp.Parameter):
            return node
        fault = _fault(node, context, sql)
        if fault is not None:
            faults.setdefault(node.name, fault)
            return exp.null()
        literal = exp.convert(context.parameters[node.name])
        literal.meta.update(node.meta)
        return literal

    bound = tree.copy().transform(one, copy=False)
    assert isinstance(bound, exp.Query)
    return bound, list(faults.values())


def unread_parameters(tree: exp.Query, context: Context) -> list[Refusal]:
    """Parameters that are given and that the query has not."""
    read = {node.name for node in tree.find_all(exp.Placeholder, exp.Parameter)}
    return [
        Refusal(
            Code.PARAMETER_INVALID,
            f"The query has no “${name}”.",
            RULE,
            f"Leave the value of “{name}” out, or write ${name} where it belongs.",
            parameter=name,
        )
        for name in context.parameters
        if name not in read
    ]


def _fault(node: exp.Expr, context: Context, sql: str) -> Refusal | None:
    name = node.name

    def refused(code: Code, message: str, remedy: str) -> Refusal:
        named = name if name.isidentifier() else None
        return Refusal(code, message, RULE, remedy, position_of(node, sql), parameter=named)

    if not name or name.isdigit() or name == "?":
        remedy = "Write $area in place of ? or $1."
        return refused(Code.PARAMETER_INVALID, "Parameters have names here.", remedy)
    if name not in context.parameters:
        return refused(Code.PARAMETER_MISSING, f"“${name}” has no value.", f"Give a value for “{name}”.")
    value, domain = context.parameters[name], context.domains.get(name)
    if domain is not None and value not in domain.values:
        close = ", ".join(nearest(str(value), [str(each) for each in domain.values]))
        remedy = f"Nearest permitted: {close}." if close else "See the request for the permitted values."
        return refused(
            Code.PARAMETER_INVALID, f"The value of “${name}” is outside its approved domain.", remedy
        )
    for each in domain.values if domain is not None else (value,):
        if isinstance(each, bool) or not isinstance(each, str | int | Decimal):
            return refused(
                Code.PARAMETER_INVALID, f"“${name}” must be a text or a number.", "Change the value."
            )
        if not isinstance(each, str) and too_long(each):
            message = f"A value of “${name}” has more than {MAXIMUM_DIGITS} digits."
            return refused(Code.PARAMETER_INVALID, message, "Give a smaller number.")
    return None
