"""Calls that the engine would compute while it only binds: constants that make large values are refused.

DuckDB folds ``len(range(400000000))`` when it plans or describes a query, in the process that asks, whatever its
memory limit. A call of a growing function over constants alone is therefore held to small literals, one level deep.
Over columns it is not folded, and the child process contains it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

#: Allowed functions whose value can be much longer than the text of the call, or doubles with every nesting.
GROWING = frozenset(
    {
        "apply",
        "array_apply",
        "array_concat",
        "array_cat",
        "array_reduce",
        "array_resize",
        "array_transform",
        "bar",
        "base64",
        "bin",
        "bitstring",
        "equi_width_bins",
        "flatten",
        "format",
        "generate_series",
        "hex",
        "json_quote",
        "list_apply",
        "list_cat",
        "list_concat",
        "list_reduce",
        "list_resize",
        "list_transform",
        "lpad",
        "printf",
        "range",
        "reduce",
        "regexp_escape",
        "regexp_replace",
        "replace",
        "rpad",
        "to_base",
        "to_base64",
        "to_binary",
        "to_hex",
        "url_encode",
    }
)
#: What may stand in the arguments of one: signs, lists, and intervals of a day or more.
_PLAIN = frozenset(
    {"-", "list_value", "trunc", "to_days", "to_weeks", "to_months", "to_quarters", "to_years"}
)
#: Functions whose value is no longer than their first argument.
_SHORTENING = frozenset(
    {"left", "lower", "ltrim", "right", "rtrim", "substr", "substring", "trim", "upper", "year", "month"}
)
LARGEST_NUMBER = 10_000
_LONG_NUMBER = re.compile(r"\d{5,}")


def folds_into_something_large(call: dict[str, Any]) -> bool:
    """Whether a function call of DuckDB's serialised parse is one over constants that might grow without bound."""
    if call["function_name"].lower() not in GROWING:
        return False
    inside = _inside(call)
    parameters = {n for node in inside if node["class"] == "LAMBDA" for n in _names(node.get("lhs", {}))}
    if any(_names(node) - parameters for node in inside if node["class"] == "COLUMN_REF"):
        return False
    return _grows(inside, _PLAIN)


def makes_something_large(call: dict[str, Any]) -> bool:
    """Whether such a call might grow without bound, whatever is in its columns, where these are codes."""
    if call["function_name"].lower() not in GROWING:
        return False
    return _grows(_inside(call), _PLAIN | _SHORTENING)


def _grows(inside: Sequence[dict[str, Any]], harmless: frozenset[str]) -> bool:
    if any(node["class"] in ("LAMBDA", "SUBQUERY") for node in inside):
        return True
    if any(node["class"] == "FUNCTION" and node["function_name"].lower() not in harmless for node in inside):
        return True
    return any(
        _is_large(node["literal"]) for node in inside if node["class"] == "CONSTANT" and "literal" in node
    )


def _inside(call: dict[str, Any]) -> list[dict[str, Any]]:
    return [node for argument in call.get("arguments", []) for node in _expressions(argument)]


def _is_large(literal: dict[str, Any]) -> bool:
    """A number above the largest, or a text with one in it, such as a width of ``printf``."""
    text = str(literal.get("text", ""))
    if literal.get("kind") == "STRING":
        return _LONG_NUMBER.search(text) is not None
    try:
        return abs(float(text)) > LARGEST_NUMBER
    except ValueError:
        return False


def _names(node: dict[str, Any]) -> set[str]:
    names = {str(node["column_names"][-1]).lower()} if node.get("class") == "COLUMN_REF" else set()
    for child in _expressions(node.get("arguments", [])):
        names |= _names(child)
    return names


def _expressions(value: object) -> Iterator[dict[str, Any]]:
    stack = [value]
    while stack:
        each = stack.pop()
        if isinstance(each, dict):
            if "class" in each:
                yield each
            stack.extend(each.values())
        elif isinstance(each, list):
            stack.extend(each)
