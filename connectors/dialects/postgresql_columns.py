"""The columns of a PostgreSQL table as fragments read them: one relation with every difference of type mended.

Text compares byte by byte, the padding of CHAR(n) is gone, NaN among decimals is null, and a custodian's expression
is one more column. Only expressions that cannot fail for any row are taken, from a short reviewed list; anything
else belongs in a view, where the custodian answers for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from sqlglot import exp

from catalogue.fragment import SourceError, SourceFault
from connectors.dialects.postgresql import Computed, as_text, expression_key, guarded_cast, plain_text, typed
from connectors.expressions import columns_of, literal, parse_expression
from connectors.protocol import ColumnType, TypeKind

INTEGERS = {"smallint": 5, "integer": 10, "bigint": 19}
PLAIN = {
    "boolean": TypeKind.BOOLEAN,
    "date": TypeKind.DATE,
    "real": TypeKind.FLOAT,
    "double precision": TypeKind.FLOAT,
}
DECIMAL_DIGITS = 38
MOST_DIGITS = 60
"""Digits that a product of a custodian's may have; PostgreSQL's own limit is far above."""

BOOLEAN = ColumnType(TypeKind.BOOLEAN)
TEXT = ColumnType(TypeKind.TEXT)


def column_type(text: str) -> ColumnType:
    """PostgreSQL's name of a type as one of ours; a numeric without a declared precision is read as text is.

    >>> column_type("numeric(10,2)"), column_type("character varying(9)").kind
    (ColumnType(kind=<TypeKind.DECIMAL: 'decimal'>, precision=10, scale=2), <TypeKind.TEXT: 'text'>)
    """
    if text in INTEGERS:
        return ColumnType(TypeKind.INTEGER, INTEGERS[text])
    if text in PLAIN:
        return ColumnType(PLAIN[text])
    if decimal := re.fullmatch(r"numeric\((\d+),(-?\d+)\)", text):
        precision, scale = int(decimal[1]), int(decimal[2])
        if precision <= DECIMAL_DIGITS and 0 <= scale <= precision:
            return ColumnType(TypeKind.DECIMAL, precision, scale)
    if re.fullmatch(r"(text|character|character varying|numeric)(\(.*\))?", text):
        return TEXT
    return ColumnType(TypeKind.OTHER)


def presented(column: exp.Expr, type_: ColumnType, *, finite: bool) -> exp.Expr:
    """A stored column, with the differences of its type mended. ``finite`` says that it holds no NaN, which each use
    of the column would test for anew."""
    if type_.kind is TypeKind.TEXT:
        return plain_text(column)
    if type_.kind is TypeKind.DECIMAL and not finite:
        return exp.Nullif(this=column, expression=typed(exp.Literal.string("NaN"), "numeric"))
    return column


@dataclass(frozen=True)
class Relation:
    """A table as a query, the types of its columns, and what stands for each custodian's expression, by its key."""

    query: exp.Select
    columns: Mapping[str, ColumnType]
    computed: Mapping[str, Computed]
    types: Mapping[str, ColumnType]


def relation_of(
    table: exp.Table, held: Mapping[str, ColumnType], expressions: Iterable[str], what: str, finite: Set[str]
) -> Relation:
    """What ``expressions`` read of a table that holds ``held``; ``types`` are theirs, by their text.
    ``finite`` are stored columns known to hold no NaN.

    Raises SourceError SCHEMA for a column that is not there and for an expression that could fail.
    """
    columns: dict[str, ColumnType] = {}
    selected: list[exp.Expr] = []
    computed: dict[str, Computed] = {}
    types: dict[str, ColumnType] = {}

    def store(name: str) -> None:
        """The stored column of a name as the catalogue writes it: exactly, or else in any case."""
        found = [name] if name in held else [other for other in held if other.lower() == name.lower()]
        if len(found) != 1:
            raise SourceError(SourceFault.SCHEMA, f"{what} has no column {name}")
        if name not in columns:
            columns[name] = held[found[0]]
            column = exp.column(exp.to_identifier(found[0], quoted=True), table="s")
            shown = presented(column, held[found[0]], finite=found[0] in finite)
            selected.append(exp.Alias(this=shown, alias=exp.to_identifier(name, quoted=True)))

    texts = list(dict.fromkeys(expressions))
    for text in texts:
        for name in columns_of(text):
            store(name)
    for text in texts:
        tree = parse_expression(text)
        if isinstance(tree, exp.Column):
            types[text] = columns[tree.name]
            continue
        found, types[text] = _Translation(columns, what).read(tree)
        computed[expression_key(tree)] = Computed(found, types[text])
    query = exp.select(*selected or [exp.alias_(exp.Literal.number(1), "one")]).from_(table.as_("s"))
    return Relation(query, columns, computed, types)


