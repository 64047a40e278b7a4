"""Counts: perturbed by cell key, and withheld below a minimum frequency.

Sources: Fraser and Wooton (2005), "A proposed method for confidentialising tabular output to protect against
differencing"; Handbook on Statistical Disclosure Control (2nd ed., 2024), chapters 4.2 and 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from policies.methods.ptable import PTable
from policies.methods.rounding import FixedPoint, round_to_step

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


class Zeros(StrEnum):
    """What an empty cell is: below the minimum like any small one, or published."""

    BELOW_MINIMUM = "below_minimum"
    PUBLISHED = "published"


@dataclass(frozen=True)
class FrequencyRule:
    """Publish counts of at least ``minimum_frequency`` (10 publishes 10 and hides 9).

    ``minimum_second_units`` asks for as many of a second kind of unit (employers of employees) too.
    """

    minimum_frequency: int
    minimum_second_units: int | None = None
    zeros: Zeros = Zeros.BELOW_MINIMUM

    def __post_init__(self) -> None:
        second = self.minimum_second_units
        if self.minimum_frequency < 1 or (second is not None and second < 1):
            raise ValueError("a minimum is at least 1")


@dataclass(frozen=True)
class Noise:
    """A p-table and the number u in [0, 1) of each cell that looks it up."""

    table: PTable
    u: Floats


@dataclass(frozen=True)
class ProtectedCounts:
    """``values`` int64, valid where ``withheld`` is false; elsewhere 0, so that nothing can be read by mistake."""

    values: Integers
    withheld: Mask


def perturb(n: Integers, noise: Noise) -> Integers:
    """True counts plus the noise of their cells. Totals get noise of their own: perturbed cells are never summed."""
    return n + noise.table.noise(n, noise.u)


def below_minimum(
    count: Integers, rule: FrequencyRule, *, second: Integers | None = None, structural: Mask | None = None
) -> Mask:
    """Which cells the rule withholds, judged on ``count``.

    With perturbation pass the *perturbed* count, for magnitudes too: a threshold on the true count beside a noisy
    one leaks (8 shown under a minimum of 10 would prove 10). ``second`` counts second units; it must be given where
    the rule has a minimum for them. ``structural`` marks impossible combinations, whose zero says nothing.
    """
    withheld = count < rule.minimum_frequency
    if rule.minimum_second_units is not None:
        if second is None:
            raise ValueError("the rule needs the number of second units")
        withheld |= second < rule.minimum_second_units
    if rule.zeros is Zeros.PUBLISHED:
        withheld &= count != 0
    if structural is not None:
        withheld &= ~((count == 0) & structural)
    return withheld


def protect_counts(
    n: Integers,
    rule: FrequencyRule,
    *,
    noise: Noise | None = None,
    second: Integers | None = None,
    structural: Mask | None = None,
) -> ProtectedCounts:
    """Counts after perturbation (where there is ``noise``) and the minimum, on the count that would be shown.

    ``n`` are true counts of units; the other arrays have the same shape (see ``below_minimum``).
    """
    shown = n if noise is None else perturb(n, noise)
    withheld = below_minimum(shown, rule, second=second, structural=structural)
    return ProtectedCounts(np.where(withheld, 0, shown), withheld)


def expand(shown: Integers, n: Integers, weight: Floats) -> Floats:
    """Weighted counts (n + v) * (W / n): the shown count times the cell's mean weight; 0 for an empty cell.

    Never publish it unrounded: at full precision the ratio gives the true n away. See ``protect_weighted``.
    Source: the R package cellKey, weighted counts ``pwc``.
    """
    mean_weight = np.divide(weight, n, out=np.zeros(n.shape), where=n > 0)
    return shown.astype(np.float64) * mean_weight


def protect_weighted(shown: Integers, n: Integers, weight: Floats, step: Decimal) -> FixedPoint:
    """Weighted counts for publication, rounded to the declared ``step`` (whole numbers or coarser).

    Raises ValueError for a step below 1, which would let the true count be computed from the estimate.
    """
    if step < 1:
        raise ValueError("weighted counts are rounded to whole numbers or coarser")
    return round_to_step(expand(shown, n, weight), step)
