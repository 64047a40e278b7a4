"""The scans of a program and the blocks that follow from them: see connectors.render for the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from catalogue.fragment import Axis, Fragment, Histogram
from connectors.expressions import cast, named, not_null, number
from connectors.keys import EarlyKey, Key, LateKey, Scan, entity_keys, is_injective, plan_scans, row_keys
from connectors.layers import Again, EntityLayer, Layer, RowLayer, sum_, whole
from connectors.rows import Rows, map_match

SCANNED = "scanned"


@dataclass(frozen=True)
class Within:
    """Groups of rows, and the names of their keys."""

    groups: exp.Select
    names: Mapping[Key, str]


@dataclass
class Blocks:
    """Writes the blocks of layers, and collects what they read: ``maps`` by axis, temporary tables as ``steps``, the
    ``bins`` of histograms by their id and block, and scans that are read again as ``scanned``."""

    fragment: Fragment
    maps: dict[Axis, str] = field(default_factory=dict)
    steps: list[tuple[str, exp.Expr]] = field(default_factory=list)
    bins: dict[str, dict[int, exp.Select]] = field(default_factory=dict)
    scanned: list[tuple[Scan, exp.Expr, dict[Key, str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.width = max((len(block.axes) for block in self.fragment.blocks), default=0)

    def _map(self, axis: Axis) -> str:
        return self.maps.setdefault(axis, f"map{len(self.maps)}")

    def _scan(
        self,
        layer: Layer,
        scan: Scan,
        extra: exp.Expr | None = None,
        *,
        again: bool = False,
        within: Within | None = None,
    ) -> tuple[exp.Expr, dict[Key, str]]:
        """The relation that reads the rows for a scan, and the names of its keys. It is a temporary table, unless
        it is read only once; ``again`` says that it is read by more than its blocks."""
        rows = layer.rows.copy()
        shared = [set(keys) for keys in scan.blocks.values()]
        for key in scan.keys:
            if isinstance(key, EarlyKey):
                self._map(key.axis)
        keys = {key: rows.key(key, drop=all(key in keys for keys in shared)).name for key in scan.keys}
        matches = exp.true() if within is None else self._matches(rows, within)
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
        if within is not None:
            step = step.join(within.groups.subquery("within"), on=matches, copy=False)
        if by:
            step = step.group_by(*by, copy=False)
        names = {key: f"k{i}" for i, key in enumerate(keys)}
        if len(scan.blocks) == 1 and extra is None and not again:
            return step.subquery(SCANNED, copy=False), names
        name = f"{layer.name}_{len(self.steps)}"
        self.steps.append((name, step))
        return exp.to_table(name, alias=SCANNED), names

    @staticmethod
    def _matches(rows: Rows, within: Within) -> exp.Expr:
        same = [
            exp.NullSafeEQ(this=rows.key(key, drop=False), expression=exp.column(name, table="within"))
            for key, name in within.names.items()
        ]
        return exp.and_(*same) if same else exp.true()

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

    def of(
        self, layer: Layer, histogram: Histogram | None = None, *, again: bool = False
    ) -> dict[int, exp.Select]:
        """For each block the layer's outputs by ``p0``..; adds the scans that they need, to be read ``again`` by
        ``within_few``."""
        bins = histogram.grid.bins if histogram is not None else 1
        keys = [
            row_keys(b, bins) if isinstance(layer, RowLayer) else entity_keys(b) for b in self.fragment.blocks
        ]
        found: dict[int, exp.Select] = {}
        extra = self._bin(layer, histogram) if histogram is not None else None
        for scan in plan_scans(keys, bins):
            source, names = self._scan(layer, scan, extra, again=again)
            if again:
                self.scanned.append((scan, source, names))
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

    def within_few(self, layer: EntityLayer, few: exp.Expr) -> dict[int, exp.Select]:
        """For each block the outputs of a layer by entity, over rows in those groups of the scans that were kept of
        which ``few`` is true. That has to hold of every part of a group of which it holds."""
        found: dict[int, exp.Select] = {}
        for scan, kept, names in self.scanned:
            by: list[exp.Expr] = [exp.column(name) for name in names.values()]
            groups = (
                exp.select(*by or [named(number(1), "one")])
                .from_(kept.copy())
                .group_by(*by)
                .having(few.copy())
            )
            blocks = list(scan.blocks)
            for own in plan_scans([entity_keys(self.fragment.blocks[block]) for block in blocks]):
                own = Scan(own.keys, {blocks[i]: keys for i, keys in own.blocks.items()})
                source, own_names = self._scan(layer, own, within=Within(groups, names))
                for block, keys in own.blocks.items():
                    found[block] = self._entity_block(layer, source, block, keys, own_names, own)
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

    def padded(self, width: int, relation: str) -> list[exp.Expr]:
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
