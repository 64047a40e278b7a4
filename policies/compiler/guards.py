"""Guards of ad-hoc sets: the cells whose difference to the query's must itself be publishable.

An ad-hoc set is compared with the smallest node or registered grouping around it. "All but one small group" then
never passes, ordinary bands do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from catalogue.leaves import LeafSet
from policies.compiler.atoms import AtomTable, StatisticSpec
from policies.compiler.fragments import FragmentBuilder
from policies.compiler.keys import is_adhoc
from policies.compiler.refs import DimensionLike, DimensionRef, full_of
from policies.plan import Box, GridAxis, GridBlock, Guard


def guards_of(
    where: Box, blocks: Sequence[GridBlock], table: AtomTable, builder: FragmentBuilder, weighted: bool
) -> tuple[Guard, ...]:
    """One guard per dimension that some cell restricts by an ad-hoc set, and per set of atoms that it binds."""
    guards: list[Guard] = []
    refs = builder.refs
    atoms = list(table.atoms.values())
    for dimension in _dimensions(where, blocks, [atom.where for atom in atoms]):
        ref = refs.dimension(dimension)
        assert ref is not None
        grouped = any(
            adhoc
            for block in blocks
            for axis in block.axes
            if axis.dimension == dimension
            for adhoc in axis.adhoc
        )
        # Atoms by the set to which this dimension is held in their box: each set has a parent of its own.
        by_set: dict[LeafSet, list[str]] = {}
        for atom in atoms:
            by_set.setdefault(atom.where.get(dimension) or full_of(ref), []).append(atom.column)
        for leaves, columns in by_set.items():
            if not grouped and not is_adhoc(ref, leaves):
                continue
            bound = {atom.statistic for atom in atoms if atom.column in columns}
            bound |= {atom.count for atom in atoms if atom.column in columns and atom.count}
            specs = [
                spec for spec in table.statistics.values() if spec.id in bound and spec.kind != "histogram"
            ]
            parent = parent_of(ref, leaves)
            restricted = is_adhoc(ref, leaves)
            relaxed = [_relaxed_block(block, dimension, ref, restricted) for block in blocks]
            guards.append(
                Guard(
                    dimension,
                    builder.fragment(
                        _relax(where, dimension, parent),
                        [block for block, _ in relaxed],
                        [_relaxed_spec(spec, dimension, parent) for spec in specs],
                        weighted,
                    ),
                    tuple(parents for _, parents in relaxed),
                    tuple(columns),
                )
            )
    return tuple(guards)


def parent_of(ref: DimensionLike, leaves: LeafSet) -> LeafSet:
    """The smallest node, registered grouping or whole that holds more than ``leaves``."""
    if not isinstance(ref, DimensionRef):
        return full_of(ref)
    masks = [mask for mask in ref.dimension.free_masks if mask & leaves.mask == leaves.mask != mask]
    best = min(masks, key=lambda mask: (mask.bit_count(), mask), default=ref.dimension.full.mask)
    return LeafSet(best, leaves.size)


def _dimensions(where: Box, blocks: Sequence[GridBlock], boxes: Sequence[Box]) -> list[str]:
    names = [*where.dimensions]
    names += [axis.dimension for block in blocks for axis in block.axes]
    names += [name for box in boxes for name in box.dimensions]
    return list(dict.fromkeys(names))


def _relax(box: Box, dimension: str, parent: LeafSet) -> Box:
    return Box.of({**dict(box.sets), dimension: parent})


def _relaxed_spec(spec: StatisticSpec, dimension: str, parent: LeafSet) -> StatisticSpec:
    return replace(spec, box=_relax(spec.box, dimension, parent))


def _relaxed_block(
    block: GridBlock, dimension: str, ref: DimensionLike, restricted: bool
) -> tuple[GridBlock, tuple[int, ...] | None]:
    """The block with each part of ``dimension`` widened to its parent, and the parent of each part.

    Parents may overlap, but a leaf falls in one part alone; so all parts share one parent that holds them all.
    Where no part is ad-hoc, a cell can only be so by the restriction of its box (``restricted``).
    """
    axes = list(block.axes)
    for i, axis in enumerate(axes):
        if axis.dimension == dimension:
            if not any(axis.adhoc):
                return block, None if restricted else ()
            together = axis.parts[0]
            for part in axis.parts[1:]:
                together = together | part
            parent = (
                together if len(axis.parts) > 1 and not is_adhoc(ref, together) else parent_of(ref, together)
            )
            axes[i] = GridAxis(dimension, (), (), (parent,), (False,))
            return GridBlock(tuple(axes), block.grouping), (0,) * len(axis.parts)
    return block, None if restricted else ()
