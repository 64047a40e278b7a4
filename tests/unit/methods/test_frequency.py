"""Counts: thresholds are judged on what is shown."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.methods.frequency import (
    FrequencyRule,
    Noise,
    Zeros,
    below_minimum,
    protect_counts,
    protect_weighted,
)
from policies.methods.ptable import solve_ptable, ten_five_ptable

TEN = FrequencyRule(minimum_frequency=10)


def test_the_minimum_itself_is_published() -> None:
    result = protect_counts(np.array([9, 10, 11]), TEN)
    assert result.withheld.tolist() == [True, False, False]
    assert result.values.tolist() == [0, 10, 11]


def test_with_noise_the_shown_count_is_judged_not_the_true_one() -> None:
    up, down = np.nextafter(1, 0), 0.0
    noise = Noise(solve_ptable(2, 1.05, 1), np.array([up, down, down, up]))
    result = protect_counts(np.array([8, 11, 12, 9]), TEN, noise=noise)
    assert result.withheld.tolist() == [False, True, False, False]
    assert result.values.tolist() == [10, 0, 10, 11]


@given(st.integers(0, 40), st.floats(0, 1, exclude_max=True))
def test_whether_a_cell_is_withheld_follows_from_its_shown_value_alone(n: int, u: float) -> None:
    table = solve_ptable(2, 1.05, 1)
    result = protect_counts(np.array([n]), TEN, noise=Noise(table, np.array([u])))
    shown = n + table.noise(np.array([n]), np.array([u]))[0]
    assert result.withheld[0] == (shown < 10)
    assert result.values[0] == (0 if shown < 10 else shown)


def test_a_second_unit_has_a_minimum_of_its_own() -> None:
    rule = FrequencyRule(minimum_frequency=10, minimum_second_units=3)
    n, employers = np.array([50, 50, 5]), np.array([2, 3, 5])
    assert below_minimum(n, rule, second=employers).tolist() == [True, False, True]


def test_a_rule_with_a_second_unit_is_not_judged_without_it() -> None:
    with pytest.raises(ValueError, match="second units"):
        below_minimum(np.array([50]), FrequencyRule(10, minimum_second_units=3))


def test_zeros_are_below_the_minimum_unless_structural_or_published() -> None:
    n, structural = np.array([0, 0, 3, 3]), np.array([False, True, False, True])
    assert below_minimum(n, TEN).tolist() == [True] * 4
    assert below_minimum(n, TEN, structural=structural).tolist() == [True, False, True, True]
    published = FrequencyRule(10, minimum_second_units=3, zeros=Zeros.PUBLISHED)
    assert below_minimum(n, published, second=np.zeros(4, dtype=np.int64)).tolist() == [
        False,
        False,
        True,
        True,
    ]


def test_ten_five_with_a_minimum_of_ten_hides_what_it_zeroes() -> None:
    n = np.array([0, 9, 10, 12, 13, 1003])
    result = protect_counts(n, TEN, noise=Noise(ten_five_ptable(), np.full(6, 0.5)))
    assert result.withheld.tolist() == [True, True, False, False, False, False]
    assert result.values.tolist() == [0, 0, 10, 10, 15, 1005]


def test_weighted_counts_are_whole_and_empty_cells_are_zero() -> None:
    shown, n, weight = np.array([6, 0, 10]), np.array([7, 0, 10]), np.array([522.0, 0.0, 1234.0])
    result = protect_weighted(shown, n, weight, Decimal(10))
    assert result.to_float().tolist() == [450, 0, 1230]


def test_weighted_counts_at_full_precision_are_refused() -> None:
    with pytest.raises(ValueError, match="whole numbers"):
        protect_weighted(np.array([6]), np.array([7]), np.array([522.0]), Decimal("0.1"))


@pytest.mark.parametrize("rule", [(0, None), (1, 0), (-3, None)])
def test_a_minimum_below_one_is_no_rule(rule: tuple[int, int | None]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        FrequencyRule(*rule)
