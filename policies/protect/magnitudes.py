"""Sums, means and variances: perturbed in proportion to their largest contribution, then rounded as declared.

The mean is the perturbed sum over the true number of values; the sum that is shown is that mean times the count that
is shown. So AVG * COUNT(x) is SUM(x) to the digit, and the perturbed sum itself is never shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from catalogue.fragment import Magnitude, Tally
from policies.cells import Status
from policies.methods.magnitude import Moments, perturb_sum, perturbed_variance, rounded_mean, shown_sum
from policies.methods.quality import cv_of_mean
from policies.methods.rounding import FixedPoint, round_to_step
from policies.plan import Atom, AtomKind
from policies.protect.counts import Contributors, Counted, Measured, contributors, count
from policies.protect.errors import ProtectError, ProtectFault
from policies.protect.fired import Fired, Rule, anywhere, together
from policies.protect.primary import dominated, too_variable

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Statuses = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Shown:
    """One atom for every cell: digits without the point (``scale`` of them after it), what becomes of each, and by
    which rules.

    ``occupied`` marks cells that are not empty as far as the perturbed counts say: what binds small complements
    must not tell an empty cell from one that looks empty.
    """

    digits: Integers
    scale: int
    status: Statuses
    occupied: Mask
    fired: Fired


def magnitude(
    at: Measured, atom: Atom, statistic: Magnitude, counting: Tally | Magnitude, structural: Mask
) -> Shown:
    """SUM, MEAN, VARIANCE or STDDEV of a measure over the cells of the grid."""
    counted = count(at, counting, structural, weighted=atom.weighted)
    who = contributors(at, statistic.id, structural)
    dominant = dominated(at.rules, at.cells, statistic, weighted=atom.weighted) & (who.n > 0)
    fired = {**who.fired, Rule.DOMINANCE: dominant}
    doubtful = counted.status == Status.UNRELIABLE
    if atom.weighted:
        unreliable, too_wide = too_variable(at.rules, _cv_percent(at, statistic), who.n > 0)
        doubtful, fired[Rule.VARIATION] = doubtful | unreliable, too_wide
    if atom.kind in (AtomKind.VARIANCE, AtomKind.STDDEV):
        numbers, least = _spread(at, atom, statistic, counting, who), 2
    else:
        mean = _mean(at, atom, statistic, counting, who)
        numbers, least = _sum(at, atom, statistic, mean, counted) if atom.kind is AtomKind.SUM else mean, 1
    enough = counted.values >= least
    shown = show(numbers, atom, counted, fired=fired, doubtful=doubtful, enough=enough)
    if atom.kind is AtomKind.SUM:
        # The total over nobody is 0, not unknown: a total put together from several cells must not be lost by it.
        nobody = shown.status == Status.NOT_APPLICABLE
        shown.digits[nobody], shown.status[nobody] = 0, Status.PUBLISHED
    return shown


def show(
    numbers: FixedPoint, atom: Atom, counted: Counted, *, fired: Fired, doubtful: Mask, enough: Mask
) -> Shown:
    """A number with its status, derived from the count's and from what ``fired`` beside it.

    Where the count that is shown leaves nothing to compute from (no values; one for a variance), the number is not
    applicable: that follows from what is shown. What can't be computed though the count is shown is confidential.
    """
    status = np.where(doubtful, Status.UNRELIABLE, Status.PUBLISHED).astype(np.int8)
    status[anywhere(fired) | counted.hidden | numbers.overflow] = Status.CONFIDENTIAL
    status[~enough & ~counted.hidden] = Status.NOT_APPLICABLE
    occupied = counted.contributors.n > 0
    return Shown(rescaled(numbers, atom), atom.decimals, status, occupied, together(counted.fired, fired))


def _mean(
    at: Measured, atom: Atom, statistic: Magnitude, counting: Tally | Magnitude, who: Contributors
) -> FixedPoint:
    """The perturbed sum over the true number of values; 0 where, as far as can be shown, all contributions are.

    Whoever has a value picks the noise, with those whose value is zero: if contributors alone picked it, a mean over
    them and one over more people would share a numerator, and their ratio would be that of two true counts.
    """
    present = at.cells.integers(f"{statistic.id}_present").astype(np.float64)
    total = at.cells.floats(f"{statistic.id}_sum")
    noise = _perturbed(at, statistic, counting, total) - total
    if atom.weighted:
        weight = at.cells.floats(f"{statistic.id}_w")
        noise *= np.divide(weight, present, out=np.zeros_like(weight), where=present > 0)
        total, present = at.cells.floats(f"{statistic.id}_wsum"), weight
    return _fitting(
        rounded_mean(np.where(who.n > 0, total + noise, 0.0), present, _step(at, atom, statistic)),
        present > 0,
        statistic.id,
    )


def _perturbed(at: Measured, statistic: Magnitude, counting: Tally | Magnitude, total: Floats) -> Floats:
    largest = at.cells.floats(f"{statistic.id}_top1")
    key = at.cells.integers(f"{counting.id}_key")
    domain = f"sum/{statistic.measure.name}"
    u, between = at.rules.uniform(at.rules.magnitudes, domain, key), at.rules.between(domain, key)
    return perturb_sum(total, largest, u, at.rules.magnitudes, at.rules.delta, between)


def _sum(at: Measured, atom: Atom, statistic: Magnitude, mean: FixedPoint, counted: Counted) -> FixedPoint:
    """The mean that is shown times the count that is shown; the true sum under a profile that changes neither."""
    exact = at.rules.exact_counts and at.rules.base(statistic.measure.name) is None
    if exact and not atom.weighted:
        digits = at.cells.integers(f"{statistic.id}_sum")
        return FixedPoint(digits, statistic.measure.decimals, np.zeros(digits.shape, dtype=np.bool_))
    total = shown_sum(mean, counted.values)
    return _fitting(total, ~mean.overflow, statistic.id)


def _cv_percent(at: Measured, statistic: Magnitude) -> Floats:
    """The coefficient of variation of a weighted mean, with weights taken as unrelated to values: sum(w**2 * y**2)
    is then sum(w * y**2) times the mean weight by weight (Kish 1965, "Survey Sampling", section 11.7)."""
    w, w2, total, squares = (
        at.cells.floats(f"{statistic.id}_{name}") for name in ("w", "w2", "wsum", "wsumsq")
    )
    return cv_of_mean(w, w2, total, squares * np.divide(w2, w, out=np.zeros_like(w), where=w > 0))


def _spread(
    at: Measured, atom: Atom, statistic: Magnitude, counting: Tally | Magnitude, who: Contributors
) -> FixedPoint:
    """Variance or standard deviation; 0 where, as far as can be shown, all values are."""
    if atom.weighted:
        raise ProtectError(ProtectFault.PLAN, f"{statistic.id} has no weighted variance")
    if not statistic.squares:
        raise ProtectError(ProtectFault.PLAN, f"{statistic.id} lacks the squares that a variance needs")
    most = at.cells.floats(f"{counting.id}_top1") if isinstance(counting, Magnitude) else 1.0
    total, squares, low, high = (
        at.cells.floats(f"{statistic.id}_{name}") for name in ("sum", "sumsq", "low", "high")
    )
    present = at.cells.integers(f"{statistic.id}_present")
    moments = Moments(present, total, squares, low, high, most)
    key = at.cells.integers(f"{counting.id}_key")
    domain = f"variance/{statistic.measure.name}"
    u, between = at.rules.uniform(at.rules.magnitudes, domain, key), at.rules.between(domain, key)
    variance = perturbed_variance(moments, u, at.rules.magnitudes, at.rules.delta, between)
    variance = np.where((who.n == 0) & (moments.n >= 2), 0.0, variance)
    if atom.kind is AtomKind.STDDEV:
        rounded = round_to_step(np.sqrt(variance), _step(at, atom, statistic))
    else:
        rounded = round_to_step(variance, Decimal(1).scaleb(-atom.decimals))
    return _fitting(rounded, moments.n >= 2, statistic.id)


def _step(at: Measured, atom: Atom, statistic: Magnitude) -> Decimal:
    return at.rules.step(statistic.measure.name, atom.decimals)


def _fitting(numbers: FixedPoint, computable: Mask, statistic: str) -> FixedPoint:
    """The numbers, after a check that none of those that can be computed is too large to be represented."""
    if bool((numbers.overflow & computable).any()):
        raise ProtectError(ProtectFault.OVERFLOW, f"{statistic} is too large to be represented")
    return numbers


def rescaled(numbers: FixedPoint, atom: Atom) -> Integers:
    """The digits at the atom's decimals. Raises ProtectError where they would be cut or don't fit 64 bits."""
    if atom.decimals < numbers.scale:
        raise ProtectError(ProtectFault.PLAN, f"{atom.column} has fewer decimals than it is rounded to")
    factor: int = 10 ** (atom.decimals - numbers.scale)
    if factor > 1 and bool((np.abs(numbers.units) > np.iinfo(np.int64).max // factor).any()):
        raise ProtectError(ProtectFault.OVERFLOW, f"{atom.column} is too large to be represented")
    return numbers.units * factor
