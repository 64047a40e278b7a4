"""Quality of survey estimates: the coefficient of variation (CV), released as a band only.

A CV to many digits, next to an estimate, would give true sums away; a band does not. Bands are those that the ONS
prints with the Annual Survey of Hours and Earnings. Variances use the with-replacement approximation of
independently drawn units, var(sum w y) = sum (w y)^2 (Särndal, Swensson and Wretman 1992, "Model Assisted
Survey Sampling", chapter 2): conservative for small sampling fractions; strata and clusters are not seen.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Band(IntEnum):
    """Bands of the CV in percent; each includes its upper bound."""

    PRECISE = 0
    REASONABLY_PRECISE = 1
    ACCEPTABLE = 2
    UNRELIABLE = 3


_UPPER_PERCENT = (5.0, 10.0, 20.0)


def band(cv_percent: Floats) -> npt.NDArray[np.int8]:
    """The ``Band`` of each CV; what is not a number is UNRELIABLE.

    >>> [Band(b).name for b in band(np.array([5.0, 20.1]))]
    ['PRECISE', 'UNRELIABLE']
    """
    bands = np.searchsorted(np.array(_UPPER_PERCENT), cv_percent, side="left")
    return np.where(np.isnan(cv_percent), Band.UNRELIABLE, bands).astype(np.int8)


def cv_of_total(weighted_sum: Floats, weighted_squares: Floats) -> Floats:
    """CV in percent of a weighted total sum(w*y) from sum((w*y)**2). For a weighted count y is 1.

    NaN where the total is 0.
    """
    return _percent(np.sqrt(weighted_squares), weighted_sum)


def cv_of_mean(
    weight: Floats, weight_squares: Floats, weighted_sum: Floats, weighted_squares: Floats
) -> Floats:
    """CV in percent of a weighted mean sum(w*y) / sum(w), by linearisation of the ratio.

    Its variance is sum(w**2 * (y - mean)**2) / sum(w)**2; the cross term sum(w**2 * y) is taken as
    mean * sum(w**2), that is: weights and values as uncorrelated. NaN where the mean is 0 or there is none.
    """
    mean = np.divide(weighted_sum, weight, out=np.full(weight.shape, np.nan), where=weight > 0)
    spread = np.maximum(weighted_squares - mean**2 * weight_squares, 0.0)
    return _percent(np.sqrt(spread), weighted_sum)


def _percent(error: Floats, estimate: Floats) -> Floats:
    ratio = np.divide(error, np.abs(estimate), out=np.full(estimate.shape, np.nan), where=estimate != 0)
    return np.asarray(100 * ratio, dtype=np.float64)
