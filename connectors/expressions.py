"""Expressions over one row: fields, codes, bins, conditions and measures as SQL trees that cannot fail.

No value of any row may make an expression raise, since an error would tell about that row: casts are TRY
casts, what a custodian's expression can't compute is null, and numbers are bounded.
Numbers are computed as integers in units of the last declared place, so that sums are exact, the same in any
order and on any engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from functools import cache, reduce

from sqlglot import ParseError, exp, parse_one

from catalogue.fragment import (
    Column,
    Condition,
    Field,
    Fragment,
    Grid,
    Join,
    Measure,
    Membership,
    MembershipAxis,
    Scalar,
    SourceError,
    SourceFault,
    Table,
)
from connectors.protocol import ColumnType, TypeKind

MAGNITUDE_DIGITS = 15
"""A measure's absolute value is below 10^15 units of its last place, so that 10^8 squares fit in 38 digits."""

WEIGHT_DECIMALS = 6
WEIGHT_DIGITS = 14

Types = Mapping[tuple[Table, str], ColumnType]
"""The type of each expression over each table."""


@cache
def parse_expression(text: str) -> exp.Expr:
    """A custodian's expression over the columns of one table.

    Raises SourceError SCHEMA for anything else: a query, a table, a qualified column or a parameter.
    """
    try:
        tree: exp.Expr | None = parse_one(text, dialect="duckdb")
    except ParseError:
        tree = None
    forbidden = (exp.Query, exp.Table, exp.Parameter, exp.Placeholder, exp.Star, exp.AggFunc, exp.Window)
    if (
        tree is None
        or isinstance(tree, (exp.Command, exp.DDL, exp.DML))
        or tree.find(*forbidden) is not None
        or any(column.table for column in tree.find_all(exp.Column))
    ):
        raise SourceError(
            SourceFault.SCHEMA, "a catalogue expression is not an expression over its own table"
        )
    return tree


def columns_of(text: str) -> tuple[str, ...]:
    """The physical columns that an expression reads."""
    return tuple(dict.fromkeys(column.name for column in parse_expression(text).find_all(exp.Column)))


def place(text: str, alias: str) -> exp.Expr:
    """The expression with its columns taken from ``alias``; anything but a bare column is guarded by TRY.

    >>> place("pay", "t").sql("duckdb"), place("pay * 52", "t").sql("duckdb")
    ('t."pay"', 'TRY(t."pay" * 52)')
    """
    tree = parse_expression(text).copy()
    if isinstance(tree, exp.Column):
        return exp.column(exp.to_identifier(tree.name, quoted=True), table=alias)
    for column in tree.find_all(exp.Column):
        column.replace(exp.column(exp.to_identifier(column.name, quoted=True), table=alias))
    return exp.func("TRY", tree)


def number(value: int | Decimal) -> exp.Expr:
    return exp.Literal.number(format(value, "f") if isinstance(value, Decimal) else value)


def literal(value: Scalar) -> exp.Expr:
    if value is None:
        return exp.null()
    if isinstance(value, bool):
        return exp.Boolean(this=value)
    return number(value) if isinstance(value, int) else exp.Literal.string(value)


def named(expression: exp.Expr, name: str) -> exp.Expr:
    return exp.Alias(this=expression, alias=exp.to_identifier(name))


def cast(expression: exp.Expr, to: str) -> exp.Expr:
    return exp.Cast(this=expression, to=exp.DataType.build(to, dialect="duckdb"))


def try_cast(expression: exp.Expr, to: str) -> exp.Expr:
    return exp.TryCast(this=expression, to=exp.DataType.build(to, dialect="duckdb"))


def is_null(tree: exp.Expr) -> exp.Expr:
    return exp.Is(this=tree, expression=exp.null())


def not_null(tree: exp.Expr) -> exp.Expr:
    return exp.not_(is_null(tree), copy=False)


def case(condition: exp.Expr, then: exp.Expr, otherwise: exp.Expr | None = None) -> exp.Expr:
    tree = exp.Case().when(condition, then)
    return tree.else_(otherwise) if otherwise is not None else tree


