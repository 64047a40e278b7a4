"""Quantiles from histograms: grid points, close to the truth, hidden where a side is too small."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.methods.ptable import PTable, solve_ptable
from policies.methods.quantile import protected_quantile, quantile_index, quantile_withheld

QUIET = PTable.from_rows({1: {0: 1.0}})
NOISY = solve_ptable(2, 1.05, 1)
HALF = Decimal("0.5")

histograms = st.lists(st.integers(0, 50), min_size=2, max_size=40).filter(any)


@given(
    st.lists(st.integers(0, 299), min_size=1, max_size=200), st.sampled_from(["0.1", "0.25", "0.5", "0.9"])
)
def test_without_noise_within_one_step_of_the_sample_quantile(values: list[int], q: str) -> None:
    x = np.array(values) / 10
    bins = np.histogram(x, bins=np.arange(31))[0]
    point = protected_quantile(bins[None], Decimal(q), np.array([0.5]), QUIET)[0]
    assert any(
        abs(point - np.quantile(x, float(q), method=method)) <= 1
        for method in ("inverted_cdf", "averaged_inverted_cdf")
    )


@given(histograms, st.floats(0, 1, exclude_max=True))
def test_noise_moves_the_rank_by_at_most_d(bins: list[int], u: float) -> None:
    counts = np.array([bins])
    point = protected_quantile(counts, HALF, np.array([u]), NOISY)[0]
    cumulative = np.concatenate([[0], np.cumsum(bins)])
    target = sum(bins) / 2
    first = np.searchsorted(cumulative, target - 2, side="left") - 1
    last = np.searchsorted(cumulative, target + 2, side="left")
    assert max(first, 0) <= point <= last


def test_weights_of_one_change_nothing_and_a_common_factor_neither() -> None:
    bins = np.random.default_rng(3).integers(0, 30, (50, 25))
    u = np.random.default_rng(4).random(50)
    plain = protected_quantile(bins, Decimal("0.25"), u, NOISY)
    for factor in (1.0, 64.0):
        weighted = protected_quantile(bins, Decimal("0.25"), u, NOISY, weights=bins * factor)
        np.testing.assert_array_equal(weighted, plain)


def test_a_rank_of_nought_stays_with_those_who_are_there() -> None:
    bins = np.array([[0] * 50 + [2] + [0] * 49])
    assert protected_quantile(bins, HALF, np.array([0.0]), NOISY).tolist() == [50]


def test_weights_move_the_quantile() -> None:
    bins = np.array([[10, 10]])
    weights = np.array([[100.0, 10.0]])
    assert protected_quantile(bins, Decimal("0.9"), np.array([0.5]), QUIET, weights=weights)[0] == 1


def test_an_empty_cell_is_point_zero_and_withheld() -> None:
    assert protected_quantile(np.zeros((1, 4), dtype=np.int64), HALF, np.array([0.9]), NOISY).tolist() == [0]
    assert quantile_withheld(np.array([0]), HALF, 10).all()


@pytest.mark.parametrize(
    ("q", "smallest"), [("0.5", 20), ("0.25", 40), ("0.75", 40), ("0.1", 100), ("0.3", 34)]
)
def test_each_side_needs_the_minimum_frequency(q: str, smallest: int) -> None:
    withheld = quantile_withheld(np.array([smallest - 1, smallest]), Decimal(q), 10)
    assert withheld.tolist() == [True, False]


def test_quantiles_have_indices_of_their_own() -> None:
    assert {quantile_index(Decimal(q)) for q in ("0.1", "0.25", "0.5", "0.75")} == {
        100_000,
        250_000,
        500_000,
        750_000,
    }
    with pytest.raises(ValueError, match="six decimals"):
        quantile_index(Decimal("0.1234567"))


@pytest.mark.parametrize("q", ["0", "1", "-0.1"])
def test_extremes_are_no_quantiles(q: str) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        protected_quantile(np.array([[1, 2]]), Decimal(q), np.array([0.5]), QUIET)
