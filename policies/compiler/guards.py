"""Guards of ad-hoc sets: the cells whose difference to the query's must itself be publishable.

An ad-hoc set is held against its nearest neighbours among the sets that anybody may ask for: the smallest one that
holds more ("all but one small group" never passes, ordinary bands do), and the largest one inside it ("one known
group and a single person more" never passes either).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from catalogue.leaves import LeafSet
from policies.compiler.atoms import AtomTable, StatisticSpec
from policies.compiler.fragments import FragmentBuilder
from policies.compiler.keys import is_adhoc
from policies.compiler.refs import DimensionLike, DimensionRef, full_of
from policies.plan import Box, GridAxis, GridBlock, Guard, Neighbour

#: Per block, per part: the neighbour of the part's set. A block that does not group the dimension has one part.
Needed = dict[tuple[int, int], LeafSet]


@dataclass
class _Layer:
    """Neighbours of one block each that can stand on one axis: equal or disjoint."""

    sets: Needed = field(default_factory=dict)

    def takes(self, block: int, neighbour: LeafSet) -> bool:
        others = [leaves for (other, _), leaves in self.sets.items() if other == block]
        return all(leaves == neighbour or not leaves & neighbour for leaves in others)


def guards_of(
    where: Box, blocks: Sequence[GridBlock], table: AtomTable, builder: FragmentBuilder, weighted: bool
) -> tuple[Guard, ...]:
    """The guards of every dimension by which some cell of some atom is held to an ad-hoc set."""
    return tuple(_guards(where, blocks, table, builder, weighted))


def _guards(
    where: Box, blocks: Sequence[GridBlock], table: AtomTable, builder: FragmentBuilder, weighted: bool
) -> Iterator[Guard]:
    atoms = list(table.atoms.values())
    for dimension in _dimensions(where, blocks, [atom.where for atom in atoms]):
        ref = builder.refs.dimension(dimension)
        assert ref is not None
        by_set: dict[LeafSet, list[str]] = {}
        for atom in atoms:
            by_set.setdefault(atom.where.get(dimension) or full_of(ref), []).append(atom.column)
        for restriction, columns in by_set.items():
            bound = {atom.statistic for atom in atoms if atom.column in columns}
            bound |= {atom.count for atom in atoms if atom.column in columns and atom.count}
            specs = [
                spec for spec in table.statistics.values() if spec.id in bound and spec.kind != "histogram"
            ]
            for side in Neighbour:
                neighbour = _neighbour(ref, restriction, side)
                if neighbour is None and side is Neighbour.AROUND and _tells_class(ref, restriction, builder):
                    neighbour = full_of(ref)
                if neighbour is not None:
                    yield _whole(dimension, neighbour, side, where, blocks, specs, columns, builder, weighted)
                needed = _grouped(blocks, dimension, restriction, ref, side)
                for layer in _layers(needed):
                    yield _parts(dimension, layer, side, where, blocks, specs, columns, builder, weighted)


def _neighbour(ref: DimensionLike, leaves: LeafSet, side: Neighbour) -> LeafSet | None:
    """The free set next to an ad-hoc one, None for a set that is free itself or has no such neighbour."""
    if not leaves or not is_adhoc(ref, leaves):
        return None
    if not isinstance(ref, DimensionRef):
        return full_of(ref) if side is Neighbour.AROUND else None
    free = ref.dimension.free_masks
    if side is Neighbour.AROUND:
        around = [mask for mask in free if mask & leaves.mask == leaves.mask != mask]
        smallest = min(around, key=lambda mask: (mask.bit_count(), mask), default=None)
        return LeafSet(smallest, leaves.size) if smallest is not None else None
    inside = [mask for mask in free if mask and mask & leaves.mask == mask != leaves.mask]
    largest = max(inside, key=lambda mask: (mask.bit_count(), mask), default=None)
    return LeafSet(largest, leaves.size) if largest is not None else None


def _tells_class(ref: DimensionLike, leaves: LeafSet, builder: FragmentBuilder) -> bool:
    """Whether a cell held to ``leaves`` tells something of everybody where nobody is outside them: the profile tests
    this dimension for class disclosure. Where it is grouped, protection sees the whole row by itself."""
    named = builder.profile.class_disclosure.dimensions
    return (
        isinstance(ref, DimensionRef) and ref.dimension.name in named and bool(leaves) and not leaves.is_full
    )


def _grouped(
    blocks: Sequence[GridBlock], dimension: str, restriction: LeafSet, ref: DimensionLike, side: Neighbour
) -> Needed:
    """The neighbours of what the restriction leaves of each part, in the blocks that group the dimension."""
    needed: Needed = {}
    for number, block in enumerate(blocks):
        for axis in block.axes:
            if axis.dimension == dimension:
                for part, leaves in enumerate(axis.parts):
                    neighbour = _neighbour(ref, leaves & restriction, side)
                    if neighbour is not None:
                        needed[number, part] = neighbour
    return needed


def _layers(needed: Needed) -> list[_Layer]:
    """Neighbours of different parts may overlap, but a leaf falls in one part of an axis alone: so several axes."""
    layers: list[_Layer] = []
    for (block, part), neighbour in needed.items():
        layer = next((each for each in layers if each.takes(block, neighbour)), None)
        if layer is None:
            layers.append(layer := _Layer())
        layer.sets[block, part] = neighbour
    return layers


def _whole(
    dimension: str,
    neighbour: LeafSet,
    side: Neighbour,
    where: Box,
    blocks: Sequence[GridBlock],
    specs: Sequence[StatisticSpec],
    columns: Sequence[str],
    builder: FragmentBuilder,
    weighted: bool,
) -> Guard:
    """Of the blocks that do not group the dimension: their restriction is moved to the neighbour."""
    grouped = [any(axis.dimension == dimension for axis in block.axes) for block in blocks]
    kept = [_without(block, dimension) for block in blocks]
    fragment = builder.fragment(
        _moved(where, dimension, neighbour), kept, [_spec(s, dimension, neighbour) for s in specs], weighted
    )
    return Guard(dimension, fragment, tuple(() if g else None for g in grouped), tuple(columns), side)


def _parts(
    dimension: str,
    layer: _Layer,
    side: Neighbour,
    where: Box,
    blocks: Sequence[GridBlock],
    specs: Sequence[StatisticSpec],
    columns: Sequence[str],
    builder: FragmentBuilder,
    weighted: bool,
) -> Guard:
    """Of the blocks that group the dimension: each part is moved to its neighbour, without any restriction."""
    moved: list[GridBlock] = []
    parents: list[tuple[int, ...]] = []
    whole = full_of(_known(builder, dimension))
    for number, block in enumerate(blocks):
        position = next((i for i, axis in enumerate(block.axes) if axis.dimension == dimension), None)
        sets = list(dict.fromkeys(leaves for (b, _), leaves in layer.sets.items() if b == number))
        if position is None or not sets:
            moved.append(_without(block, dimension))
            parents.append(())
            continue
        axes = list(block.axes)
        neighbours = GridAxis(dimension, (), (), tuple(sets), (False,) * len(sets))
        axes[position : position + 1] = [] if sets == [whole] else [neighbours]
        moved.append(GridBlock(tuple(axes), block.grouping))
        found = [layer.sets.get((number, part)) for part in range(len(block.axes[position].parts))]
        parents.append(tuple(sets.index(leaves) if leaves is not None else -1 for leaves in found))
    fragment = builder.fragment(
        _moved(where, dimension, whole), moved, [_spec(s, dimension, whole) for s in specs], weighted
    )
    return Guard(dimension, fragment, tuple(parents), tuple(columns), side)


def _known(builder: FragmentBuilder, dimension: str) -> DimensionLike:
    ref = builder.refs.dimension(dimension)
    assert ref is not None
    return ref


def _without(block: GridBlock, dimension: str) -> GridBlock:
    return replace(block, axes=tuple(axis for axis in block.axes if axis.dimension != dimension))


def _dimensions(where: Box, blocks: Sequence[GridBlock], boxes: Sequence[Box]) -> list[str]:
    names = [*where.dimensions]
    names += [axis.dimension for block in blocks for axis in block.axes]
    names += [name for box in boxes for name in box.dimensions]
    return list(dict.fromkeys(names))


def _moved(box: Box, dimension: str, leaves: LeafSet) -> Box:
    return Box.of({**dict(box.sets), dimension: leaves})


def _spec(spec: StatisticSpec, dimension: str, leaves: LeafSet) -> StatisticSpec:
    return replace(spec, box=_moved(spec.box, dimension, leaves))
