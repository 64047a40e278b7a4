"""The rows that an aggregate reads: named expressions over one FROM clause, each computed once per row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from catalogue.fragment import (
    Axis,
    Condition,
    Field,
    Fragment,
    Grid,
    Measure,
    Membership,
    Table,
)
from connectors.expressions import (
    MAGNITUDE_DIGITS,
    WEIGHT_DECIMALS,
    WEIGHT_DIGITS,
    Scope,
    Types,
    all_of,
    between,
    case,
    condition,
    grid_bin,
    is_null,
    matched,
    measure_bin,
    membership,
    named,
    number,
    scaled,
    try_cast,
)
from connectors.keys import EarlyKey, Key, LateKey, MemberKey
from connectors.protocol import TypeKind

Where = tuple[Condition | Membership, ...]


@dataclass
class Rows:
    """Collects row expressions by name. The same expression gets the same name, and joins only what is used."""

    fragment: Fragment
    names: Mapping[Table, str]
    types: Types
    maps: dict[Axis, str]
    as_stored: bool = False
    columns: dict[str, exp.Expr] = field(default_factory=dict)
    filters: list[exp.Expr] = field(default_factory=list)
    joins: list[tuple[str, exp.Expr, bool]] = field(default_factory=list)
    paths: set[tuple[str, ...]] = field(default_factory=set)
    memberships: dict[Membership, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.scope = Scope(self.fragment.table, self.fragment.joins, self.names, self.types)

    def copy(self) -> Rows:
        return Rows(
            self.fragment, self.names, self.types, self.maps, self.as_stored, dict(self.columns), list(self.filters),
            list(self.joins), set(self.paths), dict(self.memberships),
        )  # fmt: skip

    def name(self, expression: exp.Expr) -> exp.Expr:
        """The expression as a column of the rows."""
        for name, known in self.columns.items():
            if known == expression:
                return exp.column(name)
        name = f"r{len(self.columns)}"
        self.columns[name] = expression
        return exp.column(name)

    def raw(self, field_: Field) -> exp.Expr:
        self.paths.add(field_.path)
        return self.scope.field(field_)

    def test(self, wanted: Condition | Membership) -> exp.Expr:
        if isinstance(wanted, Condition):
            self.paths.add(wanted.column.field.path)
            return condition(self.scope, wanted)
        self.paths.add(wanted.from_field.path)
        number_ = self.memberships.setdefault(wanted, len(self.memberships))
        return membership(self.scope, wanted, number_)

    def flag(self, where: Where) -> exp.Expr | None:
        """Whether the row meets a statistic's own conditions; None where there are none."""
        test = all_of([self.test(wanted) for wanted in where])
        return None if test is None else self.name(test)

    def entity(self, field_: Field) -> exp.Expr:
        return self.name(self.raw(field_))

    def record_key(self) -> exp.Expr:
        key = self.fragment.record_key
        raw, type_ = self.raw(key), self.scope.type_of(key)
        return self.name(raw if type_.kind is TypeKind.INTEGER else try_cast(raw, "BIGINT"))

    def weight(self) -> exp.Expr:
        """The weight in millionths, below 10^8; null where it is no such number."""
        weight = self.fragment.weight
        assert weight is not None
        value = scaled(self.raw(weight), self.scope.type_of(weight), WEIGHT_DECIMALS, weight.expression)
        small = between(value, number(0), number(10**WEIGHT_DIGITS))
        return self.name(case(small, value.copy()))

    def _is_stored(self, measure: Measure) -> bool:
        if measure.field is None or not self.as_stored:
            return False
        type_ = self.scope.type_of(measure.field)
        fits = type_.precision <= MAGNITUDE_DIGITS and type_.scale == measure.decimals
        return type_.kind is TypeKind.DECIMAL and fits

    def total_type(self, measure: Measure) -> str:
        """The type of a total of ``value``: whole units of the last place, or a decimal."""
        return f"DECIMAL(38, {measure.decimals})" if self._is_stored(measure) else "HUGEINT"

    def value(self, measure: Measure, where: Where) -> exp.Expr:
        """The measure, null where it has none or the row does not meet ``where``: in units of its last place, or,
        with ``as_stored``, as the decimal that it is (which adds up as exactly and converts nothing)."""
        if measure.field is not None and self._is_stored(measure):
            return self._where(self.raw(measure.field), where)
        return self._scaled(measure, where)

    def _scaled(self, measure: Measure, where: Where) -> exp.Expr:
        if measure.field is None:
            value = number(10**measure.decimals)
        else:
            type_ = self.scope.type_of(measure.field)
            value = scaled(self.raw(measure.field), type_, measure.decimals, measure.field.expression)
        return self._where(value, where)

    def _where(self, value: exp.Expr, where: Where) -> exp.Expr:
        flag = self.flag(where)
        return self.name(value if flag is None else case(self._inline(flag), value))

    def value_without(self, value: exp.Expr, entity: Field) -> exp.Expr:
        """A value only where the row has no such entity."""
        absent = is_null(self.raw(entity))
        return self.name(case(absent, self._inline(value)))

    def bin(self, measure: Measure, grid: Grid, where: Where) -> exp.Expr:
        value = self._inline(self._scaled(measure, where))
        return self.name(measure_bin(value, measure, grid))

    def _inline(self, column: exp.Expr) -> exp.Expr:
        """Columns of one SELECT can't refer to each other in standard SQL."""
        return self.columns[column.name].copy()

    def key(self, key: Key, *, drop: bool) -> exp.Expr:
        """A grouping key. ``drop`` leaves out rows of no part, where every block of the scan has the key."""
        match key:
            case LateKey(column):
                self.paths.add(column.field.path)
                return self.name(
                    grid_bin(self.scope, column) if column.grid is not None else matched(self.scope, column)
                )
            case MemberKey(axis):
                return self.name(case(self.test(axis.membership), number(1), number(0)))
            case EarlyKey(axis):
                column = axis.column
                self.paths.add(column.field.path)
                stored = (
                    grid_bin(self.scope, column) if column.grid is not None else matched(self.scope, column)
                )
                alias = f"k{len(self.joins)}"
                self.joins.append((f"{self.maps[axis]} AS {alias}", map_match(axis, alias, stored), drop))
                return self.name(exp.column("part", table=alias))

    def select(self) -> exp.Select:
        """The rows that meet the fragment's conditions, with every named column."""
        where = [self.test(wanted) for wanted in self.fragment.where]
        columns = [named(tree.copy(), name) for name, tree in self.columns.items()]
        rows = self.scope.from_(exp.select(*columns or [number(1)], copy=False), frozenset(self.paths))
        for relation, on, drop in self.joins:
            rows = rows.join(
                relation, on=on, join_type="inner" if drop else "left", dialect="duckdb", copy=False
            )
        for test in where + self.filters:
            rows = rows.where(test, copy=False)
        return rows


def map_match(axis: Axis, alias: str, stored: exp.Expr) -> exp.Expr:
    """The join condition between a stored value and an axis's mapping; only a null leaf matches null."""
    value = exp.column("value", table=alias)
    values = axis.column.values
    if values and values[-1] is None and axis.parts[-1] >= 0:
        return exp.NullSafeEQ(this=stored, expression=value)
    return exp.EQ(this=stored, expression=value)
