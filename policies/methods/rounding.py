"""Rounding of what is published: to a base, by size bands, and to a step in exact decimals.

Ties go away from zero ("halves up", as HESA states for its rounding strategy and Nomis for claimant counts).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

EXACT_INTEGERS = 2**53
"""Up to here float64 holds every integer, so that rounding is exact."""


@dataclass(frozen=True)
class SizeBand:
    """Values from ``minimum`` up to (not including) the next band's minimum are rounded to ``base``."""

    minimum: int
    base: int


@dataclass(frozen=True)
class FixedPoint:
    """Numbers in exact decimal fixed point: value = ``units`` / 10**``scale``.

    ``overflow`` marks numbers too large to be held exactly; their units are 0 and they must be withheld.
    """

    units: Integers
    scale: int
    overflow: npt.NDArray[np.bool_]

    def to_float(self) -> Floats:
        """The nearest float64 of each number; NaN where it overflowed."""
        return np.where(self.overflow, np.nan, self.units / 10.0**self.scale)


def round_count(n: Integers, base: int) -> Integers:
    """The nearest multiple of ``base``, ties away from zero.

    >>> round_count(np.array([2, 3, 12, 13, -3]), 5).tolist()
    [0, 5, 10, 15, -5]
    """
    if base < 1:
        raise ValueError("a base is at least 1")
    return _nearest(n, np.int64(base))


def round_by_size(n: Integers, bands: Sequence[SizeBand]) -> Integers:
    """Each count rounded to the base of the band that its absolute value falls in; below the first band to its base.

    Source: Nomis article 1103, rounding of the Business Register and Employment Survey.
    """
    if not bands or any(later.minimum <= band.minimum for band, later in pairwise(bands)):
        raise ValueError("bands must ascend by their minimum")
    edges = np.array([band.minimum for band in bands[1:]], dtype=np.int64)
    base = np.array([band.base for band in bands], dtype=np.int64)[
        np.searchsorted(edges, np.abs(n), side="right")
    ]
    return _nearest(n, base)


def round_to_step(values: Floats, step: Decimal) -> FixedPoint:
    """The nearest multiple of ``step`` (such as 0.01, or 100 for pounds), ties away from zero, in exact decimals.

    Not a number, and what is too large for exactness, overflows.

    >>> round_to_step(np.array([531.25]), Decimal("0.1")).to_float().tolist()
    [531.3]
    """
    scale, units_per_step = _fixed(step)
    # Division by the step's integer form first: 1/0.1 is exact as 10, while 0.1 itself has no exact float64.
    steps = values * 10.0**scale / units_per_step
    whole = np.sign(steps) * np.floor(np.abs(steps) + 0.5)
    fits = np.isfinite(whole) & (np.abs(whole) * units_per_step < EXACT_INTEGERS)
    units = np.where(fits, whole, 0.0).astype(np.int64) * units_per_step
    return FixedPoint(units, scale, ~fits)


def _nearest(n: Integers, base: Integers | np.int64) -> Integers:
    quotient, rest = np.divmod(np.abs(n), base)
    nearest: Integers = np.sign(n) * base * (quotient + (2 * rest >= base))
    return nearest


def _fixed(step: Decimal) -> tuple[int, int]:
    if not step.is_finite() or step <= 0:
        raise ValueError("a step is a positive number")
    scale = max(0, -int(step.normalize().as_tuple().exponent))
    return scale, int(step.scaleb(scale))
