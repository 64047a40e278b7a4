"""Aggregates to atoms: each becomes an expression over protected numbers, one atom per box that it covers."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from sqlglot import exp

from catalogue.models import Profile
from policies.boxes import EVERYWHERE, Region, intersect
from policies.compiler.arms import Affine, Arm, Arms
from policies.compiler.atoms import AtomTable
from policies.compiler.errors import nearest, refuse
from policies.compiler.leaf_engine import aggregate_names
from policies.compiler.predicates import Predicates
from policies.compiler.refs import Kind, OtherRef, key_of
from policies.compiler.trees import bare
from policies.compiler.weighted import NAMES, WEIGHTED
from policies.plan import AtomKind
from policies.refusals import Code, RefusalError

VARIANCES: dict[type[exp.Expr], AtomKind] = {exp.Variance: AtomKind.VARIANCE}
DEVIATIONS: dict[type[exp.Expr], AtomKind] = {exp.Stddev: AtomKind.STDDEV, exp.StddevSamp: AtomKind.STDDEV}
QUANTILES = (exp.Quantile, exp.PercentileCont, exp.PercentileDisc, exp.ApproxQuantile)
SUPPORTED_NAMES = (
    "count",
    "count_if",
    "sum",
    "avg",
    "mean",
    "median",
    "quantile_cont",
    "quantile_disc",
    "var_samp",
    "stddev_samp",
    *NAMES,
)


def is_aggregate(node: exp.Expr) -> bool:
    if isinstance(node, exp.Anonymous):
        return node.name.lower() in aggregate_names()
    return isinstance(node, exp.AggFunc | exp.Filter | exp.WithinGroup) and not isinstance(
        node, NOT_AGGREGATES
    )


# Window functions that sqlglot files under aggregates, and GROUPING, which reads no row.
NOT_AGGREGATES = (
    exp.RowNumber,
    exp.Lag,
    exp.Lead,
    exp.FirstValue,
    exp.LastValue,
    exp.NthValue,
    exp.Grouping,
    exp.GroupingId,
)


class Aggregates:
    """Translates the aggregates of one cell query; ``where`` is the region of its rows."""

    def __init__(self, predicates: Predicates, where: Region, table: AtomTable, profile: Profile) -> None:
        self._predicates = predicates
        self._refs = predicates.refs
        self._sql = predicates.sql
        self._where = where
        self._table = table
        self._profile = profile
        self._arms = Arms(predicates)

    def translate(self, node: exp.Expr) -> exp.Expr:
        """The presentation expression of a bound aggregate. Raises RefusalError."""
        rows = EVERYWHERE
        if isinstance(node, exp.Filter):
            rows = self._predicates.region([node.expression.this])
            node = bare(node.this)
        if isinstance(node, exp.WithinGroup):
            ordered = node.expression.expressions[0]
            quantile = node.this.this
            if not isinstance(node.this, QUANTILES) or quantile is None:
                raise self._unknown(node, "this aggregate WITHIN GROUP")
            if ordered.args.get("desc"):
                quantile = exp.Sub(this=exp.Literal.number(1), expression=exp.Paren(this=quantile))
            return self._quantiles(node, ordered.this, quantile, rows)
        if node.args.get("order") is not None or isinstance(node.this, exp.Order):
            raise self._unknown(node, "an aggregate with ORDER BY")
        if isinstance(node, exp.Count):
            return self._count(node, rows)
        if isinstance(node, exp.CountIf):
            return self._counted([Arm(self._predicates.region([node.this]), Affine(offset=Decimal(1)))], rows)
        if isinstance(node.this, exp.Distinct):
            raise self._unknown(node, "DISTINCT inside a sum or mean")
        if isinstance(node, exp.Sum):
            return self._sum(self._arms.of(_without_zero(node.this)), rows)
        if isinstance(node, exp.Avg) or (isinstance(node, exp.Anonymous) and node.name.lower() == "mean"):
            return self._mean(node.expressions[0] if isinstance(node, exp.Anonymous) else node.this, rows)
        if isinstance(node, exp.Median):
            return self._quantiles(node, node.this, exp.Literal.number("0.5"), rows)
        if isinstance(node, exp.ApproxQuantile | exp.Quantile):
            return self._quantiles(node, node.this, node.args["quantile"], rows)
        if isinstance(node, QUANTILES):
            return self._quantiles(node, node.this, node.expression, rows)
        if type(node) in VARIANCES or type(node) in DEVIATIONS:
            return self._spread(node, {**VARIANCES, **DEVIATIONS}[type(node)], rows)
        if isinstance(
            node, exp.Max | exp.Min | exp.ArgMax | exp.ArgMin | exp.First | exp.Last | exp.AnyValue
        ):
            raise refuse(
                Code.EXTREMES,
                f"{node.sql_name().upper()} would show one unit's value.",
                "Extremes belong to a single unit and are never released.",
                "Ask for a high or low percentile: quantile_cont(x, 0.9) or quantile_cont(x, 0.1).",
                node,
                self._sql,
            )
        raise self._unknown(
            node, f"the aggregate {node.sql_name() if isinstance(node, exp.Func) else 'here'}"
        )

    def _regions(self, arm: Arm, rows: Region) -> Region:
        return intersect(self._where, intersect(rows, arm.region))

    def _count(self, node: exp.Count, rows: Region) -> exp.Expr:
        argument = node.this
        if isinstance(argument, exp.Star) or argument is None:
            return self._counted([Arm(EVERYWHERE, Affine(offset=Decimal(1)))], rows)
        if isinstance(argument, exp.Distinct):
            return self._distinct(argument, rows)
        return self._counted(self._arms.present(argument), rows)

    def _counted(self, arms: Sequence[Arm], rows: Region) -> exp.Expr:
        return _total(
            [self._table.rows(box, arm.value.measure) for arm in arms for box in self._regions(arm, rows)]
        )

    def _distinct(self, node: exp.Distinct, rows: Region) -> exp.Expr:
        arms: list[Arm] = []
        if len(node.expressions) == 1:
            columns = list(node.expressions[0].find_all(exp.Column))
            refs = [self._refs[key_of(column)] for column in columns]
            units = [
                c
                for c, r in zip(columns, refs, strict=True)
                if isinstance(r, OtherRef) and r.kind is Kind.UNIT
            ]
            if len(units) == 1 and _chooses(node.expressions[0], units[0]):
                arms = list(self._arms.present(node.expressions[0]))
        if not arms:
            raise self._unknown(node, "COUNT(DISTINCT) of anything but the unit")
        return _total([self._table.units(box) for arm in arms for box in self._regions(arm, rows)])

    def _sum(self, arms: Sequence[Arm], rows: Region) -> exp.Expr:
        terms: list[exp.Expr] = []
        for arm in arms:
            value = arm.value
            for box in self._regions(arm, rows):
                if value.measure is not None and value.scale:
                    total = self._table.magnitude(AtomKind.SUM, box, value.measure, value.weighted)
                    terms.append(_times(value.scale, total))
                if value.offset:
                    count = (
                        self._table.weight(box, value.measure)
                        if value.weighted
                        else self._table.rows(box, value.measure)
                    )
                    terms.append(_times(value.offset, count))
        return _total(terms) if terms else self._nothing(arms, rows)

    def _nothing(self, arms: Sequence[Arm], rows: Region) -> exp.Expr:
        """A sum without a term: of zeros it is zero, of no value at all it is null."""
        if any(self._regions(arm, rows) for arm in arms):
            return exp.Literal.number(0)
        return exp.Null()

    def _mean(self, argument: exp.Expr, rows: Region) -> exp.Expr:
        arms = self._arms.of(argument)
        if any(arm.value.weighted for arm in arms):
            raise self._unknown(argument, "a plain mean of weighted values; use SUM(w * x) / SUM(w)")
        single = [(arm.value, box) for arm in arms for box in self._regions(arm, rows)]
        if len(single) == 1 and single[0][0].measure is not None:
            value, box = single[0]
            assert value.measure is not None
            mean = self._table.magnitude(AtomKind.MEAN, box, value.measure)
            return _shifted(_times(value.scale, mean), value.offset)
        return exp.Paren(
            this=exp.Div(
                this=exp.Paren(this=self._sum(arms, rows)),
                expression=exp.Nullif(this=self._counted(arms, rows), expression=exp.Literal.number(0)),
            )
        )

    def _one_box(self, node: exp.Expr, argument: exp.Expr, rows: Region, weighted: bool = False) -> Arm:
        arms = [Arm((box,), arm.value) for arm in self._arms.of(argument) for box in self._regions(arm, rows)]
        if len(arms) != 1 or (arms[0].value.weighted and not weighted):
            raise refuse(
                Code.PREDICATE_NOT_BOX,
                "Quantiles and variances can't be put together from several parts.",
                "A quantile or variance is protected over one box.",
                "Ask for each part in a column of its own, or use conditions joined by AND.",
                node,
                self._sql,
            )
        if arms[0].value.measure is None:
            raise self._unknown(node, "a quantile or variance of a constant")
        return arms[0]

    def _spread(self, node: exp.Expr, kind: AtomKind, rows: Region) -> exp.Expr:
        arm = self._one_box(node, node.this, rows)
        assert arm.value.measure is not None
        scale = abs(arm.value.scale) if kind is AtomKind.STDDEV else arm.value.scale**2
        return _times(scale, self._table.magnitude(kind, arm.region[0], arm.value.measure))

    def _quantiles(self, node: exp.Expr, argument: exp.Expr, quantile: exp.Expr, rows: Region) -> exp.Expr:
        weighted = WEIGHTED in node.meta
        arm = self._one_box(node, argument, rows, weighted)
        if weighted and not arm.value.weighted:
            raise self._unknown(node, "a quantile weighted by anything but the dataset's weight")
        if isinstance(quantile, exp.Array):
            found = [self._quantile(node, arm, q, weighted) for q in quantile.expressions]
            return exp.Array(expressions=found)
        return self._quantile(node, arm, quantile, weighted)

    def _quantile(self, node: exp.Expr, arm: Arm, quantile: exp.Expr, weighted: bool) -> exp.Expr:
        q = self._arms.affine(quantile)
        value = arm.value
        assert value.measure is not None
        declared = self._profile.quantiles
        asked = q.offset if value.scale > 0 else 1 - q.offset
        if q.measure is not None or asked not in declared:
            close = nearest(str(q.offset), [str(d) for d in declared]) or [str(d) for d in declared]
            raise refuse(
                Code.QUANTILE_NOT_DECLARED,
                "This quantile is not one that the custodian declared.",
                "Only declared quantiles are released: many neighbouring ones would trace single values.",
                f"Use one of {', '.join(close)}.",
                node,
                self._sql,
            )
        if value.measure.dimension is None:
            raise refuse(
                Code.QUANTILE_NOT_DECLARED,
                f"“{value.measure.name}” has no declared grid, so it has no quantiles here.",
                "Quantiles are released on a declared grid.",
                "Ask for the mean, or ask the custodian to declare minimum, maximum and step.",
                node,
                self._sql,
            )
        atom = self._table.quantile(arm.region[0], value.measure, asked, weighted)
        return _shifted(_times(value.scale, atom), value.offset)

    def _unknown(self, node: exp.Expr, what: str) -> RefusalError:
        return refuse(
            Code.UNKNOWN_FUNCTION,
            f"Not available over unit rows: {what}.",
            "Below the disclosure line only aggregates with a disclosure method are known to be safe.",
            f"Use one of {', '.join(SUPPORTED_NAMES)}.",
            node,
            self._sql,
        )


def _chooses(node: exp.Expr, unit: exp.Column) -> bool:
    """Whether an expression is the unit or nothing, in every branch."""
    node = bare(node)
    if isinstance(node, exp.Case):
        values = [branch.args["true"] for branch in node.args["ifs"]]
        default = node.args.get("default")
        return all(_chooses(value, unit) for value in (*values, *([default] if default else [])))
    if isinstance(node, exp.If):
        false = node.args.get("false")
        return _chooses(node.args["true"], unit) and (false is None or _chooses(false, unit))
    return isinstance(node, exp.Null) or node == unit


def _without_zero(node: exp.Expr) -> exp.Expr:
    """A null adds as much as a zero: COALESCE(x, 0) in a sum is x."""
    if isinstance(node, exp.Coalesce) and len(node.expressions) == 1:
        default = bare(node.expressions[0])
        if isinstance(default, exp.Literal) and not default.is_string and not float(default.name):
            return bare(node.this)
    return node


def _number(value: Decimal) -> exp.Expr:
    text = format(value.normalize(), "f")
    return exp.Neg(this=exp.Literal.number(text[1:])) if text.startswith("-") else exp.Literal.number(text)


def _times(factor: Decimal, value: exp.Expr) -> exp.Expr:
    return value if factor == 1 else exp.Paren(this=exp.Mul(this=_number(factor), expression=value))


def _shifted(value: exp.Expr, offset: Decimal) -> exp.Expr:
    return value if not offset else exp.Paren(this=exp.Add(this=value, expression=_number(offset)))


def _total(terms: Sequence[exp.Expr]) -> exp.Expr:
    if not terms:
        return exp.Literal.number(0)
    result = terms[0]
    for term in terms[1:]:
        result = exp.Add(this=result, expression=term)
    return exp.Paren(this=result) if len(terms) > 1 else result
