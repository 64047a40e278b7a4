"""Rounding: nearest, ties away from zero, exact."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.methods.rounding import SizeBand, round_by_size, round_count, round_to_step


@given(st.integers(-(10**15), 10**15), st.integers(1, 1000))
def test_counts_go_to_the_nearest_multiple(n: int, base: int) -> None:
    rounded = int(round_count(np.array([n]), base)[0])
    assert rounded == int((Decimal(n) / base).to_integral_value(ROUND_HALF_UP)) * base
    assert 2 * abs(rounded - n) <= base


def test_size_bands() -> None:
    bands = [SizeBand(1, 5), SizeBand(50, 25), SizeBand(250, 50), SizeBand(5000, 1000)]
    n = np.array([0, 2, 3, 49, 50, 63, 249, 250, 275, 4999, 5499, 5500])
    assert round_by_size(n, bands).tolist() == [0, 0, 5, 50, 50, 75, 250, 250, 300, 5000, 5000, 6000]


@pytest.mark.parametrize("bands", [[], [SizeBand(1, 5), SizeBand(1, 10)], [SizeBand(9, 5), SizeBand(1, 10)]])
def test_bands_that_do_not_ascend_are_refused(bands: list[SizeBand]) -> None:
    with pytest.raises(ValueError, match="ascend"):
        round_by_size(np.array([1]), bands)


@given(st.integers(-(10**9), 10**9), st.sampled_from(["0.01", "0.1", "0.5", "1", "5", "100", "1E+3", "1.00"]))
def test_steps_are_exact_decimals(quarter_pounds: int, step: str) -> None:
    value = Decimal(quarter_pounds) / 4  # exact in float64 and in decimal
    result = round_to_step(np.array([float(value)]), Decimal(step))
    expected = (value / Decimal(step)).to_integral_value(ROUND_HALF_UP) * Decimal(step)
    assert Decimal(int(result.units[0])).scaleb(-result.scale) == expected
    assert not result.overflow[0]


def test_what_cannot_be_held_exactly_overflows() -> None:
    result = round_to_step(np.array([1e15, 1e13, np.nan, -np.inf]), Decimal("0.01"))
    assert result.overflow.tolist() == [True, False, True, True]
    assert np.isnan(result.to_float()[[0, 2, 3]]).all()


@pytest.mark.parametrize("step", ["0", "-1", "NaN", "Infinity"])
def test_a_step_is_a_positive_number(step: str) -> None:
    with pytest.raises(ValueError, match="positive"):
        round_to_step(np.array([1.0]), Decimal(step))


def test_a_base_is_at_least_one() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        round_count(np.array([1]), 0)
