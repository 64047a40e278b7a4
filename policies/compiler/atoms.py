"""The atoms of one cell query: each asked for once, however often the SQL names it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from sqlglot import exp

from policies.compiler.refs import MeasureRef
from policies.plan import Atom, AtomKind, Box


@dataclass
class StatisticSpec:
    """A statistic that the source has to compute, before it is put into an engine-neutral form."""

    id: str
    kind: str  # tally, magnitude or histogram
    box: Box
    measure: MeasureRef | None = None
    squares: bool = False


@dataclass
class AtomTable:
    """Atoms and statistics of the relation ``relation``; ``row_is_unit`` decides what COUNT means."""

    relation: str
    row_is_unit: bool
    atoms: dict[tuple[object, ...], Atom] = field(default_factory=dict)
    statistics: dict[tuple[object, ...], StatisticSpec] = field(default_factory=dict)

    def units(self, box: Box) -> exp.Column:
        """Distinct units."""
        return self._atom(AtomKind.UNITS, box, None, self._tally(box, None))

    def rows(self, box: Box, measure: MeasureRef | None) -> exp.Expr:
        """Rows (with a value of ``measure``): units where a row is one, else a magnitude of ones."""
        if self.row_is_unit:
            return self._atom(AtomKind.UNITS, box, _nullable(measure), self._tally(box, _nullable(measure)))
        column = self._atom(AtomKind.COUNT, box, _nullable(measure), self._ones(box, measure))
        return exp.cast(column, "BIGINT")

    def weight(self, box: Box, measure: MeasureRef | None) -> exp.Column:
        """The weighted number of units (with a value of ``measure``)."""
        statistic = self._tally(box, _nullable(measure))
        return self._atom(AtomKind.UNITS, box, _nullable(measure), statistic, weighted=True)

    def magnitude(self, kind: AtomKind, box: Box, measure: MeasureRef, weighted: bool = False) -> exp.Column:
        spec = self._statistic("magnitude", box, measure)
        spec.squares |= kind in (AtomKind.VARIANCE, AtomKind.STDDEV)
        return self._atom(kind, box, measure, spec, weighted=weighted, count=self._count(box, measure))

    def quantile(
        self, box: Box, measure: MeasureRef, quantile: Decimal, weighted: bool = False
    ) -> exp.Column:
        spec = self._statistic("histogram", box, measure)
        count = self._count(box, measure)
        return self._atom(AtomKind.QUANTILE, box, measure, spec, quantile, weighted, count)

    def _count(self, box: Box, measure: MeasureRef) -> str:
        if self.row_is_unit:
            return self._tally(box, _nullable(measure)).id
        return self._ones(box, measure).id

    def _tally(self, box: Box, measure: MeasureRef | None) -> StatisticSpec:
        return self._statistic("tally", box, measure)

    def _ones(self, box: Box, measure: MeasureRef | None) -> StatisticSpec:
        return self._statistic("ones", box, _nullable(measure))

    def _statistic(self, kind: str, box: Box, measure: MeasureRef | None) -> StatisticSpec:
        key = (kind, box, measure.key if measure else None)
        if key not in self.statistics:
            self.statistics[key] = StatisticSpec(f"t{len(self.statistics)}", kind, box, measure)
        return self.statistics[key]

    def _atom(
        self,
        kind: AtomKind,
        box: Box,
        measure: MeasureRef | None,
        spec: StatisticSpec,
        quantile: Decimal | None = None,
        weighted: bool = False,
        count: str | None = None,
    ) -> exp.Column:
        key = (kind, box, measure.key if measure else None, quantile, weighted)
        if key not in self.atoms:
            index = len(self.atoms)
            self.atoms[key] = Atom(
                kind,
                f"a{index}",
                f"s{index}",
                spec.id,
                box,
                f"{measure.dataset.name}.{measure.name}" if measure else None,
                quantile,
                shown_decimals(measure) if measure and kind not in (AtomKind.UNITS, AtomKind.COUNT) else 0,
                weighted,
                count,
            )
        return exp.column(self.atoms[key].column, table=self.relation)


def shown_decimals(measure: MeasureRef) -> int:
    """Places shown of means and totals: the measure's own, but one for whole numbers, whose mean would be too coarse.

    No more: at full precision a mean of whole numbers gives its denominator away.
    """
    return max(measure.variable.decimals, 1)


def _nullable(measure: MeasureRef | None) -> MeasureRef | None:
    """A measure that every row has does not restrict a count."""
    return measure if measure is not None and (measure.variable.nullable or measure.path) else None
