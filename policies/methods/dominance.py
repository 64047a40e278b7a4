"""Primary rules for magnitudes: does a cell let one contributor estimate another too closely?

Source: Handbook on Statistical Disclosure Control (2nd ed., 2024), section 4.2; tau-ARGUS user's manual, sections on
the dominance and the prior-posterior rule and on sampling weights. The rules' parameters are confidential to the
custodian: a result says that a cell is withheld, never by how much a rule was missed.

Arrays: ``total`` (cells,) is the total of absolute contributions; ``top`` (cells, k) holds the largest absolute
contributions of units, or of holdings where units belong to holdings, descending, 0 where a cell has fewer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


class DominanceRule(Protocol):
    """A rule over totals and largest contributions."""

    @property
    def contributions(self) -> int:
        """How many of the largest contributions the rule needs."""

    def shortfall(self, total: Floats, top: Floats) -> Floats:
        """By how much each cell misses the rule, in units of the measure: unsafe where positive, and then the
        upper protection level."""


@dataclass(frozen=True)
class NKDominance:
    """(n, k): unsafe where the n largest make up more than k percent of the total."""

    n: int
    k_percent: float

    def __post_init__(self) -> None:
        if self.n < 1 or not 0 < self.k_percent < 100:
            raise ValueError("needs n >= 1 and 0 < k_percent < 100")

    @property
    def contributions(self) -> int:
        return self.n

    def shortfall(self, total: Floats, top: Floats) -> Floats:
        # Multiplied out before dividing: exact on the boundary for whole numbers.
        excess: Floats = 100 * top[:, : self.n].sum(axis=1) - self.k_percent * total
        return excess / self.k_percent


@dataclass(frozen=True)
class PPercent:
    """p%: unsafe where the total less the largest and a coalition's contributions is under p percent of the largest.

    ``coalition`` is the number of contributors who pool what they know, 1 (the second largest alone) being usual.

    >>> PPercent(10).shortfall(np.array([1010.0]), np.array([[700.0, 200.0]])).tolist()  # rest 110 >= 70
    [-40.0]
    """

    p_percent: float
    coalition: int = 1

    def __post_init__(self) -> None:
        if self.p_percent <= 0 or self.coalition < 1:
            raise ValueError("needs p_percent > 0 and coalition >= 1")

    @property
    def contributions(self) -> int:
        return 1 + self.coalition

    def shortfall(self, total: Floats, top: Floats) -> Floats:
        remainder = total - top[:, : self.contributions].sum(axis=1)
        excess: Floats = self.p_percent * top[:, 0] - 100 * remainder
        return excess / 100


def prior_posterior(p: float, q: float) -> PPercent:
    """The (p, q) rule: others know every contribution to within q percent beforehand. It equals p% with 100*p/q."""
    if not 0 < p < q <= 100:
        raise ValueError("needs 0 < p < q <= 100")
    return PPercent(100 * p / q)


def unsafe(rule: DominanceRule, total: Floats, top: Floats) -> Mask:
    """Which cells the rule calls sensitive. What is exactly on the boundary is safe, and so is an empty cell.

    Raises ValueError where ``top`` has too few columns for the rule, or a value is not a number: a rule that can't
    be judged never passes.
    """
    if top.ndim != 2 or top.shape[1] < rule.contributions:
        raise ValueError(f"the rule needs the {rule.contributions} largest contributions")
    if np.isnan(total).any() or np.isnan(top).any():
        raise ValueError("totals and contributions must be numbers")
    return rule.shortfall(total, top) > 0


def upper_protection_level(rule: DominanceRule, total: Floats, top: Floats) -> Floats:
    """How far above the true total an attacker's upper bound must lie: 0 for safe cells."""
    return np.where(unsafe(rule, total, top), rule.shortfall(total, top), 0.0)


def replicated_top(values: Floats, weights: Floats, k: int) -> Floats:
    """The k largest contributions when each is replicated by its sampling weight, as tau-ARGUS reads weights.

    ``values`` (cells, m) absolute contributions, descending; ``weights`` (cells, m), at least 0. Compare the result
    (cells, k) with the weighted total. A fractional weight fills a place in part and the next value fills its rest.
    m values suffice where their weights add up to k; weights of at least 1 guarantee it for m = k.

    >>> replicated_top(np.array([[100.0, 10.0]]), np.array([[4.0, 7.0]]), 2).tolist()
    [[100.0, 100.0]]
    """
    upper = np.cumsum(weights, axis=1)
    lower = upper - weights
    places = np.arange(k, dtype=np.float64)[:, None]
    overlap = np.minimum(upper[:, None, :], places + 1) - np.maximum(lower[:, None, :], places)
    return np.asarray((np.maximum(overlap, 0.0) * values[:, None, :]).sum(axis=2), dtype=np.float64)
