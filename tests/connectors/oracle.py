"""A naive reading of the fragment contract in plain Python: one row at a time, nothing shared with connectors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any

from catalogue.fragment import (
    RECORD_KEY_MODULUS,
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
    Table,
    Tally,
)
from tests.connectors.labour import EXPRESSIONS

Value = str | int | float | bool | Decimal | None
Row = dict[str, Any]
Member = tuple[int, dict[tuple[str, ...], Row]]
CellKey = tuple[int, tuple[int, ...]]


class Oracle:
    """Answers fragments over tables held as lists of dicts."""

    def __init__(self, tables: Mapping[str, Sequence[Row]]) -> None:
        self.tables = tables

    def rows(self, table: Table, joins: tuple[Join, ...]) -> list[dict[tuple[str, ...], Row]]:
        """Each base row with its partner along every path, a row of nulls where there is none."""
        found = []
        for base in self.tables[table.dataset]:
            wide: dict[tuple[str, ...], Row] = {(): base}
            for join in joins:
                key = wide[join.path[:-1]][join.from_column]
                partners = [
                    r for r in self.tables[join.table.dataset] if key is not None and r[join.to_column] == key
                ]
                nothing = defaultdict(lambda: None)
                wide[join.path] = partners[0] if partners else nothing
            found.append(wide)
        return found

    @staticmethod
    def value(field: Field, wide: dict[tuple[str, ...], Row]) -> Value:
        return EXPRESSIONS[field.expression](wide[field.path])

    def leaf(self, column: Column, wide: dict[tuple[str, ...], Row]) -> int | None:
        value = self.value(column.field, wide)
        if value is None:
            return len(column.values) - 1 if column.values[-1] is None else None
        if column.grid is not None:
            return bin_of(Decimal(str(value)), column.grid)
        codes = [c for c in column.values if c is not None]
        if codes and isinstance(codes[0], str):
            value = str(value)
        return codes.index(value) if value in codes else None

    def meets(self, test: Condition | Membership, wide: dict[tuple[str, ...], Row]) -> bool:
        if isinstance(test, Condition):
            leaf = self.leaf(test.column, wide)
            return leaf is not None and leaf in test.leaves
        mine = self.value(test.from_field, wide)
        theirs = self.rows(test.table, test.joins)
        occurs = any(
            mine is not None
            and other[()][test.to_column] == mine
            and all(self.meets(c, other) for c in test.where)
            for other in theirs
        )
        return occurs == test.present

    def parts(self, block: Block, wide: dict[tuple[str, ...], Row]) -> tuple[int, ...] | None:
        found = []
        for axis in block.axes:
            if isinstance(axis, MembershipAxis):
                found.append(int(self.meets(axis.membership, wide)))
                continue
            assert isinstance(axis, Axis)
            leaf = self.leaf(axis.column, wide)
            if leaf is None or axis.parts[leaf] < 0:
                return None
            found.append(axis.parts[leaf])
        return tuple(found)

    def number(self, measure: Measure, wide: dict[tuple[str, ...], Row]) -> Decimal | None:
        if measure.field is None:
            return Decimal(1)
        value = self.value(measure.field, wide)
        if value is None:
            return None
        return Decimal(str(value)).quantize(Decimal(1).scaleb(-measure.decimals), ROUND_HALF_UP)

    def answer(self, fragment: Fragment) -> tuple[dict[CellKey, Row], dict[str, dict[tuple[Any, ...], Row]]]:
        rows = self.rows(fragment.table, fragment.joins)
        rows = [wide for wide in rows if all(self.meets(test, wide) for test in fragment.where)]
        groups: dict[CellKey, list[Member]] = defaultdict(list)
        for identity, wide in enumerate(rows):
            for number, block in enumerate(fragment.blocks):
                parts = self.parts(block, wide)
                if parts is not None:
                    groups[number, parts].append((identity, wide))
        cells: dict[CellKey, Row] = {}
        histograms: dict[str, dict[tuple[Any, ...], Row]] = {
            s.id: {} for s in fragment.statistics if isinstance(s, Histogram)
        }
        for key, members in groups.items():
            cells[key] = {}
            for statistic in fragment.statistics:
                met = [m for m in members if all(self.meets(test, m[1]) for test in statistic.where)]
                if isinstance(statistic, Histogram):
                    self._histogram(fragment, statistic, met, key, histograms[statistic.id])
                elif isinstance(statistic, Tally):
                    self._tally(fragment, statistic, met, cells[key])
                else:
                    self._magnitude(fragment, statistic, met, cells[key])
        return cells, histograms

    def _unit(self, fragment: Fragment, member: Member) -> Value | tuple[str, int]:
        return member[0] if fragment.unit is None else self.value(fragment.unit, member[1])

    def _contributors(self, fragment: Fragment, id_: str, members: list[Member], cell: Row) -> dict[Any, Any]:
        units = {self._unit(fragment, m): m[1] for m in members}
        cell[f"{id_}_n"] = len(units)
        keys = [self.value(fragment.record_key, wide) for wide in units.values()]
        cell[f"{id_}_key"] = sum(keys) % RECORD_KEY_MODULUS
        if fragment.second_unit is not None:
            seconds = {self.value(fragment.second_unit, m[1]) for m in members} - {None}
            cell[f"{id_}_second"] = min(len(seconds), fragment.enough_second_units or len(seconds))
        return units

    def _tally(self, fragment: Fragment, tally: Tally, members: list[Member], cell: Row) -> None:
        if tally.measure is not None:
            members = [m for m in members if self.number(tally.measure, m[1]) is not None]
        units = self._contributors(fragment, tally.id, members, cell)
        if fragment.weight is not None:
            weights = [Decimal(str(self.value(fragment.weight, wide))) for wide in units.values()]
            cell[f"{tally.id}_w"] = sum(weights, Decimal(0))
            cell[f"{tally.id}_w2"] = sum((w * w for w in weights), Decimal(0))

    def _magnitude(self, fragment: Fragment, stat: Magnitude, members: list[Member], cell: Row) -> None:
        valued = [(m, x) for m in members if (x := self.number(stat.measure, m[1])) is not None]
        self._contributors(fragment, stat.id, [m for m, x in valued if x != 0], cell)
        values = [x for _, x in valued]
        cell[f"{stat.id}_present"] = len(values)
        cell[f"{stat.id}_sum"] = sum(values, Decimal(0))
        totals: dict[Any, Decimal] = defaultdict(Decimal)
        for m, x in valued:
            holding = None if fragment.holding is None else self.value(fragment.holding, m[1])
            owner = ("unit", self._unit(fragment, m)) if holding is None else ("holding", holding)
            totals[owner] += x
        largest = sorted((abs(total) for total in totals.values()), reverse=True)
        for rank in range(stat.top):
            cell[f"{stat.id}_top{rank + 1}"] = largest[rank] if rank < len(largest) else Decimal(0)
        if stat.squares:
            cell[f"{stat.id}_sumsq"] = sum((x * x for x in values), Decimal(0))
            cell[f"{stat.id}_low"] = min(values, default=None)
            cell[f"{stat.id}_high"] = max(values, default=None)
        if fragment.weight is not None:
            pairs = [(Decimal(str(self.value(fragment.weight, m[1]))), x) for m, x in valued]
            cell[f"{stat.id}_w"] = sum((w for w, _ in pairs), Decimal(0))
            cell[f"{stat.id}_w2"] = sum((w * w for w, _ in pairs), Decimal(0))
            cell[f"{stat.id}_wsum"] = sum((w * x for w, x in pairs), Decimal(0))
            cell[f"{stat.id}_wsumsq"] = float(sum((w * x * x for w, x in pairs), Decimal(0)))

    def _histogram(
        self,
        fragment: Fragment,
        stat: Histogram,
        members: list[Member],
        key: CellKey,
        bins: dict[tuple[Any, ...], Row],
    ) -> None:
        for member in members:
            value = self.number(stat.measure, member[1])
            if value is None:
                continue
            row = bins.setdefault((*key, bin_of(value, stat.grid)), {"n": 0})
            row["n"] += 1
            if fragment.weight is not None:
                weight = Decimal(str(self.value(fragment.weight, member[1])))
                row["w"] = row.get("w", Decimal(0)) + weight


def bin_of(value: Decimal, grid: Grid) -> int:
    number = int(((value - grid.minimum) / grid.step).to_integral_value(ROUND_FLOOR))
    return min(max(number, 0), grid.bins - 1)
