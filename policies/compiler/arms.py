"""The argument of an aggregate, as arms: disjoint regions, in each of which it is one affine value or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from sqlglot import exp

from catalogue.catalogue import Dimension
from catalogue.codelists import CodeListKind
from catalogue.models import Role, Variable
from policies.boxes import EVERYWHERE, Region, intersect, subtract, union
from policies.compiler.errors import another_unit, refuse
from policies.compiler.predicates import Predicates
from policies.compiler.refs import DimensionRef, Kind, MeasureRef, MemberRef, OtherRef, key_of
from policies.compiler.trees import bare
from policies.refusals import Code, RefusalError

MEASURE_RULE = "An aggregate takes a measure of the catalogue, scaled or shifted by constants."
FLOATING = {"DOUBLE", "FLOAT", "REAL"}
NUMERIC = FLOATING | {"INT", "BIGINT", "SMALLINT", "TINYINT", "DECIMAL", "HUGEINT", "INTEGER"}


@dataclass(frozen=True)
class Affine:
    """``scale * measure + offset``, times the survey weight where ``weighted``; no measure: the constant offset."""

    measure: MeasureRef | None = None
    scale: Decimal = Decimal(1)
    offset: Decimal = Decimal(0)
    weighted: bool = False


@dataclass(frozen=True)
class Arm:
    region: Region
    value: Affine


class Arms:
    """Reads aggregate arguments of one dataset."""

    def __init__(self, predicates: Predicates) -> None:
        self._predicates = predicates
        self._refs = predicates.refs
        self._sql = predicates.sql

    def of(self, argument: exp.Expr) -> tuple[Arm, ...]:
        """Arms with a value; where the argument is null there is none."""
        return tuple(arm for arm in self._within(bare(argument), EVERYWHERE) if arm.region)

    def present(self, argument: exp.Expr) -> tuple[Arm, ...]:
        """Where any expression has a value, as arms whose affine value only says which measure must be there."""
        return tuple(arm for arm in self._within(bare(argument), EVERYWHERE, presence=True) if arm.region)

    def _within(self, node: exp.Expr, region: Region, presence: bool = False) -> list[Arm]:
        if not region:
            return []
        if isinstance(node, exp.Case):
            return self._case(node, region, presence)
        if isinstance(node, exp.If):
            return self._branches([(node.this, node.args["true"])], node.args.get("false"), region, presence)
        if isinstance(node, exp.Null):
            return []
        if isinstance(node, exp.Nullif):
            same = exp.EQ(this=node.this, expression=node.expression)
            return self._branches([(same, exp.Null())], node.this, region, presence)
        # DuckDB sums a condition as a number, with or without a cast.
        condition = bare(node.this) if isinstance(node, exp.Cast | exp.TryCast) else node
        if not presence and self._is_predicate(condition):
            false = exp.Not(this=condition.copy())
            return self._branches(
                [(condition, exp.Literal.number(1)), (false, exp.Literal.number(0))], None, region, presence
            )
        if presence:
            return self._presence(node, region)
        return [Arm(region, self.affine(node))]

    def _presence(self, node: exp.Expr, region: Region) -> list[Arm]:
        keys = self._refs.keys_in(node)
        if not keys:
            absent = self._predicates.constant(node) is None
            return [] if absent else [Arm(region, Affine(offset=Decimal(1)))]
        if len(keys) == 1:
            ref = self._refs[keys[0]]
            if isinstance(ref, MeasureRef):
                affine = self.affine(node)
                return [Arm(region, affine)]
            if isinstance(ref, OtherRef):
                if ref.kind is Kind.UNIT and isinstance(node, exp.Column):
                    return [Arm(region, Affine(offset=Decimal(1)))]
            else:
                there = self._predicates.region(
                    [exp.Not(this=exp.Is(this=node.copy(), expression=exp.Null()))]
                )
                return [Arm(both, Affine(offset=Decimal(1)))] if (both := intersect(region, there)) else []
        raise self._refused(node)

    def _case(self, node: exp.Case, region: Region, presence: bool) -> list[Arm]:
        operand = node.this
        branches = []
        for branch in node.args["ifs"]:
            condition = branch.this
            if operand is not None:
                condition = exp.EQ(this=operand.copy(), expression=condition.copy())
            branches.append((condition, branch.args["true"]))
        return self._branches(branches, node.args.get("default"), region, presence)

    def _branches(
        self,
        branches: list[tuple[exp.Expr, exp.Expr]],
        default: exp.Expr | None,
        region: Region,
        presence: bool,
    ) -> list[Arm]:
        arms: list[Arm] = []
        taken: Region = ()
        for condition, value in branches:
            true = self._predicates.region([condition])
            arms += self._within(bare(value), intersect(region, subtract(true, taken)), presence)
            taken = union(taken, true)
        if default is not None:
            arms += self._within(bare(default), subtract(region, taken), presence)
        return arms

    def _is_predicate(self, node: exp.Expr) -> bool:
        """Whether this is true or false of each row. EXISTS and IN over another dataset are bound to a column."""
        if isinstance(node, exp.Column):
            return isinstance(self._refs[key_of(node)], MemberRef)
        return isinstance(
            node, exp.Predicate | exp.Connector | exp.Not | exp.Between | exp.In | exp.Boolean
        ) and bool(self._refs.keys_in(node))

    def affine(self, node: exp.Expr) -> Affine:
        """Raises RefusalError ``measure_expression_not_allowed`` for anything that is not affine in one measure."""
        node = bare(node)
        if not self._refs.keys_in(node):
            return Affine(offset=self._number(node))
        if isinstance(node, exp.Neg):
            return _scaled(self.affine(node.this), Decimal(-1))
        if isinstance(node, exp.Cast | exp.TryCast) and node.to.this.name in NUMERIC:
            inner = self.affine(node.this)
            if _keeps_places(node.to, inner):
                return inner
            raise self._refused(node)
        if isinstance(node, exp.Column):
            return self._column(node)
        if isinstance(node, exp.Add | exp.Sub):
            left, right = self.affine(node.this), self.affine(node.expression)
            if isinstance(node, exp.Sub):
                right = _scaled(right, Decimal(-1))
            if (left.measure is not None and right.measure is not None) or left.weighted or right.weighted:
                raise self._refused(node)
            holder = left if left.measure is not None else right
            return Affine(holder.measure, holder.scale, left.offset + right.offset)
        if isinstance(node, exp.Mul):
            return self._product(node, self.affine(node.this), self.affine(node.expression))
        if isinstance(node, exp.Div):
            divisor = self.affine(node.expression)
            if divisor.measure is None and not divisor.weighted and divisor.offset:
                return _scaled(self.affine(node.this), Decimal(1) / divisor.offset)
        raise self._refused(node)

    def _product(self, node: exp.Expr, left: Affine, right: Affine) -> Affine:
        for value, other in ((left, right), (right, left)):
            plain = other.measure is None and not other.weighted
            if plain:
                return _scaled(value, other.offset)
            if other == Affine(offset=Decimal(1), weighted=True) and not value.weighted:
                return Affine(value.measure, value.scale, value.offset, weighted=True)
        raise self._refused(node)

    def _column(self, node: exp.Column) -> Affine:
        ref = self._refs[key_of(node)]
        if isinstance(ref, MeasureRef):
            if not ref.same_unit:
                raise another_unit(ref.name, ref.dataset.name, node, self._sql)
            return Affine(ref)
        if isinstance(ref, OtherRef) and ref.kind is Kind.WEIGHT:
            return Affine(offset=Decimal(1), weighted=True)
        if isinstance(ref, DimensionRef) and (measure := _as_measure(ref, node.name)) is not None:
            return Affine(measure)
        raise self._refused(node)

    def _number(self, node: exp.Expr) -> Decimal:
        value = self._predicates.constant(node)
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            raise self._refused(node)
        number = Decimal(str(value))
        if not number.is_finite() or abs(number) > Decimal(10) ** 12:
            raise self._refused(node)
        return number

    def _refused(self, node: exp.Expr) -> RefusalError:
        return refuse(
            Code.MEASURE_EXPRESSION,
            "This is not a measure scaled by constants.",
            MEASURE_RULE,
            "Aggregate the measure itself and compute with the result, or ask the custodian to declare a derivation.",
            node,
            self._sql,
        )


def _keeps_places(target: exp.DataType, value: Affine) -> bool:
    """Whether a cast only names another type. One with fewer places would round each row."""
    if target.this.name in FLOATING:
        return True
    places = target.expressions[1].name if len(target.expressions) == 2 else "3"
    kept = int(places) if target.this.name == "DECIMAL" and places.isdigit() else 0
    has = value.measure.variable.decimals if value.measure is not None else 0
    exact = all(number == number.to_integral_value() for number in (value.scale, value.offset))
    return exact and has <= kept


def _scaled(value: Affine, factor: Decimal) -> Affine:
    return Affine(value.measure, value.scale * factor, value.offset * factor, value.weighted)


def _as_measure(ref: DimensionRef, attribute: str) -> MeasureRef | None:
    """A dimension of whole numbers (age) read as a measure."""
    dimension: Dimension = ref.dimension
    codelist = dimension.codelist
    if (
        codelist is None
        or codelist.kind is not CodeListKind.INTEGERS
        or attribute != codelist.leaf_level.name
    ):
        return None
    numbers = [code for code in codelist.leaf_level.codes if isinstance(code, int)]
    variable = Variable(
        role=Role.MEASURE,
        title=ref.title,
        expression=dimension.expression,
        nullable=dimension.nullable,
        minimum=Decimal(min(numbers)),
        maximum=Decimal(max(numbers)),
        step=Decimal(1),
    )
    return MeasureRef(ref.key, ref.dataset, dimension.name, variable, ref, ref.path)
