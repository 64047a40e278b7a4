"""From the renderer's trees to Spark SQL: one pass over a tree, deepest first, whose results mean the same.

What has to be said differently, and why:

- *Sums.* Spark adds 64-bit numbers into 64 bits and wraps silently, and adds decimals of 38 digits as objects,
  slowly. A sum of whole numbers is therefore two 64-bit sums, of the upper and the lower halves of each, put
  together as DECIMAL(38, 0), which stands for HUGEINT; one of decimals is a sum of whole units of the last place.
- *Casts.* A cast to a whole number rounds half away from zero in DuckDB and cuts in Spark. A text becomes a number
  in the same spellings: Spark also takes the digits of other scripts and control characters, and does not take 1_000.
- *Lists* have other names. The k largest values are MAX_BY(x, x, k), which is not compiled and costs ten times a
  plain aggregate; of rows, which are many, they are found in two passes (connectors.dialects.largest).
- *A custodian's expression* is guarded by TRY in DuckDB, which Spark has not: every operation in it becomes one
  that gives null where DuckDB would fail. Only operations known to mean the same are let through.

The session runs with ANSI mode off (connectors.spark_session), so that nothing raises because of a row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from sqlglot import exp

from catalogue.fragment import SourceError, SourceFault
from connectors.dialects.largest import CTE, LargestSearch, groupings, is_grouped
from connectors.expressions import case, cast, named, not_null, number
from connectors.protocol import ColumnType, TypeKind

LOWER_BITS = 25
"""Where a number below 2^63 is split: either half of 2^37 such numbers adds up in 64 bits, for the lower half, and
of 2^25 (2^38 for numbers below 10^15, which the renderer's are) for the upper."""

SMALL_DIGITS = 10
"""Whole numbers of so many digits add up in 64 bits for any number of rows."""

PLAIN_DIGITS, EXACT_DIGITS = 8, 15
"""Decimals of up to so many digits Spark adds as 64-bit numbers by itself; the most that a double holds exactly."""

INTEGERS = {3: "TINYINT", 5: "SMALLINT", 10: "INT", 19: "BIGINT"}
WHOLE = {exp.DType[name]: digits for digits, name in INTEGERS.items()}
UNDERSCORES, NUMERAL = "(?<=[0-9])_(?=[0-9])", r"^[ \t\n\x0B\f\r]*[-+.0-9eE]+[ \t\n\x0B\f\r]*$"

Relations = Mapping[str, Mapping[str, ColumnType]]
"""For each named relation the types of its columns and of the catalogue expressions over it, by their SQL."""


def to_spark(tree: exp.Expr, relations: Relations) -> exp.Expr:
    """The tree in Spark's terms; the given one is left as it is.

    Raises SourceError SCHEMA for a custodian's expression with an operation that is not known to mean the same.
    """
    root = exp.Paren(this=tree.copy())
    rewriting = _Rewriting(relations)
    for guard in root.find_all(exp.Try):
        guard.meta["column_type"] = rewriting.type_of(guard)  # while its text is the catalogue's
    for node in reversed(list(root.this.bfs())):
        replacement = rewriting.replacement(node)
        if replacement is not node:
            node.replace(replacement)
    found: exp.Expr = root.this
    return found


class Search(LargestSearch):
    """The search for the k largest, on trees that to_spark has yet to rewrite."""

    def in_rows(self, tree: exp.Expr) -> tuple[exp.Expr, list[CTE]]:
        """The tree with every search among rows in two passes, and what it reads beside them; of what has been
        grouped by entity, a second pass would cost more than it saves."""
        found, before = tree.copy(), list[CTE]()
        for select in groupings(found):
            if not is_grouped(select):
                before += self.two_passes(select)
                select.set("hint", exp.Hint(expressions=[function("BROADCAST", exp.to_identifier("s"))]))
        return found, before

    def same(self, a: exp.Expr, b: exp.Expr) -> exp.Expr:
        return exp.NullSafeEQ(this=a.copy(), expression=b.copy())

    def hashed(self, by: exp.Expr) -> exp.Expr:
        return hashed(by)

    def given(self, first: str, columns: Mapping[str, exp.Expr]) -> exp.Expr:
        """Sent whole to every worker, so that no row travels to its cell."""
        select = exp.select(*(named(column, name) for name, column in columns.items())).from_(first)
        select.set("hint", exp.Hint(expressions=[function("BROADCAST", exp.to_identifier(first))]))
        return select.subquery("c")

    def above(self, value: exp.Expr, test: exp.Expr, k: int) -> exp.Expr:
        largest = exp.Max(this=value.copy(), count=number(k))
        return exp.Filter(this=largest, expression=exp.Where(this=test.copy()))

    def filled(self, found: exp.Expr, bound: exp.Expr, k: int) -> exp.Expr:
        some = case(not_null(found), found.copy(), exp.Array())
        return function(
            "SLICE",
            function("CONCAT", some, function("ARRAY_REPEAT", bound, number(k))),
            number(1),
            number(k),
        )


def hashed(by: exp.Expr) -> exp.Expr:
    return exp.BitwiseAnd(this=function("HASH", by.copy()), expression=number(1023))


def spark_sql(tree: exp.Expr) -> str:
    return tree.sql(dialect="spark")


def outputs(tree: exp.Expr, relations: Relations) -> dict[str, ColumnType]:
    """The types of the columns of a rewritten SELECT, as far as a sum over them needs to know."""
    rewriting = _Rewriting(relations)
    select = tree.find(exp.Select)
    assert select is not None
    return {column.alias_or_name: rewriting.type_of(column) for column in select.expressions}


def key_of(tree: exp.Expr) -> str:
    """A column or catalogue expression as Relations know it, whatever relation it is taken from."""
    bare = tree.copy()
    for column in bare.find_all(exp.Column):
        column.set("table", None)
    return bare.sql(dialect="duckdb").lower()


def function(name: str, *arguments: exp.Expr) -> exp.Expr:
    """A call that is written as it stands, whatever other dialects call it."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def try_cast(expression: exp.Expr, to: exp.DataType | str) -> exp.Expr:
    """``safe`` makes the generator say TRY_CAST: without ANSI mode a plain cast wraps where it should be null."""
    type_ = exp.DataType.build(to, dialect="duckdb") if isinstance(to, str) else to
    return exp.TryCast(this=expression, to=type_, safe=True)


UNKNOWN = ColumnType(TypeKind.OTHER)
SMALL = ColumnType(TypeKind.INTEGER, SMALL_DIGITS)
LARGE = ColumnType(TypeKind.INTEGER, 19)
HUGE = ColumnType(TypeKind.DECIMAL, 38)
DOUBLE = ColumnType(TypeKind.FLOAT)

SAME = (
    exp.Column, exp.Identifier, exp.Literal, exp.Null, exp.Boolean, exp.Paren, exp.DataType, exp.DataTypeParam,
    exp.Case, exp.If, exp.Coalesce, exp.Nullif, exp.Is, exp.Not, exp.And, exp.Or, exp.EQ, exp.NEQ, exp.GT, exp.GTE,
    exp.LT, exp.LTE, exp.Between, exp.In, exp.Neg, exp.DPipe, exp.Abs, exp.Round, exp.Floor, exp.Ceil, exp.Upper,
    exp.Lower, exp.Length, exp.Substring, exp.Year, exp.Month, exp.Day,
)  # fmt: skip
"""What a custodian's expression may hold that means the same as it stands."""


class _Rewriting:
    """Rules by kind of node; the children of a node have been rewritten before it, what it selects from may not."""

    def __init__(self, relations: Relations) -> None:
        self.relations = relations

    def replacement(self, node: exp.Expr) -> exp.Expr:
        if node.find_ancestor(exp.Try) is not None:
            return self._total(node)
        match node:
            case exp.Try():
                return self._typed(node.this, self.type_of(node))
            case exp.Cast():  # TryCast is one
                return self._cast(node, guarded=isinstance(node, exp.TryCast))
            case exp.Filter() if isinstance(node.this, exp.Sum):
                return self._sum(node.this, node.args["expression"])
            case exp.Sum() if not isinstance(node.parent, exp.Filter):
                return self._sum(node, None)
            case exp.Max() if node.args.get("count") is not None:
                return function("MAX_BY", node.this, node.this.copy(), node.args["count"])
            case exp.AnyValue():
                return function("ANY_VALUE", node.this, exp.true())
            case exp.Anonymous() if node.name == "HASH":
                return exp.paren(hashed(node.expressions[0]))
            case _ if (name := _list_function(node)) is not None:
                return name
            case _:
                return node

    # ---- types ------------------------------------------------------------------------------------------

    @staticmethod
    def _typed(node: exp.Expr, type_: ColumnType) -> exp.Expr:
        node = exp.paren(node, copy=False) if isinstance(node, exp.Binary) else node
        node.meta["column_type"] = type_
        return node

    def type_of(self, node: exp.Expr) -> ColumnType:
        """What is known of a node's type."""
        known = node.meta.get("column_type")
        if isinstance(known, ColumnType):
            return known
        match node:
            case exp.Column() | exp.Try():
                return self._lookup(node)
            case exp.Sum():
                return _of_sum(self.type_of(node.this))
            case exp.Literal() if not node.is_string and "." not in node.name:
                return ColumnType(TypeKind.INTEGER, len(node.name))
            case exp.Count():
                return SMALL  # counts of rows add up to a count of rows
            case exp.Cast():
                return _of_data_type(node.to)
            case exp.Mul():
                return self._product(self.type_of(node.this), node.expression)
            case (
                exp.Max()
                | exp.Min()
                | exp.AnyValue()
                | exp.Filter()
                | exp.Paren()
                | exp.Neg()
                | exp.Abs()
                | exp.Alias()
            ):
                return self.type_of(node.this)
            case exp.Anonymous() if node.name == "ANY_VALUE":
                return self.type_of(node.expressions[0])
            case exp.Case():
                results = [branch.args["true"] for branch in node.args["ifs"]]
                return _widest(
                    [self.type_of(x) for x in [*results, node.args.get("default")] if x is not None]
                )
            case exp.Coalesce():
                return _widest([self.type_of(x) for x in [node.this, *node.expressions]])
            case exp.IntDiv():
                return LARGE
            case _:
                return UNKNOWN

    @staticmethod
    def _product(left: ColumnType, right: exp.Expr) -> ColumnType:
        """For a decimal times a power of ten, the places that are left: a product by 100 of a price is whole."""
        if left.kind is TypeKind.DECIMAL and isinstance(right, exp.Literal) and right.name.strip("0") == "1":
            return ColumnType(TypeKind.DECIMAL, 38, max(0, left.scale - len(right.name) + 1))
        return HUGE if left.precision > LARGE.precision else left if left.kind is TypeKind.FLOAT else LARGE

    def _lookup(self, node: exp.Expr) -> ColumnType:
        """The type of a column, or of a custodian's expression, where the SELECT around it takes it from."""
        column = node.find(exp.Column)
        alias, key = column.table if column is not None else "", key_of(node)
        select = node.find_ancestor(exp.Select)
        while select is not None:
            sources = [select.args.get("from_") or select.args.get("from"), *select.args.get("joins", [])]
            for source in (item.this for item in sources if item is not None):
                if alias and source.alias_or_name != alias:
                    continue
                if isinstance(source, exp.Subquery):
                    found = _projection(source, node)
                    if found is not None:
                        return self.type_of(found)
                else:
                    held = self.relations.get(source.name, {})
                    if key in held:
                        return held[key]
            select = select.find_ancestor(exp.Select)
        return UNKNOWN

    # ---- rules ------------------------------------------------------------------------------------------

    def _sum(self, node: exp.Sum, where: exp.Expr | None) -> exp.Expr:
        def total(value: exp.Expr) -> exp.Expr:
            tree = exp.Sum(this=value)
            return tree if where is None else exp.Filter(this=tree, expression=where.copy())

        type_ = self.type_of(node.this)
        if type_ == UNKNOWN:
            raise SourceError(SourceFault.FAILED, "a total of numbers of no known type")
        if (
            type_.kind is TypeKind.DECIMAL
            and PLAIN_DIGITS < type_.precision <= EXACT_DIGITS
            and type_.scale <= 6
        ):
            shifted = cast(self._sum(exp.Sum(this=_in_units(node.this, type_)), where), "DECIMAL(38, 0)")
            unit = exp.Literal.number(f"{Decimal(1).scaleb(-type_.scale):f}")
            found = cast(exp.Mul(this=shifted, expression=unit), f"DECIMAL(38, {type_.scale})")
            return self._typed(found, _of_sum(type_))
        if type_.kind is not TypeKind.INTEGER:
            return self._typed(total(node.this.copy()), _of_sum(type_))
        if type_.precision <= SMALL_DIGITS:
            return self._typed(total(node.this.copy()), SMALL)
        upper = function("SHIFTRIGHT", cast(node.this.copy(), "BIGINT"), number(LOWER_BITS))
        lower = exp.BitwiseAnd(this=exp.paren(node.this), expression=number(2**LOWER_BITS - 1))
        shifted = exp.Mul(this=cast(total(upper), "DECIMAL(38, 0)"), expression=number(2**LOWER_BITS))
        whole = exp.Add(this=shifted, expression=cast(total(lower), "DECIMAL(38, 0)"))
        return self._typed(cast(exp.paren(whole), "DECIMAL(38, 0)"), HUGE)

    def _cast(self, node: exp.Cast, *, guarded: bool) -> exp.Expr:
        given, to = self.type_of(node.this), node.to
        if to.this is exp.DType.INT128:
            to = exp.DataType.build("DECIMAL(38, 0)", dialect="duckdb")
        if to.this in exp.DataType.TEXT_TYPES:
            if given.kind is TypeKind.FLOAT:
                raise SourceError(SourceFault.SCHEMA, "approximate numbers stand where codes should be")
            return cast(node.this, "VARCHAR")
        value = node.this
        if given.kind is TypeKind.TEXT:
            value = _numeral(value)
            if to.this in WHOLE:
                value = function("ROUND", try_cast(value, "DECIMAL(38, 18)"))
        elif to.this in WHOLE and given.kind is TypeKind.DECIMAL and given.scale > 0:
            value = function("ROUND", value)
        elif to.this in WHOLE and given.kind is TypeKind.FLOAT and guarded:
            value = function(
                "BROUND", value
            )  # to even, as there; where it must be away from zero, ROUND is said
        found = try_cast(value, to) if guarded else exp.Cast(this=value, to=to)
        return self._typed(found, _of_data_type(to))

    def _total(self, node: exp.Expr) -> exp.Expr:
        """An operation of a custodian's expression, null where DuckDB under TRY is."""
        match node:
            case exp.Add() | exp.Sub() | exp.Mul() | exp.Mod():
                name = {
                    exp.Add: "TRY_ADD",
                    exp.Sub: "TRY_SUBTRACT",
                    exp.Mul: "TRY_MULTIPLY",
                    exp.Mod: "TRY_MOD",
                }
                return self._arithmetic(name[type(node)], node.this, node.expression)
            case exp.Div():
                above, below = cast(node.this, "DOUBLE"), cast(node.expression, "DOUBLE")
                by_zero = exp.EQ(this=below, expression=number(0))
                infinite = exp.Mul(this=above, expression=cast(exp.Literal.string("Infinity"), "DOUBLE"))
                quotient = function("TRY_DIVIDE", above.copy(), below.copy())
                return self._typed(exp.Case().when(by_zero, infinite).else_(quotient), DOUBLE)
            case exp.IntDiv():
                return self._typed(node, LARGE)
            case exp.Sqrt():
                positive = exp.GTE(this=node.this.copy(), expression=number(0))
                return self._typed(exp.Case().when(positive, node.copy()), DOUBLE)
            case exp.Cast():
                return self._cast(node, guarded=True)
            case _ if isinstance(node, SAME):
                return node
            case _:
                detail = f"a catalogue expression uses {node.key.upper()}, which is not known to mean the same on Spark"
                raise SourceError(SourceFault.SCHEMA, detail)

    def _arithmetic(self, name: str, left: exp.Expr, right: exp.Expr) -> exp.Expr:
        """Of whole numbers in the wider of their types, a literal being no wider than the other: there DuckDB's
        overflows, so there Spark's must."""
        types = [self.type_of(side) for side in (left, right)]
        if any(type_.kind is not TypeKind.INTEGER for type_ in types):
            approximate = any(type_.kind is TypeKind.FLOAT for type_ in types)
            return self._typed(function(name, left, right), DOUBLE if approximate else UNKNOWN)
        wide = [t.precision for t, side in zip(types, (left, right), strict=True) if not _is_literal(side)]
        precision = max(wide, default=SMALL_DIGITS)
        to = next((type_ for digits, type_ in INTEGERS.items() if precision <= digits), "BIGINT")
        return self._typed(
            function(name, try_cast(left, to), try_cast(right, to)), ColumnType(TypeKind.INTEGER, precision)
        )


def _of_sum(type_: ColumnType) -> ColumnType:
    if type_.kind is not TypeKind.INTEGER:
        return ColumnType(type_.kind, 38, type_.scale)
    return SMALL if type_.precision <= SMALL_DIGITS else HUGE


def _in_units(value: exp.Expr, type_: ColumnType) -> exp.Expr:
    """A decimal as a whole number of its last place: off by a third at most before the half is added, and without
    the objects that arithmetic of decimals makes for every row."""
    scaled = exp.Mul(this=cast(value.copy(), "DOUBLE"), expression=number(10**type_.scale))
    found = exp.Floor(this=exp.Add(this=scaled, expression=exp.Literal.number("0.5")))
    return _Rewriting._typed(found, ColumnType(TypeKind.INTEGER, type_.precision))


def _is_literal(node: exp.Expr) -> bool:
    return isinstance(node.this if isinstance(node, exp.Neg) else node, exp.Literal)


def _numeral(text: exp.Expr) -> exp.Expr:
    """A text that DuckDB would read as a number, without the underscores that it allows; null for any other."""
    plain = function("REGEXP_REPLACE", text, exp.Literal.string(UNDERSCORES), exp.Literal.string(""))
    test = exp.RegexpLike(this=plain, expression=exp.Literal.string(NUMERAL))
    return exp.Case().when(test, plain.copy())


def _of_data_type(type_: exp.DataType) -> ColumnType:
    if type_.this in WHOLE:
        return ColumnType(TypeKind.INTEGER, WHOLE[type_.this])
    if type_.this in exp.DataType.TEXT_TYPES:
        return ColumnType(TypeKind.TEXT)
    if type_.this in (exp.DType.DOUBLE, exp.DType.FLOAT):
        return DOUBLE
    if type_.this is exp.DType.INT128:
        return HUGE
    if type_.this is exp.DType.DECIMAL:
        digits = [int(parameter.name) for parameter in type_.expressions]
        return ColumnType(TypeKind.DECIMAL, *digits)
    return UNKNOWN


def _widest(types: list[ColumnType]) -> ColumnType:
    known = [type_ for type_ in types if type_ != UNKNOWN]
    if any(type_.kind is TypeKind.FLOAT for type_ in known):
        return DOUBLE
    return max(known, key=lambda t: (t.kind is TypeKind.DECIMAL, t.scale, t.precision), default=UNKNOWN)


def _projection(source: exp.Subquery, column: exp.Expr) -> exp.Expr | None:
    """The expression that a derived table gives for a column; through SELECT * to the table below it."""
    select = source.this
    if not isinstance(select, exp.Select):
        return None
    for item in select.expressions:
        if isinstance(item, exp.Expr) and item.alias_or_name == column.name:
            return item
        if isinstance(item, exp.Star):
            below = exp.Column(this=column.this.copy())
            below.parent = select
            return below
    return None


def _list_function(node: exp.Expr) -> exp.Expr | None:
    """Functions of lists under Spark's names."""
    match node:
        case exp.List() | exp.ArrayAgg():
            return function("COLLECT_LIST", *(node.expressions or [node.this]))
        case exp.Flatten():
            return function("FLATTEN", node.this)
        case exp.ArrayConcat():
            return function("CONCAT", node.this, *node.expressions)
        case exp.Anonymous() if node.name in LISTS:
            return LISTS[node.name](node.expressions)
        case _:
            return None


LISTS: Mapping[str, Callable[[list[exp.Expr]], exp.Expr]] = {
    "LIST": lambda given: function("COLLECT_LIST", *given),
    "LIST_SLICE": lambda given: function("SLICE", *given),  # both from 1, where a length is a last position
    "LIST_REVERSE_SORT": lambda given: function("SORT_ARRAY", *given, exp.false()),
    "LIST_CONCAT": lambda given: function("CONCAT", *given),
    "LIST_EXTRACT": lambda given: function("TRY_ELEMENT_AT", *given),
}
