"""Quantiles of a measure from a histogram on a declared grid, protected through the rank that is looked up.

A histogram adds over nodes and is the same on every engine, and noise on the rank costs far less accuracy than noise
on the bins. The rank is q*n + v with v from the p-table.

Interpolation: within the bin that holds the rank, values are taken as spread evenly; the interpolated value is
then rounded to the nearest grid point, the upper one in a tie. The result is always a grid point.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import numpy.typing as npt

from policies.methods.ptable import PTable

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_MILLION = 1_000_000


def quantile_index(q: Decimal) -> int:
    """The number that separates one quantile's noise from another's in the look-up: q in millionths.

    >>> quantile_index(Decimal("0.25"))
    250000
    """
    _check(q)
    index = q * _MILLION
    if index != index.to_integral_value():
        raise ValueError("a quantile has at most six decimals")
    return int(index)


def protected_quantile(
    bins: Integers, q: Decimal, u: Floats, table: PTable, *, weights: Floats | None = None
) -> Integers:
    """The grid point nearest to the perturbed quantile: point i is the lower edge of bin i, point m the last upper.

    ``bins`` (cells, m) counts of units by bin; ``u`` (cells,) from a look-up with ``quantile_index(q)``;
    ``weights`` (cells, m) the weight in each bin: the quantile is then the weighted one, with the rank's noise
    scaled by the mean weight. Empty cells give point 0: withhold them with ``quantile_withheld``.
    """
    _check(q)
    n = bins.sum(axis=1)
    mass = bins.astype(np.float64) if weights is None else weights
    cumulative = np.cumsum(mass, axis=1)
    total = cumulative[:, -1]
    unit = np.divide(total, n, out=np.zeros_like(total), where=n > 0)
    rank = np.clip(float(q) * total + table.noise(n, u) * unit, 0.0, total)
    # A rank of 0 is the lower edge of the first bin that holds anybody.
    passed = ((cumulative < rank[:, None]) | (cumulative <= 0)).sum(axis=1)
    bin_ = np.where(total > 0, np.minimum(passed, mass.shape[1] - 1), 0)
    at = np.arange(len(bins))
    inside = mass[at, bin_]
    before = cumulative[at, bin_] - inside
    share = np.divide(rank - before, inside, out=np.zeros_like(rank), where=inside > 0)
    point: Integers = bin_.astype(np.int64) + (share >= 0.5)
    return point


def quantile_withheld(count: Integers, q: Decimal, minimum_frequency: int) -> Mask:
    """Which quantiles have too few contributors on one side: count * min(q, 1-q) below the minimum frequency.

    ``count`` is the count as published (perturbed where the profile perturbs).
    """
    return count * quantile_index(min(q, 1 - q)) < minimum_frequency * _MILLION


def _check(q: Decimal) -> None:
    if not 0 < q < 1:
        raise ValueError("a quantile lies between 0 and 1")
