"""Dominance rules on the examples of the manuals, and against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.methods.dominance import (
    NKDominance,
    PPercent,
    prior_posterior,
    replicated_top,
    unsafe,
    upper_protection_level,
)

contributions = st.lists(st.integers(1, 10_000), min_size=1, max_size=12)


def arrays(*cells: list[float]) -> tuple[np.ndarray, np.ndarray]:
    top = np.array([([*sorted(map(float, cell), reverse=True), 0.0, 0.0, 0.0])[:3] for cell in cells])
    return np.array([float(sum(cell)) for cell in cells]), top


def test_units_of_one_holding_fail_where_they_pass_apart() -> None:
    total, top = arrays([700, 200, 60, 40, 10], [900, 60, 40, 10])
    assert unsafe(PPercent(10), total, top).tolist() == [False, True]
    assert upper_protection_level(PPercent(10), total, top).tolist() == [0, 40]


def test_the_boundary_is_safe() -> None:
    total, top = arrays([700, 200, 70], [700, 200, 69])
    assert unsafe(PPercent(10), total, top).tolist() == [False, True]
    total, top = arrays([85, 15], [86, 14])
    assert unsafe(NKDominance(1, 85), total, top).tolist() == [False, True]


def test_one_contributor_is_unsafe_and_an_empty_cell_is_not() -> None:
    total, top = arrays([5], [])
    for rule in (PPercent(10), NKDominance(1, 75), NKDominance(2, 85), PPercent(10, coalition=2)):
        assert unsafe(rule, total, top).tolist() == [True, False]


def test_a_coalition_knows_more() -> None:
    total, top = arrays([700, 200, 60, 40, 10])
    assert not unsafe(PPercent(10), total, top)[0]
    assert unsafe(PPercent(10, coalition=2), total, top)[0]


@given(contributions, st.integers(1, 49))
def test_p_q_is_p_percent_of_a_hundred_p_over_q(cell: list[int], p: int) -> None:
    total, top = arrays([float(x) for x in cell])
    x = sorted(cell, reverse=True)
    expected = (sum(x) - sum(x[:2])) * 100 < p * 2 * x[0]
    assert unsafe(prior_posterior(p, 50), total, top)[0] == expected


@given(contributions, st.sampled_from([5, 10, 20, 50]))
def test_the_protection_level_is_what_makes_a_cell_safe(cell: list[int], p: int) -> None:
    rule = PPercent(p)
    total, top = arrays([float(x) for x in cell])
    level = upper_protection_level(rule, total, top)
    assert not unsafe(rule, np.ceil(total + level), top)[0]
    if level[0] > 1:
        assert unsafe(rule, np.floor(total + level - 1), top)[0]


@given(st.integers(51, 99), contributions)
def test_for_one_contributor_p_and_k_correspond(k: int, cell: list[int]) -> None:
    """p = 100 (100 - k) / k: what (1, k) calls unsafe, p% calls unsafe too, as it also takes out the second."""
    total, top = arrays([float(x) for x in cell])
    if unsafe(NKDominance(1, k), total, top)[0]:
        assert unsafe(PPercent(100 * (100 - k) / k), total, top)[0]


@given(st.lists(st.tuples(st.integers(1, 100), st.integers(1, 9)), min_size=1, max_size=8), st.integers(1, 5))
def test_replication_is_what_it_says(cell: list[tuple[int, int]], k: int) -> None:
    pairs = sorted(cell, reverse=True)
    copies = sorted((value for value, weight in pairs for _ in range(weight)), reverse=True)
    values, weights = (np.array([[float(pair[i]) for pair in pairs]]) for i in (0, 1))
    expected = ([*copies, *[0] * k])[:k]
    assert replicated_top(values, weights, k)[0].tolist() == expected


def test_fractional_weights_fill_places_in_part() -> None:
    top = replicated_top(np.array([[100.0, 10.0]]), np.array([[1.5, 2.0]]), 3)
    np.testing.assert_allclose(top, [[100, 55, 10]])


def test_what_cannot_be_judged_never_passes() -> None:
    with pytest.raises(ValueError, match="largest contributions"):
        unsafe(PPercent(10), np.array([1.0]), np.array([[1.0]]))
    with pytest.raises(ValueError, match="numbers"):
        unsafe(PPercent(10), np.array([np.nan]), np.array([[1.0, 1.0]]))


@pytest.mark.parametrize("make", [lambda: NKDominance(0, 50), lambda: NKDominance(1, 100), lambda: PPercent(0),
                                  lambda: PPercent(10, 0), lambda: prior_posterior(50, 50)])  # fmt: skip
def test_parameters_without_meaning_are_refused(make: object) -> None:
    with pytest.raises(ValueError, match="needs"):
        make()  # type: ignore[operator]
