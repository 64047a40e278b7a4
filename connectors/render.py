"""A fragment as statements: which passes over the rows to make, and how cells follow from them.

Rendering is apart from running: a Program is SQL trees over named relations, with small relations that map
stored codes to parts. Its plan:

- *Layers* (connectors.layers). What adds up over rows is one layer; what counts or totals by entity (units
  where a row is not one, second units, holdings) is a layer per entity. No aggregate is DISTINCT, and where a
  row is a unit and nothing asks for another entity only the first layer exists.
- *Second units* are counted up to a number that is enough. A bit for each by its hash rides on the scan of rows and
  proves as many in most groups; only rows of the others are grouped by second unit.
- *Scans* (connectors.keys, connectors.blocks). A layer reads the rows once for as many blocks as fit: it groups by
  the union of their keys into a temporary table, and the blocks follow from that small table.
- *Late keys*. Rows are grouped by what is stored, and groups are mapped to parts afterwards, which costs
  nothing; the mapping is joined to the rows only where the domain is too large or entities would be counted twice.
- *Shared conditions* (connectors.shared_conditions). What all statistics ask of a row is tested while rows are read.
- A histogram is one more key, the bin. A fragment of counts and one histogram needs no scan more for it.

SQL holds no text of a user: names come from the catalogue, literals from code lists and grids.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce

import pyarrow as pa
from sqlglot import exp

from catalogue.fragment import Field, Fragment, Histogram, Magnitude, Measure, Table, Tally
from connectors.blocks import Blocks
from connectors.expressions import WEIGHT_DECIMALS, Types, between, case, cast, named, not_null, number
from connectors.keys import mapping
from connectors.layers import (
    Again,
    EntityLayer,
    Layer,
    RowLayer,
    bit_count,
    count,
    joined_top,
    sum_,
    wide,
)
from connectors.rows import Rows, Where
from connectors.shared_conditions import hoisted

WEIGHTED_SQUARE_LIMIT = 10**30
"""A weighted square (in units of its last place) above this is left out, so that 10^8 of them fit in 38 digits."""


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """A column of the result: int64, or a number to be read as decimal or double. It comes as a whole number of
    10^-scale, or ``as_stored`` as the decimal that it is."""

    name: str
    scale: int | None = None
    double: bool = False
    as_stored: bool = False


@dataclass(frozen=True)
class Program:
    """What to run, in order: register ``maps``, create ``steps`` as temporary tables, read ``cells`` and
    ``histograms``. ``columns`` says how to read the numbers of the cells after ``block`` and ``p0``.."""

    maps: Mapping[str, pa.Table]
    steps: tuple[tuple[str, exp.Expr], ...]
    cells: exp.Expr
    histograms: Mapping[str, exp.Expr]
    columns: tuple[OutputColumn, ...]
    width: int


def render(fragment: Fragment, names: Mapping[Table, str], types: Types) -> Program:
    """Render a fragment over relations called ``names``, whose expressions have the given types.

    Raises SourceError SCHEMA where a column cannot hold what the fragment asks of it.
    """
    shared, valued = hoisted(fragment)
    return _Renderer(shared, names, types, valued).program()


@dataclass
class _Renderer:
    fragment: Fragment
    names: Mapping[Table, str]
    types: Types
    valued: Measure | None
    columns: list[OutputColumn] = field(default_factory=list)
    final: list[exp.Expr] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.holding = self.fragment.holding if self.fragment.holding != self.fragment.unit else None
        self.blocks = Blocks(self.fragment)
        self.row_layer = RowLayer("rows", self._rows())
        unit = self.fragment.unit
        self.unit_layer: Layer = (
            EntityLayer("units", self._rows(), unit, drop_null=False) if unit is not None else self.row_layer
        )
        self.entities: dict[Field, EntityLayer] = {}
        self.proved: EntityLayer | None = None
        if self._is_proved():
            assert self.fragment.second_unit is not None
            self.proved = EntityLayer("second_units", self._rows(), self.fragment.second_unit, drop_null=True)

    def _is_proved(self) -> bool:
        """Whether second units are proved by bits first: where they are counted up to some number, and nothing else
        has to group by them."""
        second, statistics = self.fragment.second_unit, self.fragment.statistics
        is_grouped = second == self.holding and any(isinstance(s, Magnitude) for s in statistics)
        is_counted = any(not isinstance(s, Histogram) for s in statistics)
        enough = self.fragment.enough_second_units
        return second is not None and enough is not None and is_counted and not is_grouped

    def _rows(self) -> Rows:
        squares = any(isinstance(s, Magnitude) and s.squares for s in self.fragment.statistics)
        as_stored = self.fragment.weight is None and not squares  # products need whole numbers
        rows = Rows(self.fragment, self.names, self.types, self.blocks.maps, as_stored)
        if self.valued is not None:
            rows.filters.append(not_null(rows.columns[rows.value(self.valued, ()).name].copy()))
        return rows

    def _entity(self, entity: Field) -> EntityLayer:
        if entity not in self.entities:
            name = f"entities{len(self.entities)}"
            self.entities[entity] = EntityLayer(name, self._rows(), entity, drop_null=True)
        return self.entities[entity]

    # ---- statistics -------------------------------------------------------------------------------------

    def program(self) -> Program:
        histograms = [s for s in self.fragment.statistics if isinstance(s, Histogram)]
        for statistic in self.fragment.statistics:
            if isinstance(statistic, Tally):
                self._tally(statistic)
            elif isinstance(statistic, Magnitude):
                self._magnitude(statistic)
        others = any(isinstance(s, Magnitude) for s in self.fragment.statistics)
        shares = len(histograms) == 1 and not others and self.unit_layer is self.row_layer
        for number_, histogram in enumerate(histograms):
            if not shares:
                self.blocks.of(RowLayer(f"bins{number_}", self._rows()), histogram)
        cells = self._cells(histograms[0] if shares else None)
        return Program(
            {name: mapping(axis) for axis, name in self.blocks.maps.items()},
            tuple(self.blocks.steps),
            cells,
            {
                name: _union([blocks[i] for i in range(len(self.fragment.blocks))])
                for name, blocks in self.blocks.bins.items()
            },
            tuple(self.columns),
            self.blocks.width,
        )

    def _integer(self, name: str) -> None:
        self.columns.append(OutputColumn(name))
        self.final.append(named(exp.func("COALESCE", exp.column(name), number(0)), name))

    def _decimal(self, name: str, scale: int, *, zero: str | None = "HUGEINT", double: bool = False) -> None:
        """A decimal column; ``zero`` is the type of the zero that stands for no rows, if anything does."""
        as_stored = zero is not None and zero != "HUGEINT"
        self.columns.append(OutputColumn(name, scale, double, as_stored))
        column = exp.column(name)
        value = exp.func("COALESCE", column, cast(number(0), zero)) if zero is not None else column
        self.final.append(named(value, name))

    def _valued(self, layer: Layer, measure: Measure, where: Where) -> exp.Expr | None:
        """Rows that meet ``where`` and have a value."""
        if measure.field is None or not measure.nullable:
            return layer.rows.flag(where)
        value = layer.rows.value(measure, where)
        return not_null(value)

    def _contributing(self, layer: Layer, measure: Measure, where: Where) -> exp.Expr | None:
        """Rows that meet ``where`` and have a value other than zero."""
        if measure.field is None or not measure.zeros:
            return self._valued(layer, measure, where)
        return exp.NEQ(this=layer.rows.value(measure, where), expression=number(0))

    def _tally(self, tally: Tally) -> None:
        def predicate(layer: Layer) -> exp.Expr | None:
            if tally.measure is None:
                return layer.rows.flag(tally.where)
            return self._valued(layer, tally.measure, tally.where)

        self.unit_layer.units(f"{tally.id}_n", predicate(self.unit_layer))
        self._integer(f"{tally.id}_n")
        self.unit_layer.key_sum(f"{tally.id}_key", predicate(self.unit_layer))
        self._integer(f"{tally.id}_key")
        self._second_units(f"{tally.id}_second", predicate)
        if self.fragment.weight is not None:
            self.unit_layer.weights(f"{tally.id}_w", f"{tally.id}_w2", predicate(self.unit_layer))
            self._decimal(f"{tally.id}_w", WEIGHT_DECIMALS)
            self._decimal(f"{tally.id}_w2", 2 * WEIGHT_DECIMALS)

    def _second_units(self, name: str, predicate: Callable[[Layer], exp.Expr | None]) -> None:
        """Second units of rows that meet a predicate, up to as many as are enough."""
        second, enough = self.fragment.second_unit, self.fragment.enough_second_units
        if second is None:
            return
        layer = self.proved or self._entity(second)
        layer.units(name, predicate(layer))
        self.columns.append(OutputColumn(name))
        found: exp.Expr = exp.func("COALESCE", exp.column(name), number(0))
        if enough is not None:
            found = exp.func("LEAST", found, number(enough))
        if self.proved is not None and enough is not None:
            bits = f"{name}_bits"
            self.row_layer.bits(bits, second, predicate(self.row_layer))
            found = case(
                exp.GTE(this=bit_count(exp.column(bits)), expression=number(enough)), number(enough), found
            )
        self.final.append(named(found, name))

    def _magnitude(self, stat: Magnitude) -> None:
        measure, where, rows, units = stat.measure, stat.where, self.row_layer, self.unit_layer
        units.units(f"{stat.id}_n", self._contributing(units, measure, where))
        self._integer(f"{stat.id}_n")
        units.key_sum(f"{stat.id}_key", self._contributing(units, measure, where))
        self._integer(f"{stat.id}_key")
        self._second_units(f"{stat.id}_second", lambda layer: self._contributing(layer, measure, where))
        rows.total(f"{stat.id}_present", count(self._valued(rows, measure, where)), "BIGINT")
        self._integer(f"{stat.id}_present")
        value = rows.rows.value(measure, where)
        type_ = rows.rows.total_type(measure)
        rows.total(f"{stat.id}_sum", sum_(value), type_)
        self._decimal(f"{stat.id}_sum", measure.decimals, zero=type_)
        self._top(stat)
        if stat.squares:
            square = exp.Mul(this=wide(value), expression=value.copy())
            rows.total(f"{stat.id}_sumsq", sum_(square), "HUGEINT")
            self._decimal(f"{stat.id}_sumsq", 2 * measure.decimals)
            for name, again in (("low", Again.MIN), ("high", Again.MAX)):
                rows.extreme(f"{stat.id}_{name}", value, again)
                self._decimal(f"{stat.id}_{name}", measure.decimals, zero=None)
        if self.fragment.weight is not None:
            self._weighted(stat, value)

    def _top(self, stat: Magnitude) -> None:
        """The largest totals: by holding, and by unit of what belongs to no holding."""
        measure, where, units = stat.measure, stat.where, self.unit_layer
        loose = units.rows.value(measure, where)
        lists = [f"{stat.id}_loose"]
        if self.holding is not None:
            holdings = self._entity(self.holding)
            held = holdings.rows.value(measure, where)
            lists.append(f"{stat.id}_held")
            holdings.top(lists[1], held, stat.top, measure.signed)
            loose = units.rows.value_without(loose, self.holding)
        units.top(lists[0], loose, stat.top, measure.signed)
        for rank in range(1, stat.top + 1):
            name, type_ = f"{stat.id}_top{rank}", units.rows.total_type(measure)
            self.columns.append(OutputColumn(name, measure.decimals, as_stored=type_ != "HUGEINT"))
            largest = exp.func("LIST_EXTRACT", joined_top(lists, stat.top), number(rank))
            total = cast(exp.func("COALESCE", largest, number(0)), type_)
            self.final.append(named(total, name))

    def _weighted(self, stat: Magnitude, value: exp.Expr) -> None:
        rows, measure = self.row_layer, stat.measure
        rows.weights(f"{stat.id}_w", f"{stat.id}_w2", self._valued(rows, measure, stat.where))
        self._decimal(f"{stat.id}_w", WEIGHT_DECIMALS)
        self._decimal(f"{stat.id}_w2", 2 * WEIGHT_DECIMALS)
        weight = rows.rows.weight()
        rows.total(f"{stat.id}_wsum", sum_(exp.Mul(this=wide(weight), expression=value.copy())), "HUGEINT")
        self._decimal(f"{stat.id}_wsum", WEIGHT_DECIMALS + measure.decimals)
        double = cast(value.copy(), "DOUBLE")
        square = reduce(lambda a, b: exp.Mul(this=a, expression=b), [double, double.copy(), weight.copy()])
        small = exp.LT(this=square, expression=number(WEIGHTED_SQUARE_LIMIT))
        rounded = cast(exp.func("ROUND", square.copy()), "HUGEINT")
        rows.total(f"{stat.id}_wsumsq", sum_(exp.Case().when(small, rounded)), "HUGEINT")
        self._decimal(f"{stat.id}_wsumsq", WEIGHT_DECIMALS + 2 * measure.decimals, double=True)

    def _few(self) -> exp.Expr:
        """Whether the bits of some statistic are there, but prove too few second units."""
        enough = self.fragment.enough_second_units
        assert enough is not None
        some = [
            between(bit_count(self.row_layer.combined(name, again, k)), number(1), number(enough - 1))
            for name, (_, again, k) in self.row_layer.aggregates.items()
            if again is Again.BITS
        ]
        return exp.or_(*some)

    # ---- cells ------------------------------------------------------------------------------------------

    def _cells(self, shared: Histogram | None) -> exp.Expr:
        """All blocks one below the other: the driving layer's cells, with what the other layers know of them."""
        layers = [self.unit_layer]
        if self.unit_layer is not self.row_layer and self.row_layer.outputs:
            layers.append(self.row_layer)
        layers += self.entities.values()
        is_again = self.proved is not None
        per_layer = [
            self.blocks.of(layer, shared, again=is_again)
            if layer is self.row_layer
            else self.blocks.of(layer)
            for layer in layers
        ]
        if self.proved is not None:
            layers.append(self.proved)
            per_layer.append(self.blocks.within_few(self.proved, self._few()))
        selects: list[exp.Select] = []
        for block, definition in enumerate(self.fragment.blocks):
            width = len(definition.axes)
            parts = [f"p{i}" for i in range(width)] or ["one"]
            select = exp.select().from_(per_layer[0][block].subquery(layers[0].name, copy=False), copy=False)
            for layer, blocks in zip(layers[1:], per_layer[1:], strict=True):
                select = select.join(
                    blocks[block].subquery(layer.name, copy=False),
                    using=list[int | str | exp.Expr](parts),
                    join_type="left",
                    copy=False,
                )
            select = select.select(named(cast(number(block), "INTEGER"), "block"), copy=False)
            select = select.select(*self.blocks.padded(width, layers[0].name), copy=False)
            selects.append(select.select(*(tree.copy() for tree in self.final), copy=False))
        return _union(selects)


def _union(selects: list[exp.Select]) -> exp.Expr:
    tree: exp.Expr = selects[0]
    for select in selects[1:]:
        tree = exp.union(tree, select, distinct=False, copy=False)
    return tree
