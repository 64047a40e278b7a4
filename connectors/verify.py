"""Is the data what the catalogue says? Each check is one test of the whole table, answered yes or no.

Fragments lean on what is checked here: that a row is a unit, that record keys are there and follow the unit, that
a measure declared without zeros or negatives has none, that a relationship's far side is unique. A finding names
the column and what is wrong with it, never a value and never how many rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
from sqlglot import exp

from catalogue.catalogue import BoundDataset, Dimension
from catalogue.fragment import RECORD_KEY_MODULUS, Column, Field, SourceError, Table
from catalogue.held import Local
from catalogue.models import Role, Variable
from connectors.expressions import (
    WEIGHT_DECIMALS,
    Scope,
    Types,
    cast,
    columns_of,
    is_null,
    literal,
    matched,
    named,
    not_null,
    number,
    scaled,
    try_cast,
)
from connectors.protocol import ColumnType, Finding, FindingKind, TypeKind

NUMBERS = (TypeKind.INTEGER, TypeKind.DECIMAL, TypeKind.FLOAT, TypeKind.TEXT, TypeKind.BOOLEAN)


@dataclass(frozen=True)
class Check:
    """``finding`` holds if ``broken`` returns true in its one row; ``maps`` are relations that it reads."""

    finding: Finding
    broken: exp.Expr
    maps: Mapping[str, pa.Table] = field(default_factory=dict)


def source_table(dataset: BoundDataset) -> Table:
    held = dataset.held
    assert isinstance(held, Local), f"{dataset.name} is not held here"
    return Table(held.connector, held.location, dataset.name)


def declared_expressions(dataset: BoundDataset) -> dict[str, str]:
    """Every expression that fragments may read of the dataset's own table, with what declares it."""
    document, unit = dataset.document, dataset.document.unit
    found = {unit.expression: unit.name, document.record_key: "record_key"}
    if unit.second is not None:
        found[unit.second.expression] = unit.second.name
    if unit.holding is not None:
        found[unit.holding] = "holding"
    for name, variable in document.variables.items():
        if variable.stored:
            found.setdefault(variable.expression or name, name)
    for name, relationship in document.relationships.items():
        found.setdefault(f'"{relationship.from_column}"', name)
    return found


def expressions_to_verify(
    dataset: BoundDataset, related: Mapping[str, BoundDataset]
) -> dict[Table, dict[str, None]]:
    """What verification reads of each table: the dataset's own first, then those of ``related`` in the same source."""
    own = source_table(dataset)
    wanted = {own: dict.fromkeys(declared_expressions(dataset))}
    for relationship in dataset.document.relationships.values():
        other = source_table(related[relationship.to]) if relationship.to in related else None
        if other is not None and other.connector == own.connector:
            wanted.setdefault(other, {})[f'"{relationship.to_column}"'] = None
    return wanted


def missing_columns(dataset: BoundDataset, held: Mapping[str, ColumnType]) -> tuple[Finding, ...]:
    """Declared columns that the table lacks."""
    have = {name.lower() for name in held}
    lacking = {
        column: declared
        for text, declared in declared_expressions(dataset).items()
        for column in columns_of(text)
        if column.lower() not in have
    }
    return tuple(
        Finding(FindingKind.MISSING_COLUMN, dataset.name, declared, f"the table has no column {column}")
        for column, declared in lacking.items()
    )


def checks_of(
    dataset: BoundDataset, related: Mapping[str, BoundDataset], names: Mapping[Table, str], types: Types
) -> tuple[list[Check], list[Finding]]:
    """The checks to run on a dataset whose columns are all there, and findings that need no run."""
    return _Checks(dataset, related, names, types).all()