def all_of(conditions: list[exp.Expr]) -> exp.Expr | None:
    return reduce(lambda a, b: exp.and_(a, b), conditions) if conditions else None


def between(expression: exp.Expr, low: exp.Expr, high: exp.Expr) -> exp.Expr:
    return exp.Between(this=expression, low=low, high=high)


@dataclass(frozen=True)
class Scope:
    """One FROM clause: the base table and its joins, each under an alias of its own.

    Joins are LEFT joins: a declared step is many-to-one, so it neither adds a row nor loses one, and a row
    without a partner has nulls there.
    """

    table: Table
    joins: tuple[Join, ...]
    names: Mapping[Table, str]
    types: Types
    prefix: str = "t"

    def alias(self, path: tuple[str, ...]) -> str:
        if not path:
            return self.prefix
        return f"{self.prefix}{[join.path for join in self.joins].index(path) + 1}"

    def table_at(self, path: tuple[str, ...]) -> Table:
        if not path:
            return self.table
        return next(join.table for join in self.joins if join.path == path)

    def field(self, field: Field) -> exp.Expr:
        return place(field.expression, self.alias(field.path))

    def type_of(self, field: Field) -> ColumnType:
        return self.types[self.table_at(field.path), field.expression]

    def from_(self, select: exp.Select, used: frozenset[tuple[str, ...]]) -> exp.Select:
        """Add FROM and those joins that a path in ``used`` goes through."""
        select = select.from_(exp.to_table(self.names[self.table], alias=self.prefix), copy=False)
        for join in self.joins:
            if not any(path[: len(join.path)] == join.path for path in used):
                continue
            left = Field(f'"{join.from_column}"', join.path[:-1])
            right = Field(f'"{join.to_column}"', join.path)
            partner = exp.to_table(self.names[join.table], alias=self.alias(join.path))
            select = select.join(partner, on=self.equal(left, self, right), join_type="left", copy=False)
        return select

    def equal(self, left: Field, other: Scope, right: Field) -> exp.Expr:
        """Two keys compared: as text where their types differ, since a cast to a number could fail."""
        a, b = self.comparable(left, other.type_of(right)), other.comparable(right, self.type_of(left))
        return exp.EQ(this=a, expression=b)

    def comparable(self, field: Field, partner: ColumnType) -> exp.Expr:
        expression = self.field(field)
        return expression if self.type_of(field).kind is partner.kind else cast(expression, "VARCHAR")


NOT_A_CODE = -(2**63) + 1


def matched(scope: Scope, column: Column) -> exp.Expr:
    """The column in the type of its codes: text codes compare as text, whole numbers as numbers.

    What cannot be read as a code is no code, but not null either: null may be a leaf of its own.
    """
    expression, kind = scope.field(column.field), scope.type_of(column.field).kind
    codes = [value for value in column.values if value is not None]
    if not codes or any(isinstance(code, str) for code in codes):
        return expression if kind is TypeKind.TEXT else cast(expression, "VARCHAR")
    if kind is TypeKind.INTEGER:
        return expression
    if all(isinstance(code, bool) for code in codes):
        if kind is TypeKind.BOOLEAN:
            return expression
        raise SourceError(SourceFault.SCHEMA, f"column {column.field.expression} is not true or false")
    read = try_cast(expression.copy(), "BIGINT")
    if kind in (TypeKind.FLOAT, TypeKind.DECIMAL):
        read = case(exp.EQ(this=exp.func("FLOOR", expression.copy()), expression=expression.copy()), read)
    known = not_null(expression)
    return case(known, exp.func("COALESCE", read, number(NOT_A_CODE)))


def _bounded(expression: exp.Expr, places: int) -> exp.Expr:
    limit = number(10 ** (MAGNITUDE_DIGITS - places))
    return between(expression, exp.Neg(this=limit), limit.copy())


