"""Class disclosure over a row of categories."""

from __future__ import annotations

import numpy as np

from policies.methods.classes import class_disclosure


def test_a_row_in_one_category_is_marked_whole() -> None:
    counts = np.array([[40, 0, 0], [39, 1, 0], [0, 0, 0], [0, 0, 7]])
    assert class_disclosure(counts, axis=1).tolist() == [[True] * 3, [False] * 3, [False] * 3, [True] * 3]


def test_only_the_named_dimension_counts() -> None:
    counts = np.array([[5, 5], [0, 0]])
    assert not class_disclosure(counts, axis=1).any()
    assert class_disclosure(counts, axis=0).all()


def test_a_grid_of_more_dimensions() -> None:
    counts = np.ones((2, 3, 4), dtype=np.int64)
    counts[1, :, 2] = [0, 9, 0]
    mask = class_disclosure(counts, axis=1)
    assert mask[1, :, 2].all()
    assert mask.sum() == 3


def test_one_category_discloses_nothing() -> None:
    assert not class_disclosure(np.array([[5], [6]]), axis=1).any()
