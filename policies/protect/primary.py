"""Which magnitudes a primary rule withholds, and which estimates their quality."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from catalogue.fragment import Magnitude
from policies.methods.dominance import unsafe
from policies.methods.quality import Band, band
from policies.protect.dense import DenseCells
from policies.protect.errors import ProtectError, ProtectFault
from policies.protect.rules import Rules

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def dominated(rules: Rules, cells: DenseCells, statistic: Magnitude, *, weighted: bool = False) -> Mask:
    """Cells in which a few contributors could be estimated too closely, judged on true contributions.

    With weights, contributions are replicated by their weight as tau-ARGUS does. Where weights are at least as large
    as a rule's number of contributors, the largest are all the largest one; that is taken for granted, since it is
    the stricter reading. A total of a signed measure stands for that of absolute contributions: stricter again.
    """
    result = np.zeros(cells.grid.size, dtype=np.bool_)
    for rule in rules.dominance:
        if statistic.top < rule.contributions:
            raise ProtectError(ProtectFault.PLAN, f"{statistic.id} has too few largest contributions")
        ranks = [1 if weighted else rank for rank in range(1, rule.contributions + 1)]
        top = np.stack([cells.floats(f"{statistic.id}_top{rank}") for rank in ranks], axis=1)
        total = cells.floats(f"{statistic.id}_{'wsum' if weighted else 'sum'}")
        result |= unsafe(rule, np.abs(total), np.abs(top))
    return result


def too_variable(rules: Rules, cv_percent: Floats, occupied: Mask) -> tuple[Mask, Mask]:
    """Which occupied cells are marked unreliable for their coefficient of variation, and which are withheld.

    Nothing without a limit in the profile. Under one, what it lets pass in the band "unreliable" says so.
    """
    limit = rules.profile.maximum_cv_percent
    if limit is None:
        nothing = np.zeros(occupied.shape, dtype=np.bool_)
        return nothing, nothing
    unreliable = band(cv_percent) == Band.UNRELIABLE
    return unreliable & occupied, ~(cv_percent <= float(limit)) & occupied
