"""Magnitudes: bounded noise, exact products, nothing shown wrongly."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.methods.magnitude import (
    Flex,
    Moments,
    perturb_sum,
    perturb_sum_top_k,
    perturbed_variance,
    rounded_mean,
    shown_sum,
)
from policies.methods.ptable import solve_ptable
from policies.methods.rounding import FixedPoint

TABLE = solve_ptable(2, 1.0)
GRID = (np.arange(10_000) + 0.5) / 10_000

contributions = st.lists(st.floats(0.01, 1e6), min_size=1, max_size=20)
uniforms = st.floats(0, 1, exclude_max=True)


@given(contributions, uniforms, st.sampled_from([0.1, 0.5, 1.0]))
def test_a_sum_moves_at_most_delta_times_the_largest_times_d(
    values: list[float], u: float, delta: float
) -> None:
    total, largest = np.array([sum(values)]), np.array([max(values)])
    perturbed = perturb_sum(total, largest, np.array([u]), TABLE, delta)
    assert abs(perturbed - total)[0] <= delta * largest[0] * TABLE.maximum_noise * (1 + 1e-12)
    assert perturbed[0] >= -1e-9


def test_a_sum_is_unbiased() -> None:
    for total in (100.0, 130.0, 500.0):
        perturbed = perturb_sum(np.full(GRID.shape, total), np.full(GRID.shape, 100.0), GRID, TABLE, 0.5)
        assert perturbed.mean() == pytest.approx(total, rel=1e-4)


def test_negative_totals_mirror_positive_ones_and_empty_cells_stay() -> None:
    total, largest, u = np.array([300.0, -300.0, 0.0]), np.array([200.0, 200.0, 0.0]), np.full(3, 0.95)
    perturbed = perturb_sum(total, largest, u, TABLE, 0.5)
    assert perturbed[0] == -perturbed[1] == 500
    assert perturbed[2] == 0


def test_contributions_of_both_signs_that_cancel_get_the_whole_noise() -> None:
    for total in (0.0, 1.0, -1.0):
        perturbed = perturb_sum(np.full(GRID.shape, total), np.full(GRID.shape, 1000.0), GRID, TABLE, 0.5)
        assert np.std(perturbed) == pytest.approx(500, rel=1e-2)
        assert perturbed.mean() == pytest.approx(total, abs=1)


@pytest.mark.parametrize("delta", [0, 1.5, -1])
def test_delta_out_of_range_is_refused(delta: float) -> None:
    with pytest.raises(ValueError, match="delta"):
        perturb_sum(np.array([1.0]), np.array([1.0]), np.array([0.5]), TABLE, delta)


class TestTopK:
    FLEX = Flex(flex_point=1000, small=0.3, large=0.03, q=3, epsilon=(1, 0.5), extra=2)

    def test_the_share_falls_from_small_to_large(self) -> None:
        x = np.array([10.0, 999.0, 1000.0, 10_000.0, 1e9])
        share = self.FLEX.width(x, 0) / x
        assert share[:3] == pytest.approx([0.3] * 3)
        assert (np.diff(share[2:]) < 0).all()
        assert share[-1] == pytest.approx(0.03, rel=1e-3)

    def test_sensitive_cells_get_extra_noise_of_the_same_sign_once(self) -> None:
        total, top, u = np.full(2, 5000.0), np.full((2, 2), 100.0), np.full((2, 2), 0.99)
        plain, sensitive = perturb_sum_top_k(
            total, top, u, TABLE, self.FLEX, sensitive=np.array([False, True])
        )
        assert plain == pytest.approx(5000 + 2 * 30 + 2 * 30)
        assert sensitive == pytest.approx(plain + 2 * 30)

    def test_a_total_never_crosses_zero(self) -> None:
        total = np.array([10.0, -10.0])
        top, u = np.array([[100.0, np.nan]] * 2), np.zeros((2, 2))
        perturbed = perturb_sum_top_k(total, top, u, TABLE, self.FLEX, sensitive=np.array([True, True]))
        assert perturbed[0] >= 0
        assert perturbed[1] <= 0

    def test_missing_columns_are_refused(self) -> None:
        with pytest.raises(ValueError, match="one column per epsilon"):
            perturb_sum_top_k(np.ones(2), np.ones((2, 1)), np.zeros((2, 1)), TABLE, self.FLEX)


class TestMeanAndSum:
    def test_the_mean_divides_by_the_true_number_and_is_rounded(self) -> None:
        mean = rounded_mean(np.array([1000.0, 5.0, 7.0]), np.array([3.0, 8.0, 0.0]), Decimal("0.01"))
        assert mean.units.tolist() == [33_333, 63, 0]
        assert mean.overflow.tolist() == [False, False, True]

    def test_a_mean_to_100_pounds(self) -> None:
        assert rounded_mean(np.array([27_450.0]), np.array([1.0]), Decimal(100)).to_float() == [27_500]

    @given(st.integers(-(2**53) + 1, 2**53 - 1), st.integers(0, 2**40))
    def test_the_sum_is_exact_or_overflows(self, units: int, count: int) -> None:
        mean = FixedPoint(np.array([units]), 2, np.array([False]))
        result = shown_sum(mean, np.array([count]))
        if result.overflow[0]:
            assert abs(units * count) > 2**62
            assert result.units[0] == 0
        else:
            assert result.units[0] == units * count

    def test_a_cell_without_a_mean_has_no_sum(self) -> None:
        mean = rounded_mean(np.array([np.inf, 7.0]), np.array([1.0, 0.0]), Decimal(1))
        assert shown_sum(mean, np.array([5, 5])).overflow.all()


class TestVariance:
    def test_without_noise_it_is_the_sample_variance(self) -> None:
        x = np.random.default_rng(1).normal(500, 80, 1000)
        middle = np.array([0.5])
        result = perturbed_variance(self.moments(x), middle, TABLE, 0.5)
        assert result[0] == pytest.approx(x.var(ddof=1))

    def test_noise_is_bounded_by_the_largest_deviation(self) -> None:
        x = np.random.default_rng(2).lognormal(3, 1, 200)
        m = self.moments(x)
        moments = Moments(*(np.repeat(a, len(GRID)) for a in (m.n, m.total, m.squares, m.low, m.high)))
        result = perturbed_variance(moments, GRID, TABLE, 0.5)
        largest = ((x - x.mean()) ** 2).max()
        assert (np.abs(result - x.var(ddof=1)) <= 0.5 * largest * 2 / 199 * (1 + 1e-9)).all()
        assert result.mean() == pytest.approx(x.var(ddof=1), rel=1e-3)

    def test_a_unit_of_many_values_is_hidden_by_as_much_noise(self) -> None:
        x = np.random.default_rng(2).lognormal(3, 1, 200)
        one = self.moments(x)
        noisy, truth = np.array([0.99]), x.var(ddof=1)
        of_one = perturbed_variance(one, noisy, TABLE, 0.5)[0] - truth
        of_three = perturbed_variance(replace(one, most=np.array([3.0])), noisy, TABLE, 0.5)[0] - truth
        of_all = perturbed_variance(replace(one, most=np.array([200.0])), noisy, TABLE, 0.5)[0] - truth
        assert of_three == pytest.approx(3 * of_one)
        assert of_all == pytest.approx(0.5 * truth * TABLE.maximum_noise)

    def test_one_value_has_no_variance_and_equal_values_have_none(self) -> None:
        moments = Moments(
            *(np.array(a) for a in ([1, 3], [7.0, 30.0], [49.0, 300.0], [7.0, 10.0], [7.0, 10.0]))
        )
        result = perturbed_variance(moments, np.array([0.99, 0.99]), TABLE, 0.5)
        assert np.isnan(result[0])
        assert result[1] == 0

    @staticmethod
    def moments(x: np.ndarray) -> Moments:
        return Moments(
            np.array([len(x)]),
            np.array([x.sum()]),
            np.array([(x**2).sum()]),
            np.array([x.min()]),
            np.array([x.max()]),
        )


def test_noise_between_the_steps_is_continuous_and_keeps_the_sign() -> None:
    totals, largest = np.full(GRID.shape, 150.0), np.full(GRID.shape, 100.0)
    steps = perturb_sum(totals, largest, GRID, TABLE, 0.5)
    moved = perturb_sum(totals, largest, GRID, TABLE, 0.5, np.roll(GRID, 7))
    assert len(np.unique(np.round(steps, 6))) <= 2 * TABLE.maximum_noise + 1
    assert len(np.unique(np.round(moved, 6))) > len(GRID) // 2
    assert (moved >= 0).all()
    assert (np.abs(moved - steps) <= 0.25 * largest + 1e-9).all()
