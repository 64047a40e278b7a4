"""A fragment as statements: which passes over the rows to make, and how cells follow from them.

Rendering is apart from running: a Program is SQL trees over named relations, with small relations that map
stored codes to parts. Its plan:

- *Layers* (connectors.layers). What adds up over rows is one layer; what counts or totals by entity (units
  where a row is not one, second units, holdings) is a layer per entity. No aggregate is DISTINCT, and where a
  row is a unit and nothing asks for another entity only the first layer exists.
- *Scans* (connectors.keys). A layer reads the rows once for as many blocks as fit: it groups by the union of
  their keys into a temporary table, and the blocks follow from that small table.
- *Late keys*. Rows are grouped by what is stored, and groups are mapped to parts afterwards, which costs
  nothing; the mapping is joined to the rows only where the domain is too large or entities would be counted twice.
- *Shared conditions* (connectors.shared_conditions). What all statistics ask of a row is tested while rows are read.
- A histogram is one more key, the bin. A fragment of counts and one histogram needs no scan more for it.

SQL holds no text of a user: names come from the catalogue, literals from code lists and grids.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce

import pyarrow as pa
from sqlglot import exp

from catalogue.fragment import (
    Axis,
    Field,
    Fragment,
    Histogram,
    Magnitude,
    Measure,
    Table,
    Tally,
)
from connectors.expressions import WEIGHT_DECIMALS, Types, cast, named, not_null, number
from connectors.keys import (
    EarlyKey,
    Key,
    LateKey,
    Scan,
    entity_keys,
    is_injective,
    mapping,
    plan_scans,
    row_keys,
)
from connectors.layers import (
    Again,
    EntityLayer,
    Layer,
    RowLayer,
    count,
    joined_top,
    sum_,
    whole,
    wide,
)
from connectors.rows import Rows, Where, map_match
from connectors.shared_conditions import hoisted

SCANNED = "scanned"
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
    maps: dict[Axis, str] = field(default_factory=dict)
    steps: list[tuple[str, exp.Expr]] = field(default_factory=list)
    columns: list[OutputColumn] = field(default_factory=list)
    final: list[exp.Expr] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.holding = self.fragment.holding if self.fragment.holding != self.fragment.unit else None
        self.width = max((len(block.axes) for block in self.fragment.blocks), default=0)
        self.row_layer = RowLayer("rows", self._rows())
        unit = self.fragment.unit
        self.unit_layer: Layer = (
            EntityLayer("units", self._rows(), unit, drop_null=False) if unit is not None else self.row_layer
        )
        self.entities: dict[Field, EntityLayer] = {}
        self.bins: dict[str, dict[int, exp.Select]] = {}

    def _rows(self) -> Rows:
        squares = any(isinstance(s, Magnitude) and s.squares for s in self.fragment.statistics)
        as_stored = self.fragment.weight is None and not squares  # products need whole numbers
        rows = Rows(self.fragment, self.names, self.types, self.maps, as_stored)
        if self.valued is not None:
            rows.filters.append(not_null(rows.columns[rows.value(self.valued, ()).name].copy()))
        return rows

    def _entity(self, entity: Field) -> EntityLayer:
        if entity not in self.entities:
            name = f"entities{len(self.entities)}"
            self.entities[entity] = EntityLayer(name, self._rows(), entity, drop_null=True)
        return self.entities[entity]

    def _map(self, axis: Axis) -> str:
        return self.maps.setdefault(axis, f"map{len(self.maps)}")

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
                self._blocks(RowLayer(f"bins{number_}", self._rows()), histogram)
        cells = self._cells(histograms[0] if shares else None)
        return Program(
            {name: mapping(axis) for axis, name in self.maps.items()},
            tuple(self.steps),
            cells,
            {
                name: _union([blocks[i] for i in range(len(self.fragment.blocks))])
                for name, blocks in self.bins.items()
            },
            tuple(self.columns),
            self.width,
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
        if self.fragment.second_unit is not None:
            second = self._entity(self.fragment.second_unit)
            second.units(f"{tally.id}_second", predicate(second))
            self._integer(f"{tally.id}_second")
        if self.fragment.weight is not None:
            self.unit_layer.weights(f"{tally.id}_w", f"{tally.id}_w2", predicate(self.unit_layer))
            self._decimal(f"{tally.id}_w", WEIGHT_DECIMALS)
            self._decimal(f"{tally.id}_w2", 2 * WEIGHT_DECIMALS)

    def _magnitude(self, stat: Magnitude) -> None:
        measure, where, rows, units = stat.measure, stat.where, self.row_layer, self.unit_layer
        units.units(f"{stat.id}_n", self._contributing(units, measure, where))
        self._integer(f"{stat.id}_n")
        units.key_sum(f"{stat.id}_key", self._contributing(units, measure, where))
        self._integer(f"{stat.id}_key")
        if self.fragment.second_unit is not None:
            second = self._entity(self.fragment.second_unit)
            second.units(f"{stat.id}_second", self._contributing(second, measure, where))
            self._integer(f"{stat.id}_second")
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

    # ---- scans and blocks -------------------------------------------------------------------------------

    def _scan(
        self, layer: Layer, scan: Scan, extra: exp.Expr | None = None
    ) -> tuple[exp.Expr, dict[Key, str]]:
        """The relation that reads the rows for a scan, and the names of its keys. It is a temporary table, unless
        it is read only once."""
        rows = layer.rows.copy()
        shared = [set(keys) for keys in scan.blocks.values()]
        for key in scan.keys:
            if isinstance(key, EarlyKey):
                self._map(key.axis)
        keys = {key: rows.key(key, drop=all(key in keys for keys in shared)).name for key in scan.keys}
        by: list[exp.Expr] = [exp.column(column) for column in keys.values()]
        outputs = [named(exp.column(column), f"k{i}") for i, column in enumerate(keys.values())]
        if isinstance(layer, EntityLayer):
            by.append(exp.column(layer.entity_column))
            outputs.append(named(exp.column(layer.entity_column), "entity"))
        if extra is not None:
            by.append(extra)
            outputs.append(named(extra.copy(), "bin"))
        outputs += [named(tree.copy(), alias) for alias, (tree, _, _) in layer.aggregates.items()]
        step = exp.select(*outputs, copy=False).from_(
            rows.select().subquery("source_rows", copy=False), copy=False
        )
        if by:
            step = step.group_by(*by, copy=False)
        names = {key: f"k{i}" for i, key in enumerate(keys)}
        if len(scan.blocks) == 1 and extra is None:
            return step.subquery(SCANNED, copy=False), names
        name = f"{layer.name}_{len(self.steps)}"
        self.steps.append((name, step))
        return exp.to_table(name, alias=SCANNED), names

    def _parts(
        self, select: exp.Select, block: int, keys: tuple[Key, ...], names: Mapping[Key, str], relation: str
    ) -> tuple[exp.Select, list[exp.Expr]]:
        """Turn a block's keys into parts ``p0``..: late keys through their mapping, the others as they are."""
        parts: list[exp.Expr] = []
        for position, (axis, key) in enumerate(zip(self.fragment.blocks[block].axes, keys, strict=True)):
            stored = exp.column(names[key], table=relation)
            if isinstance(key, LateKey):
                assert isinstance(axis, Axis)
                alias = f"j{position}"
                select = select.join(
                    exp.to_table(self._map(axis), alias=alias),
                    on=map_match(axis, alias, stored),
                    join_type="inner",
                    copy=False,
                )
                parts.append(exp.column("part", table=alias))
            else:
                select = select.where(not_null(stored), copy=False)
                parts.append(stored.copy())
        return select, parts

    def _blocks(self, layer: Layer, histogram: Histogram | None) -> dict[int, exp.Select]:
        """For each block the layer's outputs by ``p0``..; adds the scans that they need."""
        bins = histogram.grid.bins if histogram is not None else 1
        keys = [
            row_keys(b, bins) if isinstance(layer, RowLayer) else entity_keys(b) for b in self.fragment.blocks
        ]
        found: dict[int, exp.Select] = {}
        extra = self._bin(layer, histogram) if histogram is not None else None
        for scan in plan_scans(keys, bins):
            source, names = self._scan(layer, scan, extra)
            for block, block_keys in scan.blocks.items():
                if isinstance(layer, RowLayer):
                    single = histogram is None and self._is_one_to_one(block, block_keys, scan)
                    found[block] = self._row_block(layer, source, block, block_keys, names, single)
                    if histogram is not None:
                        by_bin = self._bin_block(layer, source.copy(), block, block_keys, names)
                        self.bins.setdefault(histogram.id, {})[block] = by_bin
                else:
                    found[block] = self._entity_block(layer, source, block, block_keys, names, scan)
        return found

    def _row_block(
        self,
        layer: RowLayer,
        source: exp.Expr,
        block: int,
        keys: tuple[Key, ...],
        names: Mapping[Key, str],
        single: bool,
    ) -> exp.Select:
        select, parts = self._parts(exp.select().from_(source), block, keys, names, SCANNED)
        select = select.select(*(named(part.copy(), f"p{i}") for i, part in enumerate(parts)), copy=False)
        if parts and single:
            return select.select(*(named(tree, out) for out, tree in layer.singles.items()), copy=False)
        select = select.select(*(named(tree.copy(), out) for out, tree in layer.outputs.items()), copy=False)
        if parts:
            return select.group_by(*parts, copy=False)
        return select.select("1 AS one", copy=False).having(layer.exists(), copy=False)

    def _is_one_to_one(self, block: int, keys: tuple[Key, ...], scan: Scan) -> bool:
        """Whether each group of the scan is one cell of the block."""
        axes = self.fragment.blocks[block].axes
        return set(keys) == set(scan.keys) and all(
            not isinstance(key, LateKey) or (isinstance(axis, Axis) and is_injective(axis))
            for axis, key in zip(axes, keys, strict=True)
        )

    def _entity_block(
        self,
        layer: Layer,
        source: exp.Expr,
        block: int,
        keys: tuple[Key, ...],
        names: Mapping[Key, str],
        scan: Scan,
    ) -> exp.Select:
        """Regroup to the block's own keys where the scan has more, then over entities, then to parts."""
        own = list(dict.fromkeys(names[key] for key in keys))
        rows = exp.select("*", copy=False).from_(source)
        for key in dict.fromkeys(keys):
            if isinstance(key, EarlyKey):
                rows = rows.where(not_null(exp.column(names[key])), copy=False)
        if set(keys) != set(scan.keys):
            again = [
                named(layer.combined(alias, how, k), alias) for alias, (_, how, k) in layer.aggregates.items()
            ]
            by = [exp.column(column) for column in (*own, "entity")]
            rows = rows.select(*by, *again, append=False, copy=False).group_by(
                *[column.copy() for column in by], copy=False
            )
        over = exp.select(*(exp.column(column) for column in own), copy=False).from_(
            rows.subquery("by_entity", copy=False), copy=False
        )
        over = over.select(*(named(tree.copy(), out) for out, tree in layer.outputs.items()), copy=False)
        if not own:
            return over.select("1 AS one", copy=False).having(layer.exists(), copy=False)
        over = over.group_by(*(exp.column(column) for column in own), copy=False)
        select = exp.select().from_(over.subquery("by_key", copy=False), copy=False)
        select, parts = self._parts(select, block, keys, names, "by_key")
        select = select.select(*(named(part, f"p{i}") for i, part in enumerate(parts)), copy=False)
        return select.select(*(exp.column(out, table="by_key") for out in layer.outputs), copy=False)

    def _cells(self, shared: Histogram | None) -> exp.Expr:
        """All blocks one below the other: the driving layer's cells, with what the other layers know of them."""
        layers = [self.unit_layer]
        if self.unit_layer is not self.row_layer and self.row_layer.outputs:
            layers.append(self.row_layer)
        layers += self.entities.values()
        per_layer = [self._blocks(layer, shared if layer is self.row_layer else None) for layer in layers]
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
            select = select.select(*self._padded(width, layers[0].name), copy=False)
            selects.append(select.select(*(tree.copy() for tree in self.final), copy=False))
        return _union(selects)

    def _padded(self, width: int, relation: str) -> list[exp.Expr]:
        """``p0``.. of a block, null beyond its axes."""
        return [
            named(cast(exp.column(f"p{i}", table=relation) if i < width else exp.null(), "INTEGER"), f"p{i}")
            for i in range(self.width)
        ]

    def _bin(self, layer: Layer, histogram: Histogram) -> exp.Expr:
        if self.fragment.weight is not None:
            layer.first(sum_(layer.rows.weight()), Again.SUM)
        return layer.rows.bin(histogram.measure, histogram.grid, histogram.where)

    def _bin_block(
        self, layer: RowLayer, source: exp.Expr, block: int, keys: tuple[Key, ...], names: Mapping[Key, str]
    ) -> exp.Select:
        select, parts = self._parts(exp.select().from_(source), block, keys, names, SCANNED)
        select = select.where(not_null(exp.column("bin")), copy=False)
        columns: list[exp.Expr] = [named(cast(number(block), "INTEGER"), "block")]
        for i in range(self.width):
            part = parts[i].copy() if i < len(parts) else exp.null()
            columns.append(named(cast(part, "INTEGER"), f"p{i}"))
        columns.append(exp.column("bin"))
        columns.append(named(cast(sum_(layer.count_all), "BIGINT"), "n"))
        if self.fragment.weight is not None:
            weight = layer.sum_of(sum_(layer.rows.weight()))
            columns.append(named(whole(weight, "HUGEINT"), "w"))
        return select.select(*columns, copy=False).group_by(*parts, exp.column("bin"), copy=False)


def _union(selects: list[exp.Select]) -> exp.Expr:
    tree: exp.Expr = selects[0]
    for select in selects[1:]:
        tree = exp.union(tree, select, distinct=False, copy=False)
    return tree
