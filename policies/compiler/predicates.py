"""Predicates to regions: each term is decided on the leaves of one dimension; terms combine as sets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from sqlglot import exp

from catalogue.leaves import LeafSet
from policies.boxes import EVERYWHERE, Region, intersect, union
from policies.compiler.errors import Faults, another_unit, refuse
from policies.compiler.leaf_engine import Evaluation, constant, evaluate
from policies.compiler.parse import position_of
from policies.compiler.refs import DimensionLike, DimensionRef, MeasureRef, Refs, key_of
from policies.compiler.trees import bare
from policies.plan import Box
from policies.refusals import Code, RefusalError

MAXIMUM_BOXES = 32
MAXIMUM_MOVED_EDGES = 4
BOX_RULE = (
    "A condition is decided per dimension: within one, any combination; across dimensions, AND, or an OR that"
    " splits into a few cells."
)


@dataclass
class Predicates:
    """Evaluates bound predicates of one dataset. ``snapped`` collects conditions that cut a grid bin."""

    refs: Refs
    sql: str
    snapped: list[str] = field(default_factory=list)

    def region(self, terms: Sequence[exp.Expr]) -> Region:
        """Where all terms are true. Raises RefusalError with what is wrong with each of them."""
        result, faults = EVERYWHERE, Faults()
        for term in terms:
            with faults.collected():
                result = self._bounded(intersect(result, self._term(term)), term)
        faults.raise_found()
        return result

    def values(self, dimension: DimensionLike, expression: exp.Expr) -> Evaluation:
        with self._placed(expression):
            return evaluate(dimension, expression)

    def snap(self, key: str, dimension: DimensionLike, expression: exp.Expr, place: exp.Expr) -> Evaluation:
        """The values of an expression, whose few edges inside bins of a grid are moved to the grid, which is noted.

        Raises RefusalError (``predicate_not_a_box``) where more bins are cut: that is no set of thresholds.
        """
        result = self.values(dimension, expression)
        if len(result.inexact) > MAXIMUM_MOVED_EDGES:
            assert isinstance(dimension, DimensionRef)
            assert dimension.dimension.grid is not None
            raise refuse(
                Code.PREDICATE_NOT_BOX,
                f"This cuts “{key}” elsewhere than on its declared grid.",
                "A measure is cut only on the grid that its custodian declared.",
                f"Use thresholds that are multiples of {dimension.dimension.grid.step}.",
                place,
                self.sql,
            )
        if result.inexact:
            self.snapped.append(key)
        return result

    def constant(self, expression: exp.Expr) -> object:
        """The value of an expression that reads no column. Raises RefusalError where it has none."""
        with self._placed(expression):
            return constant(expression)

    @contextmanager
    def _placed(self, expression: exp.Expr) -> Iterator[None]:
        """Refusals of the leaf engine, which knows no places, at the place of the expression."""
        try:
            yield
        except RefusalError as error:
            refusal = replace(error.refusals[0], position=position_of(expression, self.sql))
            raise RefusalError(refusal) from None

    def _dimension(self, key: str, node: exp.Expr) -> DimensionLike:
        ref = self.refs[key]
        if isinstance(ref, MeasureRef) and not ref.same_unit:
            raise another_unit(ref.name, ref.dataset.name, node, self.sql)
        dimension = self.refs.dimension(key)
        if dimension is not None:
            return dimension
        column = next(c for c in node.find_all(exp.Column) if key_of(c) == key)
        if isinstance(ref, MeasureRef):
            raise refuse(
                Code.COLUMN_USE,
                f"“{ref.name}” has no declared grid, so it can't be used in a condition or a group.",
                "A measure is cut only on the grid that its custodian declared.",
                "Aggregate it, or ask the custodian to declare minimum, maximum and step.",
                column,
                self.sql,
            )
        raise refuse(
            Code.COLUMN_USE,
            f"“{getattr(ref, 'name', key)}” identifies units or weighs them; it can't be seen, grouped or compared.",
            "Identifiers, weights and keys never leave the source.",
            "Use COUNT(DISTINCT …) of the unit, or join along a declared relationship.",
            column,
            self.sql,
        )

    def _term(self, term: exp.Expr) -> Region:
        term = bare(term)
        keys = self.refs.keys_in(term)
        if not keys:
            return EVERYWHERE if self.constant(_truth(term)) is True else ()
        if len(keys) == 1:
            return self._single(keys[0], term)
        if isinstance(term, exp.And):
            return self._bounded(intersect(self._term(term.this), self._term(term.expression)), term)
        if isinstance(term, exp.Or):
            return self._bounded(union(self._term(term.this), self._term(term.expression)), term)
        if isinstance(term, exp.Not):
            return self._negated(bare(term.this), term)
        raise self._not_a_box(term)

    def _negated(self, inner: exp.Expr, term: exp.Expr) -> Region:
        if isinstance(inner, exp.Not):
            return self._term(inner.this)
        if isinstance(inner, exp.And):
            return self._term(exp.or_(exp.not_(inner.this), exp.not_(inner.expression)))
        if isinstance(inner, exp.Or):
            return self._term(exp.and_(exp.not_(inner.this), exp.not_(inner.expression)))
        raise self._not_a_box(term)

    def _single(self, key: str, term: exp.Expr) -> Region:
        dimension = self._dimension(key, term)
        values = self.snap(key, dimension, _truth(term), term).values
        leaves = LeafSet.of((i for i, value in enumerate(values) if value is True), len(values))
        return (Box.of({key: leaves}),) if leaves else ()

    def _bounded(self, region: Region, node: exp.Expr) -> Region:
        if len(region) > MAXIMUM_BOXES:
            raise self._not_a_box(node)
        return region

    def _not_a_box(self, node: exp.Expr) -> RefusalError:
        return refuse(
            Code.PREDICATE_NOT_BOX,
            "This condition ties several dimensions together.",
            BOX_RULE,
            "Group by these dimensions and combine the cells in an outer query, or ask for each part by itself.",
            node,
            self.sql,
        )


def _truth(term: exp.Expr) -> exp.Expr:
    """A term as DuckDB reads it in a condition, where a number is true unless it is zero."""
    return exp.cast(term.copy(), exp.DType.BOOLEAN)
