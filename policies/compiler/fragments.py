"""Boxes and parts to an engine-neutral fragment: which stored column decides, and what is joined for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from catalogue.catalogue import BoundDataset, Catalogue, measure_grid
from catalogue.fragment import (
    Axis,
    Block,
    Column,
    Condition,
    Field,
    Fragment,
    Grid,
    Histogram,
    Join,
    Magnitude,
    Measure,
    Membership,
    MembershipAxis,
    Scalar,
    Statistic,
    Table,
    Tally,
)
from catalogue.held import Local
from catalogue.leaves import LeafSet
from catalogue.models import Profile, Role
from policies.compiler.atoms import StatisticSpec
from policies.compiler.refs import DimensionLike, DimensionRef, MatchedRef, MeasureRef, MemberRef, Refs
from policies.plan import Box, GridBlock

ONES = Measure("rows", None, 0, nullable=False, signed=False, zeros=False)


@dataclass
class FragmentBuilder:
    """Builds the fragments over one base dataset."""

    catalogue: Catalogue
    base: BoundDataset
    refs: Refs
    profile: Profile

    def condition(self, key: str, leaves: LeafSet) -> Condition | Membership:
        ref = self.refs.dimension(key)
        assert ref is not None
        if isinstance(ref, MemberRef):
            member = ref.membership
            present = 1 in leaves
            return Membership(
                member.table, member.joins, member.from_field, member.to_column, member.where, present
            )
        column, coarse = _column(ref, [leaves])
        return Condition(column, _project(leaves, coarse, len(column.values)))

    def conditions(self, box: Box) -> tuple[Condition | Membership, ...]:
        return tuple(self.condition(key, leaves) for key, leaves in box.sets)

    def axis(self, key: str, parts: Sequence[LeafSet]) -> Axis | MembershipAxis:
        ref = self.refs.dimension(key)
        assert ref is not None
        if isinstance(ref, MemberRef):
            return MembershipAxis(ref.membership)
        column, coarse = _column(ref, parts)
        numbers = [-1] * len(column.values)
        for number, part in enumerate(parts):
            for index in _project(part, coarse, len(column.values)):
                numbers[index] = number
        return Axis(column, tuple(numbers), len(parts))

    def fragment(
        self, where: Box, blocks: Sequence[GridBlock], specs: Iterable[StatisticSpec], weighted: bool
    ) -> Fragment:
        """``specs`` carry whole boxes; what ``where`` says already is not said again."""
        document = self.base.document
        unit = document.unit
        weight = document.variables[document.weight] if weighted and document.weight else None
        made = Fragment(
            table=table_of(self.base),
            joins=(),
            unit=None if unit.row_is_unit else Field(unit.expression),
            record_key=Field(document.record_key),
            second_unit=Field(unit.second.expression)
            if unit.second and self.profile.frequency.minimum_second_units
            else None,
            holding=Field(unit.holding) if unit.holding else None,
            weight=Field(weight.expression or document.weight or "") if weight else None,
            where=self.conditions(where),
            blocks=tuple(
                Block(tuple(self.axis(axis.dimension, axis.parts) for axis in block.axes)) for block in blocks
            ),
            statistics=tuple(self._statistic(spec, where) for spec in specs),
        )
        return replace(made, joins=self.joins(_paths(made)))

    def joins(self, paths: Iterable[tuple[str, ...]]) -> tuple[Join, ...]:
        needed = {path[: i + 1] for path in paths for i in range(len(path))}
        joins = []
        for path in sorted(needed, key=lambda path: (len(path), path)):
            dataset = self.base
            for step in path[:-1]:
                dataset = self.catalogue.datasets[dataset.relationship(step).to]
            relationship = dataset.relationship(path[-1])
            target = self.catalogue.datasets[relationship.to]
            joins.append(Join(path, table_of(target), relationship.from_column, relationship.to_column))
        return tuple(joins)

    def _statistic(self, spec: StatisticSpec, where: Box) -> Statistic:
        rest = tuple(self.condition(key, leaves) for key, leaves in spec.box.sets if where.get(key) != leaves)
        measure = measure_of(spec.measure) if spec.measure else None
        if spec.kind == "tally":
            return Tally(spec.id, rest, measure)
        if spec.kind == "ones":
            ones = ONES
            if measure is not None:
                # One where the measure has a value, nothing elsewhere.
                assert measure.field is not None
                expression = f"CASE WHEN ({measure.field.expression}) IS NOT NULL THEN 1 END"
                ones = Measure("rows", Field(expression, measure.field.path), 0, True, False, False)
            return Magnitude(spec.id, ones, rest, self._top())
        assert measure is not None
        assert spec.measure is not None
        if spec.kind == "histogram":
            assert spec.measure.dimension is not None
            dimension = spec.measure.dimension.dimension
            grid = dimension.grid or _integer_grid(spec.measure)
            return Histogram(spec.id, measure, grid, rest)
        return Magnitude(spec.id, measure, rest, self._top(), spec.squares)

    def _top(self) -> int:
        dominance = self.profile.dominance
        return max(2, dominance.dominance_n or 0, dominance.coalition + 1)


def table_of(dataset: BoundDataset) -> Table:
    """The table of a dataset; one that another node holds is in no connector of this one."""
    held = dataset.held
    connector = held.connector if isinstance(held, Local) else ""
    return Table(connector, held.location, dataset.name)


def measure_of(ref: MeasureRef) -> Measure:
    variable = ref.variable
    low = variable.minimum
    return Measure(
        f"{ref.dataset.name}.{ref.name}",
        Field(variable.expression or ref.name, ref.path),
        variable.decimals,
        variable.nullable or bool(ref.path),
        low is None or low < 0,
        low is None or low <= 0,
    )


def _integer_grid(ref: MeasureRef) -> Grid:
    grid = measure_grid(ref.variable)
    assert grid is not None
    return grid


def _paths(fragment: Fragment) -> Iterable[tuple[str, ...]]:
    for item in fragment.where:
        yield _condition_path(item)
    for block in fragment.blocks:
        for axis in block.axes:
            yield axis.column.field.path if isinstance(axis, Axis) else axis.membership.from_field.path
    for statistic in fragment.statistics:
        for item in statistic.where:
            yield _condition_path(item)
        if statistic.measure is not None and statistic.measure.field is not None:
            yield statistic.measure.field.path


def _condition_path(item: Condition | Membership) -> tuple[str, ...]:
    return item.column.field.path if isinstance(item, Condition) else item.from_field.path


def _column(ref: DimensionLike, sets: Sequence[LeafSet]) -> tuple[Column, tuple[int, ...] | None]:
    """The stored column that decides these sets with the fewest values, and for it the value of each leaf."""
    if isinstance(ref, MatchedRef):
        return Column(ref.field, (False, True)), None
    assert isinstance(ref, DimensionRef)
    dimension = ref.dimension
    if dimension.codelist is not None:
        for name, variable in ref.dataset.document.variables.items():
            if variable.role is not Role.DIMENSION or variable.of != dimension.name or not variable.stored:
                continue
            level = next((x for x in dimension.codelist.levels if x.name == ref.dataset.level_of(name)), None)
            if level is None or None in level.codes:
                continue
            values: list[Scalar] = list(dict.fromkeys(level.codes))
            numbers = {value: i for i, value in enumerate(values)}
            coarse = tuple(numbers[code] for code in level.codes)
            if dimension.nullable:
                coarse = (*coarse, len(values))
                values.append(None)
            if all(_is_union(leaves, coarse) for leaves in sets):
                return Column(Field(variable.expression or name, ref.path), tuple(values)), coarse
    return Column(Field(dimension.expression, ref.path), dimension.stored_values(), dimension.grid), None


def _is_union(leaves: LeafSet, coarse: Sequence[int]) -> bool:
    inside = {coarse[i] for i in leaves}
    return all(i in leaves for i in range(leaves.size) if coarse[i] in inside)


def _project(leaves: LeafSet, coarse: Sequence[int] | None, size: int) -> LeafSet:
    return leaves if coarse is None else LeafSet.of({coarse[i] for i in leaves}, size)
