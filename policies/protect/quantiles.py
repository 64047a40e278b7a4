"""Quantiles from histograms: the noise is on the rank, the result a point of the declared grid."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from catalogue.fragment import Histogram, Magnitude, Tally
from policies.cells import Status
from policies.methods.quantile import protected_quantile, quantile_index, quantile_withheld
from policies.methods.rounding import FixedPoint, round_to_step
from policies.plan import Atom
from policies.protect.counts import Measured, count
from policies.protect.dense import as_floats, contiguous, fixed_point
from policies.protect.errors import ProtectError, ProtectFault
from policies.protect.fired import Rule
from policies.protect.magnitudes import Shown, show

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

ENTRIES_AT_ONCE = 4_000_000
"""Cells times bins that are laid out at a time: 32 MB, whatever the number of cells."""


def quantile(
    at: Measured,
    atom: Atom,
    statistic: Histogram,
    counting: Tally | Magnitude,
    structural: npt.NDArray[np.bool_],
) -> Shown:
    """QUANTILE of a measure over the cells of the grid; only where enough contributors are on either side of it."""
    if atom.quantile is None:
        raise ProtectError(ProtectFault.PLAN, f"{atom.column} names no quantile")
    counted = count(at, counting, structural, weighted=atom.weighted)
    sides = np.zeros(counted.hidden.shape, dtype=np.bool_)
    if not at.rules.publishes_every_count:
        minimum = at.rules.frequency.minimum_frequency
        sides = quantile_withheld(counted.contributors.n, atom.quantile, minimum)
    key = at.cells.integers(f"{counting.id}_key")
    u = at.rules.uniform(
        at.rules.magnitudes, f"quantile/{statistic.measure.name}", key, quantile_index(atom.quantile)
    )
    points = np.zeros(at.cells.grid.size, dtype=np.int64)
    for cells, bins, weights in _histograms(at, statistic, ~(counted.hidden | sides), weighted=atom.weighted):
        points[cells] = protected_quantile(
            bins, atom.quantile, u[cells], at.rules.magnitudes, weights=weights
        )
    return show(
        _on_grid(at, atom, statistic, points),
        atom,
        counted,
        fired={Rule.QUANTILE_SIDES: sides},
        doubtful=counted.status == Status.UNRELIABLE,
        enough=counted.values > 0,
    )


def _histograms(
    at: Measured, statistic: Histogram, wanted: npt.NDArray[np.bool_], *, weighted: bool
) -> Iterator[tuple[Integers, Integers, Floats | None]]:
    """Wanted cells that have anybody, some at a time: their indexes, counts by bin and weights by bin."""
    rows, cell = at.cells.histogram(statistic.id)
    bin_ = fixed_point(contiguous(rows["bin"]))
    if bool(((bin_ < 0) | (bin_ >= statistic.grid.bins)).any()):
        raise ProtectError(ProtectFault.SOURCE, f"{statistic.id} has bins outside its grid")
    order = np.flatnonzero(wanted[cell])
    order = order[np.argsort(cell[order], kind="stable")]
    n = fixed_point(contiguous(rows["n"]))[order]
    w = as_floats(contiguous(rows["w"]))[order] if weighted else None
    cells, first = np.unique(cell[order], return_index=True)
    ends = np.append(first[1:], len(order))
    step = max(1, ENTRIES_AT_ONCE // statistic.grid.bins)
    for start in range(0, len(cells), step):
        stop = min(start + step, len(cells))
        at_rows = slice(int(first[start]), int(ends[stop - 1]))
        place = (
            np.repeat(np.arange(stop - start), ends[start:stop] - first[start:stop]),
            bin_[order[at_rows]],
        )
        bins = np.zeros((stop - start, statistic.grid.bins), dtype=np.int64)
        bins[place] = n[at_rows]
        weights = None
        if w is not None:
            weights = np.zeros(bins.shape)
            weights[place] = w[at_rows]
        yield cells[start:stop], bins, weights


def _on_grid(at: Measured, atom: Atom, statistic: Histogram, points: Integers) -> FixedPoint:
    """Grid points as numbers, on the profile's base for the measure where it has one."""
    scale = atom.decimals
    minimum, step = statistic.grid.minimum.scaleb(scale), statistic.grid.step.scaleb(scale)
    if minimum % 1 or step % 1:
        raise ProtectError(ProtectFault.PLAN, f"{atom.column} has fewer decimals than its grid")
    digits = int(minimum) + points * int(step)
    base = at.rules.base(statistic.measure.name)
    if base is not None:
        return round_to_step(digits / 10.0**scale, max(base, Decimal(1).scaleb(-scale)))
    return FixedPoint(digits, scale, np.zeros(digits.shape, dtype=np.bool_))
