"""Weighted estimates that SQL has no name for: ``weighted_avg``, ``weighted_median`` and ``weighted_quantile``.

weighted_avg(x, w)           SUM(w * x) / SUM(w) over the rows with a value
weighted_median(x, w)        the value at half of the weight
weighted_quantile(x, w, q)   the value at the share q of the weight
"""

from __future__ import annotations

from sqlglot import exp

from policies.compiler.errors import unsupported

NAMES = {"weighted_avg": 2, "weighted_median": 2, "weighted_quantile": 3}
WEIGHTED = "weighted"


def bind_weighted(tree: exp.Query, sql: str) -> exp.Query:
    """Write weighted estimates as aggregates that the compiler knows.

    A weighted quantile becomes a quantile of weight times value with a mark, by which it is told from a quantile of
    that product as somebody may have typed it.

    A projection without a name keeps the text that was typed. Raises RefusalError for a wrong number of arguments.
    """
    if all(call.name.lower() not in NAMES for call in tree.find_all(exp.Anonymous)):
        return tree

    def one(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Anonymous) or node.name.lower() not in NAMES:
            return node
        name, arguments = node.name.lower(), node.expressions
        if len(arguments) != NAMES[name]:
            raise unsupported(
                f"{name} takes {NAMES[name]} arguments.",
                "Write weighted_median(x, w) or weighted_quantile(x, w, 0.9).",
                node,
                sql,
            )
        return _estimate(name, arguments)

    bound = tree.copy()
    for select in bound.find_all(exp.Select):
        for item in select.expressions:
            if isinstance(item, exp.Anonymous) and item.name.lower() in NAMES:
                item.replace(exp.alias_(item.copy(), item.sql(dialect="duckdb").lower(), quoted=True))
    changed = bound.transform(one, copy=False)
    assert isinstance(changed, exp.Query)
    return changed


def _estimate(name: str, arguments: list[exp.Expr]) -> exp.Expr:
    measure, weight = arguments[:2]
    if name == "weighted_avg":
        present = exp.Not(this=exp.Is(this=measure.copy(), expression=exp.Null()))
        known = exp.Case(ifs=[exp.If(this=present, true=weight.copy())])
        product = exp.Mul(this=exp.Paren(this=weight.copy()), expression=exp.Paren(this=measure.copy()))
        total = exp.Nullif(this=exp.Sum(this=known), expression=exp.Literal.number(0))
        return exp.Paren(this=exp.Div(this=exp.Sum(this=product), expression=total))
    quantile = arguments[2].copy() if len(arguments) == 3 else exp.Literal.number("0.5")
    product = exp.Mul(this=exp.Paren(this=weight.copy()), expression=exp.Paren(this=measure.copy()))
    made = exp.PercentileCont(this=product, expression=quantile)
    made.meta[WEIGHTED] = True
    return made
