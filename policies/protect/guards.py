"""Neighbours of ad-hoc sets: what lies between a cell and its neighbour must itself pass the minimum frequency.

Without this, "all" beside "all but one small group" would tell, by equal or different digits, whether anybody is in
that group. Nobody in the complement is as bad as a few: equal digits would say so.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from catalogue.fragment import RECORD_KEY_MODULUS, Histogram, RawCells
from policies.plan import Atom, CellQuery, Guard, Neighbour
from policies.protect.counts import Measured, units
from policies.protect.dense import DenseCells
from policies.protect.errors import ProtectError, ProtectFault
from policies.protect.grid import Grid, along

Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


def small_complements(at: Measured, guard: Guard, raw: RawCells) -> dict[str, Mask]:
    """For each bound atom's column, the cells whose difference to their neighbour is too small.

    Like is compared with like: for each statistic behind the atom, the contributors of the larger set less those of
    the smaller. Their number is judged with the noise that it would be shown with, since a threshold on the true
    number would be a counter: ranges that grow by a code tell by the first [c] how many people are in them. A profile
    that publishes every count has no complement to protect.
    """
    if at.rules.publishes_every_count:
        return {}
    parents = DenseCells(Grid.of(guard.fragment), raw)
    parent = _parent_cells(at.query, guard, at.cells.grid, parents.grid)
    result = {}
    for atom in at.query.atoms:
        if atom.column in guard.atoms:
            bound = _bound(at.query, guard, at.cells.grid)
            small = np.zeros(bound.shape, dtype=np.bool_)
            for statistic in _counted(at.query, guard, atom):
                rest = parents.integers(f"{statistic}_n")[parent] - at.cells.integers(f"{statistic}_n")
                key = parents.integers(f"{statistic}_key")[parent] - at.cells.integers(f"{statistic}_key")
                if guard.side is not Neighbour.AROUND:
                    rest, key = -rest, -key
                # Keys are sums over units, so the key of those in one set alone is a difference. Cells that the
                # guard does not bind have no neighbour here, and whatever their difference is, it is not read.
                between = units(at.rules, np.maximum(rest, 0), key % RECORD_KEY_MODULUS)
                small |= between < at.rules.frequency.minimum_frequency
            result[atom.column] = small & bound
    return result


def _counted(query: CellQuery, guard: Guard, atom: Atom) -> list[str]:
    """The statistics behind an atom whose contributors are compared: all must be in the guard's fragment."""
    histograms = {s.id for s in query.fragment.statistics if isinstance(s, Histogram)}
    named = {atom.statistic, atom.count} - {None} - histograms
    if not named or not named <= {statistic.id for statistic in guard.fragment.statistics}:
        raise ProtectError(ProtectFault.PLAN, f"a guard lacks the statistics of {atom.column}")
    return sorted(name for name in named if name is not None)


def _bound(query: CellQuery, guard: Guard, grid: Grid) -> Mask:
    """The cells that the guard binds."""
    result = np.zeros(grid.size, dtype=np.bool_)
    for mapping, where, block, shape in zip(
        guard.parents, grid.slices(), query.blocks, grid.shapes, strict=True
    ):
        binds = np.full(shape, mapping != ())
        if mapping:
            position = [axis.dimension for axis in block.axes].index(guard.dimension)
            binds &= along(np.array(mapping) >= 0, position, len(shape))
        result[where] = binds.ravel()
    return result


def _parent_cells(query: CellQuery, guard: Guard, grid: Grid, moved: Grid) -> Integers:
    """For each bound cell of the query its neighbour's cell; any for the others."""
    if not len(guard.parents) == len(query.blocks) == len(moved.shapes):
        raise ProtectError(ProtectFault.PLAN, "a guard has other blocks than its query")
    parent = np.zeros(grid.size, dtype=np.int64)
    for i, (where, block, shape) in enumerate(zip(grid.slices(), query.blocks, grid.shapes, strict=True)):
        mapping = guard.parents[i]
        if mapping == ():
            continue
        parts, target = [np.arange(length) for length in shape], moved.shapes[i]
        if mapping is not None:
            position = [axis.dimension for axis in block.axes].index(guard.dimension)
            parts[position] = np.maximum(np.array(mapping, dtype=np.int64), 0)
            if len(target) < len(shape):  # without an axis, everything is its one part
                target = (*target[:position], 1, *target[position:])
        if len(target) != len(shape) or any(
            len(p) and p.max() >= n for p, n in zip(parts, target, strict=True)
        ):
            raise ProtectError(ProtectFault.PLAN, "a guard's neighbours are not in its fragment")
        cells = np.ravel_multi_index(np.ix_(*parts), target) if shape else np.zeros((), dtype=np.int64)
        parent[where] = moved.offsets[i] + np.asarray(cells).ravel()
    return parent
