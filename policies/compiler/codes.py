"""Codes or names of a code list: literals that are compared with a dimension, made codes of its level."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from catalogue.codelists import CodeList, CodeListKind
from policies.compiler.errors import Faults, nearest, refuse
from policies.compiler.refs import DimensionRef, Refs, key_of
from policies.compiler.trees import map_children
from policies.refusals import Code

COMPARISONS = (exp.EQ, exp.NEQ, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Is)
AreaLookup = Callable[[DimensionRef, str], tuple[str, ...] | None]


def name_codes(expression: exp.Expr, refs: Refs, area: AreaLookup, sql: str) -> exp.Expr:
    """Replace names by codes in every comparison of a dimension's column with a literal.

    ``area`` gives the leaf codes of a registered custom area by its name. Raises RefusalError ``unknown_code``
    with the nearest codes and names for each literal that the code list does not have.
    """
    faults = Faults()

    def found(ref: DimensionRef, attribute: str, literal: exp.Literal) -> list[exp.Expr]:
        with faults.collected():
            return _codes(ref, attribute, literal, area, sql)
        return [exp.null()]

    def one(node: exp.Expr) -> exp.Expr:
        if isinstance(node, COMPARISONS) and not isinstance(node.expression, exp.Null):
            for column, other in ((node.this, node.expression), (node.expression, node.this)):
                target = _target(column, refs)
                if target is not None and isinstance(other, exp.Literal):
                    codes = found(target, column.name, other)
                    if len(codes) == 1:
                        other.replace(codes[0])
                        return node
                    within: exp.Expr = exp.In(this=column.copy(), expressions=codes)
                    if isinstance(node, exp.NullSafeEQ | exp.NullSafeNEQ):
                        within = exp.Coalesce(this=within, expressions=[exp.false()])
                    negated = isinstance(node, exp.NEQ | exp.NullSafeNEQ)
                    return exp.Not(this=within) if negated else within
        if isinstance(node, exp.In) and node.args.get("expressions"):
            target = _target(node.this, refs)
            if target is not None:
                replaced: list[exp.Expr] = []
                for item in node.expressions:
                    literal = isinstance(item, exp.Literal)
                    replaced += found(target, node.this.name, item) if literal else [item]
                node.set("expressions", replaced)
        if isinstance(node, exp.Case) and node.this is not None:
            target = _target(node.this, refs)
            for branch in node.args["ifs"] if target is not None else ():
                if isinstance(branch.this, exp.Literal) and target is not None:
                    codes = found(target, node.this.name, branch.this)
                    if len(codes) == 1:
                        branch.set("this", codes[0])
        return node

    def walk(node: exp.Expr) -> exp.Expr:
        # A query inside stands above the line and has been compiled by itself.
        return node if isinstance(node, exp.Query) else one(map_children(node, walk))

    named = walk(expression)
    faults.raise_found()
    return named


def _target(node: exp.Expr | None, refs: Refs) -> DimensionRef | None:
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.Column):
        ref = refs[key_of(node)]
        if isinstance(ref, DimensionRef) and ref.dimension.codelist is not None:
            return ref
    return None


def _codes(
    ref: DimensionRef, attribute: str, literal: exp.Literal, area: AreaLookup, sql: str
) -> list[exp.Expr]:
    codelist = ref.dimension.codelist
    assert codelist is not None
    text = str(literal.this)
    codes, names = _vocabulary(codelist, attribute)
    if text in codes:
        # As the list holds it: 5223 for '5223' among numbers, '5223' for 5223 among texts.
        return [exp.convert(codes[text])]
    for name, code in names.items():
        if name.lower() == text.lower():
            return [exp.convert(code)]
    leaves = area(ref, text)
    if leaves is not None and attribute == codelist.leaf_level.name:
        return [exp.convert(code) for code in leaves]
    if codelist.kind is CodeListKind.INTEGERS and not literal.is_string:
        return [literal.copy()]
    close = nearest(text, [*codes, *names])
    shown = [f"{item} ({_other(item, codes, names, codelist, attribute)})" for item in close]
    raise refuse(
        Code.UNKNOWN_CODE,
        f"“{text}” is neither a code nor a name of {codelist.title} at level {attribute}.",
        "A comparison with a classified column must use its code list, so that no typing error reads as zero.",
        f"Nearest: {'; '.join(shown)}."
        if shown
        else f"Look up the codes of “{codelist.name}” in the catalogue.",
        literal,
        sql,
    )


def _vocabulary(codelist: CodeList, attribute: str) -> tuple[dict[str, str | int], dict[str, str | int]]:
    """Codes by their text, and codes (or names, where the column holds names) by name."""
    for level in codelist.levels:
        if attribute == level.name:
            codes = {str(code): code for code in level.codes if code is not None}
            names = {
                name: code
                for code, name in zip(level.codes, level.names, strict=True)
                if name is not None and code is not None
            }
            return codes, names
        if attribute == f"{level.name}_name":
            return {name: name for name in level.names if name is not None}, {}
    grouping = codelist.groupings.get(attribute)
    if grouping is not None:
        return {p.code: p.code for p in grouping.parts}, {p.title: p.code for p in grouping.parts}
    return {}, {}


def _other(
    item: str,
    codes: dict[str, str | int],
    names: dict[str, str | int],
    codelist: CodeList,
    attribute: str,
) -> str:
    if item in names:
        return str(names[item])
    for name, code in names.items():
        if str(code) == item:
            return name
    return attribute if item in codes else codelist.name