@dataclass
class _Translation:
    """A custodian's expression, over columns that are mended already, as one that cannot fail."""

    columns: Mapping[str, ColumnType]
    what: str

    def read(self, tree: exp.Expr) -> tuple[exp.Expr, ColumnType]:
        match tree:
            case exp.Paren():
                inner, type_ = self.read(tree.this)
                return exp.paren(inner), type_
            case exp.Column():
                return exp.column(exp.to_identifier(tree.name, quoted=True)), self.columns[tree.name]
            case exp.Boolean():
                return tree.copy(), BOOLEAN
            case exp.Literal() if tree.is_string:
                return plain_text(tree.copy()), TEXT
            case exp.Literal() if re.fullmatch(r"\d{1,30}(\.\d{1,8})?", tree.name):
                whole, _, rest = tree.name.partition(".")
                return tree.copy(), ColumnType(TypeKind.DECIMAL, len(whole) + len(rest), len(rest))
            case exp.Not() | exp.And() | exp.Or():
                return self._logic(tree)
            case exp.Is():
                if not isinstance(tree.expression, (exp.Null, exp.Boolean)):
                    raise self._refused()
                inner, type_ = self.read(tree.this)
                if isinstance(tree.expression, exp.Boolean) and type_.kind is not TypeKind.BOOLEAN:
                    raise self._refused()
                return exp.Is(this=inner, expression=tree.expression.copy()), BOOLEAN
            case exp.EQ() | exp.NEQ() | exp.LT() | exp.LTE() | exp.GT() | exp.GTE():
                left, right = self._alike(tree.this, tree.expression)
                return type(tree)(this=left, expression=right), BOOLEAN
            case exp.In() if tree.args.get("query") is None and tree.expressions:
                first, *others = self._alike(tree.this, *tree.expressions)
                return exp.In(this=first, expressions=others), BOOLEAN
            case exp.Between():
                this, low, high = self._alike(tree.this, tree.args["low"], tree.args["high"])
                return exp.Between(this=this, low=low, high=high), BOOLEAN
            case exp.Cast() | exp.TryCast():
                return self._cast(tree)
            case exp.Add() | exp.Sub() | exp.Mul():
                return self._arithmetic(tree)
            case exp.Coalesce():
                parts = [tree.this, *tree.expressions]
                return exp.func("COALESCE", *self._alike(*parts)), self._common(parts)
            case exp.Case() if tree.args.get("this") is None:
                return self._case(tree)
            case _:
                raise self._refused()

    def _refused(self) -> SourceError:
        return SourceError(
            SourceFault.SCHEMA,
            f"{self.what}: a catalogue expression is not on the list of those that PostgreSQL is sent; "
            "declare a view with that column",
        )

    def _logic(self, tree: exp.Expr) -> tuple[exp.Expr, ColumnType]:
        parts = [tree.this] if isinstance(tree, exp.Not) else [tree.this, tree.expression]
        read = [self.read(part) for part in parts]
        if any(type_.kind is not TypeKind.BOOLEAN for _, type_ in read):
            raise self._refused()
        trees = [exp.paren(found) for found, _ in read]
        if isinstance(tree, exp.Not):
            return exp.Not(this=trees[0]), BOOLEAN
        return type(tree)(this=trees[0], expression=trees[1]), BOOLEAN

    def _alike(self, *parts: exp.Expr) -> list[exp.Expr]:
        """Expressions of one kind; whole numbers and decimals are one."""
        self._common(list(parts))
        return [exp.paren(self.read(part)[0]) for part in parts if not isinstance(part, exp.Null)]

    def _common(self, parts: list[exp.Expr]) -> ColumnType:
        types = [self.read(part)[1] for part in parts]
        kinds = {type_.kind for type_ in types}
        if kinds <= {TypeKind.INTEGER, TypeKind.DECIMAL} and len(kinds) == 2:
            scale = max(type_.scale for type_ in types)
            digits = max(type_.precision - type_.scale for type_ in types)
            return ColumnType(TypeKind.DECIMAL, digits + scale, scale)
        if len(kinds) != 1 or TypeKind.OTHER in kinds:
            raise self._refused()
        return max(types, key=lambda type_: (type_.precision, type_.scale))

    def _cast(self, tree: exp.Cast | exp.TryCast) -> tuple[exp.Expr, ColumnType]:
        inner, type_ = self.read(tree.this)
        target = tree.to.this
        if target in (exp.DType.VARCHAR, exp.DType.TEXT):
            return as_text(inner, type_), TEXT
        if not isinstance(tree, exp.TryCast) or type_.kind in (TypeKind.DATE, TypeKind.OTHER):
            raise self._refused()
        if target == exp.DType.BIGINT:
            return guarded_cast(inner, type_, tree.to), ColumnType(TypeKind.INTEGER, 19)
        if target == exp.DType.DECIMAL and len(tree.to.expressions) == 2:
            digits, places = (int(part.name) for part in tree.to.expressions)
            return guarded_cast(inner, type_, tree.to), ColumnType(TypeKind.DECIMAL, digits, places)
        raise self._refused()

    def _arithmetic(self, tree: exp.Expr) -> tuple[exp.Expr, ColumnType]:
        """Sums and products of exact numbers, as numeric, which does not overflow."""
        read = [self.read(part) for part in (tree.this, tree.expression)]
        if any(type_.kind not in (TypeKind.INTEGER, TypeKind.DECIMAL) for _, type_ in read):
            raise self._refused()
        (_, a), (_, b) = read
        if isinstance(tree, exp.Mul):
            type_ = ColumnType(TypeKind.DECIMAL, a.precision + b.precision, a.scale + b.scale)
        else:
            scale = max(a.scale, b.scale)
            whole = max(a.precision - a.scale, b.precision - b.scale) + 1
            type_ = ColumnType(TypeKind.DECIMAL, whole + scale, scale)
        if type_.precision > MOST_DIGITS:
            raise self._refused()
        left, right = (exp.paren(typed(exp.paren(found), "numeric")) for found, _ in read)
        return type(tree)(this=left, expression=right), type_

    def _case(self, tree: exp.Case) -> tuple[exp.Expr, ColumnType]:
        found, results = exp.Case(), [arm.args["true"] for arm in tree.args["ifs"]]
        default = tree.args.get("default")
        results += [default] if default is not None and not isinstance(default, exp.Null) else []
        for arm in tree.args["ifs"]:
            test, type_ = self.read(arm.this)
            if type_.kind is not TypeKind.BOOLEAN:
                raise self._refused()
            found = found.when(test, self.read(arm.args["true"])[0])
        if default is not None:
            found = found.else_(literal(None) if isinstance(default, exp.Null) else self.read(default)[0])
        return found, self._common(results)
