"""Counts: units by cell key and p-table, rows by unit as magnitudes of ones; then the minimum, then rounding."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from catalogue.fragment import Magnitude, Tally
from policies.cells import Status
from policies.methods.classes import class_disclosure
from policies.methods.frequency import below_minimum, protect_weighted
from policies.methods.magnitude import perturb_sum
from policies.methods.quality import cv_of_total
from policies.methods.rounding import FixedPoint, round_to_step
from policies.plan import CellQuery
from policies.protect.dense import DenseCells
from policies.protect.errors import ProtectError, ProtectFault
from policies.protect.fired import Fired, Rule, anywhere
from policies.protect.primary import dominated, too_variable
from policies.protect.rules import Rules

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Statuses = npt.NDArray[np.int8]

WHOLE = Decimal(1)


@dataclass(frozen=True)
class Measured:
    """What the methods read: a query's raw cells on the dense grid, under a profile's rules."""

    query: CellQuery
    cells: DenseCells
    rules: Rules


@dataclass(frozen=True)
class Contributors:
    """The contributors of a statistic. ``n`` is their perturbed number, on which every threshold is judged, with
    perturbed second units beside it; ``fired`` the cells with too few of either, and those in a row of one category."""

    n: Integers
    fired: Fired

    @property
    def one_class(self) -> Mask:
        return self.fired[Rule.CLASS_DISCLOSURE]

    @property
    def withheld(self) -> Mask:
        return anywhere(self.fired)


@dataclass(frozen=True)
class Counted:
    """A count for every cell: ``values`` as they would be shown, ``status`` what becomes of each, and by which rules
    (impossible cells are published whatever fires)."""

    values: Integers
    status: Statuses
    contributors: Contributors
    fired: Fired

    @property
    def hidden(self) -> Mask:
        return self.status >= Status.LOW


def contributors(at: Measured, statistic: str, structural: Mask) -> Contributors:
    """Who is behind a statistic. One set of people has one noise, whatever of them is counted."""
    n = units(at.rules, at.cells.integers(f"{statistic}_n"), at.cells.integers(f"{statistic}_key"))
    rule, second = at.rules.frequency, None
    if at.query.fragment.second_unit is None:
        rule = replace(rule, minimum_second_units=None)
    elif rule.minimum_second_units is not None:
        # A threshold on their true number would tell by [c] whether one person has the third employer.
        second = at.cells.integers(f"{statistic}_second")
        u = at.rules.uniform(at.rules.counts, "second units", at.cells.integers(f"{statistic}_key"))
        second = second + at.rules.counts.noise(second, u)
    below = below_minimum(n, rule, second=second, structural=structural)
    fired = {Rule.MINIMUM_FREQUENCY: below & (n < rule.minimum_frequency)}
    if second is not None and rule.minimum_second_units is not None:
        fired[Rule.SECOND_UNITS] = below & (second < rule.minimum_second_units)
    return Contributors(n, fired | {Rule.CLASS_DISCLOSURE: _one_class(at, n, below)})


def units(rules: Rules, true: Integers, key: Integers) -> Integers:
    """The number of units with the noise that their key picks."""
    u = rules.uniform(rules.counts, "units", key)
    return rules.zeroed(true + rules.counts.noise(true, u))


def _one_class(at: Measured, n: Integers, below: Mask) -> Mask:
    """Rows of which everybody falls in one category of a dimension that the profile names.

    Only rows of which something would be shown: in the others every cell has the status of a small one already.
    """
    result = np.zeros(n.shape, dtype=np.bool_)
    grid = at.cells.grid
    for where, block, shape in zip(grid.slices(), at.query.blocks, grid.shapes, strict=True):
        counts, shown = n[where].reshape(shape), (~below[where] & (n[where] > 0)).reshape(shape)
        for position, axis in enumerate(block.axes):
            if at.rules.tests_class(axis.dimension):
                row = class_disclosure(counts, position) & shown.any(axis=position, keepdims=True)
                result[where] |= row.ravel()
    return result


def count(at: Measured, statistic: Tally | Magnitude, structural: Mask, *, weighted: bool) -> Counted:
    """The count that a statistic stands for: units of a Tally, rows of a Magnitude of ones.

    What ``zero_below`` takes to 0 is 0 where zeros are published and LOW where not, an empty cell just like a small
    one; the published rule alone decides it, before any that depends on more. Impossible cells are 0.
    """
    who = contributors(at, statistic.id, structural)
    estimate, fired = who.n, dict(who.fired)
    if isinstance(statistic, Magnitude):
        estimate = _rows(at, statistic, who.n)
        fired[Rule.DOMINANCE] = dominated(at.rules, at.cells, statistic) & (who.n > 0)
    status = np.zeros(who.n.shape, dtype=np.int8)
    if weighted:
        weight = at.cells.floats(f"{statistic.id}_w")
        true = at.cells.integers(f"{statistic.id}_{'sum' if isinstance(statistic, Magnitude) else 'n'}")
        estimate = whole(protect_weighted(estimate, true, weight, WHOLE), statistic.id)
        cv = cv_of_total(weight, at.cells.floats(f"{statistic.id}_w2"))
        doubtful, fired[Rule.VARIATION] = too_variable(at.rules, cv, who.n > 0)
        status[doubtful] = Status.UNRELIABLE
    values = at.rules.rounded(estimate)
    if not at.rules.publishes_zeros:
        # Zero people are withheld, so a few that round to zero must not be told from them.
        fired[Rule.ZERO] = values == 0
    status[anywhere(fired)] = Status.CONFIDENTIAL
    if at.rules.profile.rounding.zero_below is not None and not at.rules.publishes_zeros:
        status[(who.n == 0) & ~who.one_class] = Status.LOW
    status[structural] = Status.PUBLISHED
    return Counted(np.where(structural, 0, values), status, who, fired)


def _rows(at: Measured, statistic: Magnitude, n: Integers) -> Integers:
    """Perturbed rows by the basic method, the largest unit's rows being the largest contribution."""
    total, largest = at.cells.floats(f"{statistic.id}_sum"), at.cells.floats(f"{statistic.id}_top1")
    key = at.cells.integers(f"{statistic.id}_key")
    domain = f"sum/{statistic.measure.name}"
    u, between = at.rules.uniform(at.rules.magnitudes, domain, key), at.rules.between(domain, key)
    perturbed = perturb_sum(total, largest, u, at.rules.magnitudes, at.rules.delta, between)
    return np.where(n == 0, 0, whole(round_to_step(perturbed, WHOLE), statistic.id))


def whole(numbers: FixedPoint, statistic: str) -> Integers:
    """Whole numbers that must all fit; raises ProtectError else."""
    if bool(numbers.overflow.any()):
        raise ProtectError(ProtectFault.OVERFLOW, f"{statistic} is too large to be represented")
    return numbers.units