def scaled(expression: exp.Expr, type_: ColumnType, places: int, what: str) -> exp.Expr:
    """A number as an integer in units of 10^-places, rounded half away from zero; null if it is not a number
    below 10^15 such units.

    Raises SourceError SCHEMA for a type that holds no numbers.
    """
    factor = number(10**places)
    match type_.kind:
        case TypeKind.INTEGER if type_.precision + places <= MAGNITUDE_DIGITS:
            return exp.Mul(this=cast(expression, "BIGINT"), expression=factor) if places else expression
        case TypeKind.INTEGER:
            small = case(_bounded(expression, places), cast(expression.copy(), "BIGINT"))
            return exp.Mul(this=small, expression=factor) if places else small
        case TypeKind.DECIMAL if type_.precision - type_.scale + places <= MAGNITUDE_DIGITS:
            product = exp.Mul(this=expression, expression=factor) if places else expression
            return cast(exp.paren(product), "BIGINT")
        case TypeKind.DECIMAL | TypeKind.TEXT:
            fixed = try_cast(expression, f"DECIMAL({MAGNITUDE_DIGITS}, {places})")
            return cast(exp.paren(exp.Mul(this=fixed, expression=factor)), "BIGINT")
        case TypeKind.FLOAT:
            double = cast(expression, "DOUBLE")
            rounded = exp.func("ROUND", exp.Mul(this=double, expression=factor) if places else double)
            return case(_bounded(expression.copy(), places), cast(rounded, "BIGINT"))
        case TypeKind.BOOLEAN:
            return exp.Mul(this=cast(expression, "BIGINT"), expression=factor)
        case _:
            raise SourceError(SourceFault.SCHEMA, f"column {what} holds no numbers")