@dataclass
class _Checks:
    dataset: BoundDataset
    related: Mapping[str, BoundDataset]
    names: Mapping[Table, str]
    types: Types

    def __post_init__(self) -> None:
        self.table = source_table(self.dataset)
        self.scope = Scope(self.table, (), self.names, self.types)
        self.checks: list[Check] = []
        self.findings: list[Finding] = []

    def all(self) -> tuple[list[Check], list[Finding]]:
        self._any_row(FindingKind.EMPTY, "", "the table has no rows", None)
        self._units()
        for name, variable in self.dataset.document.variables.items():
            if not variable.stored:
                continue
            match variable.role:
                case Role.DIMENSION:
                    self._dimension(name, variable)
                case Role.MEASURE | Role.WEIGHT:
                    self._number(name, variable)
                case _:
                    pass
        self._relationships()
        return self.checks, self.findings

    def _finding(self, kind: FindingKind, column: str, detail: str) -> Finding:
        return Finding(kind, self.dataset.name, column, detail)

    def _field(self, expression: str) -> exp.Expr:
        return self.scope.field(Field(expression))

    def _any_row(self, kind: FindingKind, column: str, detail: str, test: exp.Expr | None) -> None:
        """Broken where some row passes ``test``; without a test, where there is no row."""
        rows = self.scope.from_(exp.select(number(1)), frozenset())
        found: exp.Expr = exp.Exists(this=rows.where(test) if test is not None else rows)
        broken = exp.select(named(found if test is not None else exp.not_(found), "broken"))
        self.checks.append(Check(self._finding(kind, column, detail), broken))

    def _any_group(
        self, kind: FindingKind, column: str, detail: str, scope: Scope, key: exp.Expr, test: exp.Expr
    ) -> None:
        """Broken where some group of rows with one key passes ``test``."""
        groups = scope.from_(exp.select(named(number(1), "one")), frozenset())
        groups = groups.where(not_null(key.copy())).group_by(key).having(test)
        broken = exp.select(named(exp.Exists(this=groups), "broken"))
        self.checks.append(Check(self._finding(kind, column, detail), broken))

    def _units(self) -> None:
        document, unit = self.dataset.document, self.dataset.document.unit
        key, record_key = self._field(unit.expression), self._field(document.record_key)
        self._any_row(FindingKind.NULL_UNIT, unit.name, "a row names no unit", is_null(key))
        several = exp.GT(this=exp.Count(this=exp.Star()), expression=number(1))
        if unit.row_is_unit:
            detail = "a unit has several rows, though a row is declared to be a unit"
            self._any_group(FindingKind.DUPLICATE_UNIT, unit.name, detail, self.scope, key.copy(), several)
        whole = try_cast(record_key.copy(), "BIGINT")
        self._any_row(
            FindingKind.RECORD_KEY_NULL, "record_key", "a row has no record key", is_null(whole.copy())
        )
        outside = exp.or_(
            exp.LT(this=whole.copy(), expression=number(0)),
            exp.GTE(this=whole.copy(), expression=number(RECORD_KEY_MODULUS)),
        )
        broken = exp.NEQ(
            this=try_cast(record_key.copy(), "DOUBLE"), expression=try_cast(whole.copy(), "DOUBLE")
        )
        detail = "a record key is no whole number"
        self._any_row(FindingKind.WRONG_TYPE, "record_key", detail, broken)
        detail = f"a record key is not in [0, {RECORD_KEY_MODULUS})"
        self._any_row(FindingKind.RECORD_KEY_RANGE, "record_key", detail, outside)
        if not unit.row_is_unit:
            varies = exp.NEQ(this=exp.Min(this=record_key.copy()), expression=exp.Max(this=record_key.copy()))
            detail = "a unit has several record keys"
            self._any_group(
                FindingKind.RECORD_KEY_VARIES, "record_key", detail, self.scope, key.copy(), varies
            )

    def _dimension(self, name: str, variable: Variable) -> None:
        dimension = self.dataset.dimension_of(name)
        if dimension is None or dimension.codelist is None:
            return
        expression = variable.expression or name
        level = next(
            (x for x in dimension.codelist.levels if x.name == self.dataset.level_of(name)),
            dimension.codelist.leaf_level,
        )
        codes = tuple(dict.fromkeys(code for code in level.codes if code is not None))
        column = Column(Field(expression), codes)
        try:
            stored = matched(self.scope, column)
        except SourceError:
            self.findings.append(
                self._finding(FindingKind.WRONG_TYPE, name, "the column cannot hold such codes")
            )
            return
        known = exp.In(this=stored, expressions=[literal(code) for code in codes])
        outside = exp.and_(
            not_null(self._field(expression)), exp.not_(exp.func("COALESCE", known, exp.false()))
        )
        self._any_row(FindingKind.UNKNOWN_CODE, name, "a code is not in the code list", outside)
        if not (variable.nullable or dimension.nullable):
            self._any_row(
                FindingKind.UNEXPECTED_NULL, name, "a code is missing", is_null(self._field(expression))
            )
        if variable.of is not None:
            self._level(name, expression, variable, dimension, level.codes)

    def _level(
        self,
        name: str,
        expression: str,
        variable: Variable,
        dimension: Dimension,
        parents: tuple[str | int | None, ...],
    ) -> None:
        """A stored coarser column must say what the code list says of the leaf."""
        leaves = dimension.stored_values()[: len(parents)]
        leaf = matched(self.scope, Column(Field(dimension.expression), leaves))
        parent = cast(self._field(expression), "VARCHAR")
        type_ = pa.string() if any(isinstance(code, str) for code in leaves) else pa.int64()
        relation = f"levels_{name}"
        table = pa.table({
            "leaf": pa.array(leaves, type_),
            "parent": pa.array([None if code is None else str(code) for code in parents], pa.string()),
        })  # fmt: skip
        rows = self.scope.from_(exp.select(number(1)), frozenset())
        rows = rows.join(
            exp.to_table(relation, alias="l"), on=exp.EQ(this=leaf, expression=exp.column("leaf", "l"))
        )
        rows = rows.where(exp.NullSafeNEQ(this=parent, expression=exp.column("parent", "l")))
        finding = self._finding(
            FindingKind.LEVEL_DIFFERS, name, f"a row's code differs from that of its {variable.of}"
        )
        broken = exp.select(named(exp.Exists(this=rows), "broken"))
        self.checks.append(Check(finding, broken, {relation: table}))

    def _number(self, name: str, variable: Variable) -> None:
        expression = variable.expression or name
        type_, raw = self.types[self.table, expression], self._field(expression)
        if type_.kind not in NUMBERS:
            self.findings.append(self._finding(FindingKind.WRONG_TYPE, name, "the column holds no numbers"))
            return
        weight = variable.role is Role.WEIGHT
        value = scaled(raw, type_, WEIGHT_DECIMALS if weight else variable.decimals, name)
        unread = exp.and_(not_null(raw.copy()), is_null(value))
        if type_.kind is TypeKind.TEXT:
            self._any_row(FindingKind.WRONG_TYPE, name, "a text in the column is no number", unread)
        else:
            detail = "a number is not finite or has more than 15 digits"
            self._any_row(FindingKind.OUT_OF_RANGE, name, detail, unread)
        as_number = try_cast(raw.copy(), "DOUBLE")
        if weight:
            negative = exp.LT(this=as_number, expression=number(0))
            bad = exp.or_(is_null(raw.copy()), negative)
            self._any_row(FindingKind.WEIGHT, name, "a weight is missing or negative", bad)
            return
        if not variable.nullable:
            self._any_row(FindingKind.UNEXPECTED_NULL, name, "a number is missing", is_null(raw.copy()))
        if variable.minimum is not None:
            below = exp.LT(this=as_number, expression=number(variable.minimum))
            self._any_row(FindingKind.OUT_OF_RANGE, name, "a number is below the declared minimum", below)

    def _relationships(self) -> None:
        for name, relationship in self.dataset.document.relationships.items():
            other = self.related.get(relationship.to)
            table = None if other is None else source_table(other)
            if other is None or table is None or table.connector != source_table(self.dataset).connector:
                continue
            scope = Scope(table, (), self.names, self.types)
            key = scope.field(Field(f'"{relationship.to_column}"'))
            several = exp.GT(this=exp.Count(this=exp.Star()), expression=number(1))
            detail = f"a key occurs several times in {relationship.to}"
            self._any_group(FindingKind.DUPLICATE_KEY, name, detail, scope, key, several)
