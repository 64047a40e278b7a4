"""Sums, means and variances, perturbed by cell key in proportion to their largest contributions.

Sources: Handbook on Statistical Disclosure Control (2nd ed., 2024), section 4.6 (the method), 5.7 (why a
perturbed sum is never shown beside a perturbed count and mean); the R package cellKey 1.0.3 (top-k variant).

A note on keys: sums, means and variances of one measure must not share their noise with counts, nor variances with
sums: give each a domain of its own in the look-up.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from policies.methods.ptable import Interval, PTable
from policies.methods.rounding import FixedPoint, round_to_step

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_INT64_MAX = np.iinfo(np.int64).max


def perturb_sum(
    total: Floats,
    largest: Floats,
    u: Floats,
    table: PTable,
    delta: float,
    between: Floats | float = 0.5,
) -> Floats:
    """The basic method: total + delta * largest * (v + between - 1/2).

    v is looked up at the position a = |total| / (delta * largest), capped at the table's last row and interpolated
    between rows; intervals are open below and closed above here (Handbook 4.6), unlike those of counts.

    ``total`` cell totals; ``largest`` the largest absolute contribution of a unit (of a holding, where units
    belong to holdings); ``u`` in [0, 1); all of one shape. ``delta`` in (0, 1] is the width in units of the largest
    contribution. A total of contributions of one sign keeps its sign, as v never falls below -a. A total smaller than
    its largest contribution has contributions of both signs: its size says nothing about how well they hide each
    other, so it gets the noise of the last, symmetric row. Cells without contributions stay as they are.

    ``between`` in [0, 1), from a look-up of its own, makes the noise continuous. With the table's whole numbers alone
    a total has a handful of possible values, and who knows the other contributions could tell to the digit which of
    them it is. At 1/2 the method is the Handbook's, for comparison.
    Never show the result itself: see ``rounded_mean``.
    """
    if not 0 < delta <= 1:
        raise ValueError("delta lies in (0, 1]")
    width = delta * np.abs(largest)
    position = np.divide(np.abs(total), width, out=np.zeros_like(width), where=width > 0)
    position = np.where(np.abs(total) < np.abs(largest), np.inf, position)
    noise = table.interpolated_noise(position, u, Interval.CLOSED_ABOVE) + (between - 0.5)
    noise = np.maximum(noise, -position)
    return total + np.where(total < 0, -1.0, 1.0) * width * noise


@dataclass(frozen=True)
class Flex:
    """How wide the noise of a contribution is, as a share of it, in the top-k method (cellKey's "flex function").

    The share is ``small`` below the flex point; from it on it falls towards ``large`` as
    large * [1 + ((small*x - large*f) / (large*f)) * (2f / (f + x))**q] with the flex point f, times the
    contribution's ``epsilon``. (cellKey applies epsilon from the flex point on only; so do we.)
    ``extra`` (mu_c) is added to the first noise of sensitive cells, away from zero.
    """

    flex_point: float
    small: float
    large: float
    q: float
    epsilon: tuple[float, ...]
    extra: float = 0.0

    def __post_init__(self) -> None:
        if not (
            0 < self.large <= self.small <= 1 and self.flex_point > 0 and self.q >= 1 and self.extra >= 0
        ):
            raise ValueError("needs 0 < large <= small <= 1, flex_point > 0, q >= 1 and extra >= 0")
        if (
            not self.epsilon
            or list(self.epsilon) != sorted(self.epsilon, reverse=True)
            or self.epsilon[0] != 1
        ):
            raise ValueError("epsilon descends from 1")

    def width(self, contribution: Floats, rank: int) -> Floats:
        """x_delta: the absolute width of the noise of the ``rank``-th largest contributions (0 is the largest)."""
        x, f = np.abs(contribution), self.flex_point
        falling = self.large * (
            1 + ((self.small * x - self.large * f) / (self.large * f)) * (2 * f / (f + x)) ** self.q
        )
        return x * np.where(x < f, self.small, falling * self.epsilon[rank])


def perturb_sum_top_k(
    total: Floats, top: Floats, u: Floats, table: PTable, flex: Flex, *, sensitive: Mask | None = None
) -> Floats:
    """The top-k method: noise in proportion to each of the k largest contributions, one after the other.

    ``total`` (cells,), ``top`` (cells, k) contributions by descending absolute value, NaN where a cell has fewer;
    ``u`` (cells, k). ``sensitive`` marks the cells that a primary rule calls sensitive. A step never takes a total
    beyond zero, and a width greater than the total is cut to it.
    """
    k = len(flex.epsilon)
    if top.shape != (*total.shape, k) or u.shape != top.shape:
        raise ValueError("top and u need one column per epsilon")
    result = total.astype(np.float64)
    for rank in range(k):
        x = np.nan_to_num(top[:, rank])
        width = np.minimum(flex.width(x, rank), np.abs(result))
        position = np.divide(np.abs(result), width, out=np.zeros_like(width), where=width > 0)
        v = table.interpolated_noise(position, u[:, rank], Interval.CLOSED_BELOW)
        extra = flex.extra if rank == 0 and sensitive is not None else 0.0
        size = np.abs(v) + extra * (sensitive if sensitive is not None else False)
        step = np.sign(result) * width * np.sign(v) * size
        result += np.where(
            np.sign(step) == -np.sign(result), np.clip(step, -np.abs(result), np.abs(result)), step
        )
    return result


def rounded_mean(perturbed_sum: Floats, present: Floats, step: Decimal) -> FixedPoint:
    """The mean to publish: the perturbed sum over the *true* number of values, rounded to ``step``.

    ``present`` counts the values (rows, or their weight), as a true number: beside a perturbed count a true mean
    would give the count away, and this mean does not. Cells without values overflow, that is: have no mean.
    """
    ratio = np.divide(perturbed_sum, present, out=np.full(perturbed_sum.shape, np.nan), where=present > 0)
    return round_to_step(ratio, step)


def shown_sum(mean: FixedPoint, shown_count: Integers) -> FixedPoint:
    """The sum to publish: the published mean times the published count, exactly.

    So AVG * COUNT equals SUM to the digit and the perturbed sum itself is never shown. Products that don't fit
    64 bits overflow: those cells must be withheld rather than shown wrongly.
    """
    count = np.abs(shown_count)
    limit = _INT64_MAX // np.maximum(count, 1)
    overflow = mean.overflow | (np.abs(mean.units) > limit)
    units = np.where(overflow, 0, mean.units) * np.where(overflow, 0, shown_count)
    return FixedPoint(units, mean.scale, overflow)


@dataclass(frozen=True)
class Moments:
    """What a source knows of the values in each cell: their number, sum, sum of squares, smallest and largest.

    ``most`` is the largest number of values of one unit: 1 where every value is a unit's own.
    """

    n: Integers
    total: Floats
    squares: Floats
    low: Floats
    high: Floats
    most: Floats | float = 1.0


def perturbed_variance(
    moments: Moments, u: Floats, table: PTable, delta: float, between: Floats | float = 0.5
) -> Floats:
    """The sample variance (divisor n - 1) with the basic method applied to the squared deviations from the mean.

    A value contributes (x - mean)**2, the largest being max(|high - mean|, |mean - low|)**2; the largest contribution
    of a unit is taken as that times ``most``, as far as the deviations reach. At least 0; NaN for fewer than two
    values. Round it, or its square root, before it is shown.
    """
    several = moments.n >= 2
    n = np.where(several, moments.n, 2).astype(np.float64)
    mean = moments.total / n
    deviations = np.maximum(moments.squares - n * mean**2, 0.0)
    largest = np.maximum(np.abs(moments.high - mean), np.abs(mean - moments.low)) ** 2
    # Rounding errors of the subtraction must not make the parts greater than their sum.
    deviations = np.maximum(deviations, largest)
    width = np.minimum(largest * moments.most, deviations)
    perturbed = perturb_sum(deviations, width, u, table, delta, between)
    return np.where(several, np.maximum(perturbed, 0.0) / (n - 1), np.nan)