def decimals_of(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _bin(value: exp.Expr, places: int, grid: Grid) -> exp.Expr:
    """The bin of a scaled value; all three numbers of the grid are whole at ``places``."""
    low, step = (int(x.scaleb(places)) for x in (grid.minimum, grid.step))
    last = low + (grid.bins - 1) * step
    offset = exp.paren(exp.Sub(this=value.copy(), expression=number(low))) if low else value.copy()
    inside = exp.IntDiv(this=offset, expression=number(step))
    below = exp.LT(this=value.copy(), expression=number(low))
    above = exp.GTE(this=value.copy(), expression=number(last))
    tree = exp.Case().when(below, number(0)).when(above, number(grid.bins - 1)).else_(inside)
    return cast(tree, "INTEGER")


def grid_bin(scope: Scope, column: Column) -> exp.Expr:
    """The bin of a column's value, null where it has none.

    An approximate or textual number is first rounded to at least four places where 15 digits allow, so that
    a value typed as 0.3 is not a hair below it.
    """
    grid, type_ = column.grid, scope.type_of(column.field)
    assert grid is not None
    places = max(decimals_of(grid.minimum), decimals_of(grid.step))
    if type_.kind is TypeKind.DECIMAL:
        places = max(places, min(type_.scale, MAGNITUDE_DIGITS - (type_.precision - type_.scale)))
    elif type_.kind in (TypeKind.FLOAT, TypeKind.TEXT):
        largest = max(abs(grid.minimum), abs(grid.minimum + grid.step * grid.bins))
        places = max(places, min(4, MAGNITUDE_DIGITS - 1 - len(str(int(largest)))))
    value = scaled(scope.field(column.field), type_, places, column.field.expression)
    return _bin(value, places, grid)


def measure_bin(value: exp.Expr, measure: Measure, grid: Grid) -> exp.Expr:
    """The bin of a measure's scaled value."""
    places = max(measure.decimals, decimals_of(grid.minimum), decimals_of(grid.step))
    shift = 10 ** (places - measure.decimals)
    return _bin(exp.Mul(this=value, expression=number(shift)) if shift > 1 else value, places, grid)


def _ranges(scope: Scope, column: Column, runs: tuple[tuple[int, int], ...], grid: Grid) -> list[exp.Expr]:
    """Runs of bins as comparisons of the stored number, where that is exact and lets the engine skip data."""
    type_, found = scope.type_of(column.field), []
    exact = type_.kind in (TypeKind.INTEGER, TypeKind.DECIMAL)
    for first, last in runs:
        if not exact:
            found.append(between(grid_bin(scope, column), number(first), number(last)))
            continue
        value, unit = scope.field(column.field), Decimal(1).scaleb(-type_.scale)
        tests: list[exp.Expr] = []
        if first > 0:
            low = (grid.minimum + first * grid.step).quantize(unit, ROUND_CEILING)
            tests.append(exp.GTE(this=value, expression=number(low)))
        if last < grid.bins - 1:
            high = (grid.minimum + (last + 1) * grid.step).quantize(unit, ROUND_CEILING)
            tests.append(exp.LT(this=value.copy(), expression=number(high)))
        found.append(all_of(tests) or not_null(value))
    return found


def _codes(expression: exp.Expr, codes: list[Scalar]) -> exp.Expr:
    whole = sorted(code for code in codes if isinstance(code, int) and not isinstance(code, bool))
    if len(whole) == len(codes) > 2 and whole[-1] - whole[0] == len(whole) - 1:
        return between(expression, number(whole[0]), number(whole[-1]))
    if len(codes) == 1:
        return exp.EQ(this=expression, expression=literal(codes[0]))
    return exp.In(this=expression, expressions=[literal(code) for code in codes])


def condition(scope: Scope, wanted: Condition) -> exp.Expr:
    """Rows whose column falls in the leaves; where it is unknown it counts as false."""
    column, leaves = wanted.column, wanted.leaves
    null = len(column.values) - 1 if column.values and column.values[-1] is None else None
    if column.grid is not None:
        within = [(a, min(b, column.grid.bins - 1)) for a, b in leaves.runs() if a < column.grid.bins]
        tests = _ranges(scope, column, tuple(within), column.grid)
    else:
        codes = [column.values[leaf] for leaf in leaves if leaf != null]
        tests = [_codes(matched(scope, column), codes)] if codes else []
    if null is not None and null in leaves:
        absent = grid_bin(scope, column) if column.grid is not None else matched(scope, column)
        tests.append(is_null(absent))
    return exp.paren(exp.or_(*tests)) if tests else exp.false()


def membership(scope: Scope, wanted: Membership, number_: int) -> exp.Expr:
    """Whether a row's unit occurs among the matching rows: true or false, never unknown."""
    other = Scope(wanted.table, wanted.joins, scope.names, scope.types, f"m{number_}_")
    key = Field(f'"{wanted.to_column}"')
    used = frozenset(c.column.field.path for c in wanted.where)
    theirs = other.comparable(key, scope.type_of(wanted.from_field))
    mine = scope.comparable(wanted.from_field, other.type_of(key))
    matching = other.from_(exp.select(theirs, copy=False), used)
    matching = matching.where(not_null(theirs.copy()), copy=False)
    for test in wanted.where:
        matching = matching.where(condition(other, test), copy=False)
    occurs = exp.func("COALESCE", exp.In(this=mine, query=matching.subquery(copy=False)), exp.false())
    return occurs if wanted.present else exp.not_(occurs)


def expressions_of(fragment: Fragment) -> dict[Table, dict[str, None]]:
    """The expressions that a fragment reads of each table, whose types rendering needs to know."""
    found: dict[Table, dict[str, None]] = {}

    def add(table: Table, joins: tuple[Join, ...], fields: list[Field]) -> None:
        at = {(): table, **{join.path: join.table for join in joins}}
        found.setdefault(table, {})
        for join in joins:
            fields += [
                Field(f'"{join.from_column}"', join.path[:-1]),
                Field(f'"{join.to_column}"', join.path),
            ]
        for item in fields:
            found.setdefault(at[item.path], {})[item.expression] = None

    fields = [fragment.record_key]
    fields += [f for f in (fragment.unit, fragment.second_unit, fragment.holding, fragment.weight) if f]
    tests = list(fragment.where)
    for block in fragment.blocks:
        for axis in block.axes:
            if isinstance(axis, MembershipAxis):
                tests.append(axis.membership)
            else:
                fields.append(axis.column.field)
    for statistic in fragment.statistics:
        tests += statistic.where
        if statistic.measure is not None and statistic.measure.field is not None:
            fields.append(statistic.measure.field)
    for test in tests:
        if isinstance(test, Membership):
            fields.append(test.from_field)
            theirs = [Field(f'"{test.to_column}"'), *(c.column.field for c in test.where)]
            add(test.table, test.joins, theirs)
        else:
            fields.append(test.column.field)
    add(fragment.table, fragment.joins, fields)
    return found
