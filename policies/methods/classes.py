"""Class disclosure: a row of which everybody falls in one category says so of each of them, however many they are.

Source: Handbook on Statistical Disclosure Control (2nd ed., 2024), chapter 5 (group disclosure).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def class_disclosure(counts: npt.NDArray[np.int64], axis: int) -> npt.NDArray[np.bool_]:
    """Which cells lie in a row whose whole count falls in one category of the sensitive dimension.

    ``counts`` is the dense grid of counts, as published (perturbed where the profile perturbs), and ``axis`` the
    sensitive dimension with all its categories. The mask has the same shape and covers the whole row, zeros too:
    published zeros beside one hidden cell would name the category. Rows without anybody disclose nothing; a
    dimension with one category has nothing to disclose.

    >>> class_disclosure(np.array([[12, 0, 0], [12, 1, 0]]), axis=1).any(axis=1).tolist()
    [True, False]
    """
    if counts.shape[axis] < 2:
        return np.zeros(counts.shape, dtype=np.bool_)
    occupied = (counts != 0).sum(axis=axis, keepdims=True) == 1
    return np.broadcast_to(occupied, counts.shape).copy()
