"""Placing raw cells on the grid: exact numbers, and nothing that doesn't belong there."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.fragment import RawCells
from policies.protect import NoiseKey, ProtectError, ProtectFault
from policies.protect.dense import DenseCells, as_floats, contiguous, decimals, fixed_point
from policies.protect.grid import Grid

GRID = Grid(((2, 3), (2,), ()))


def raw(block: list[int], p0: list[int | None], p1: list[int | None], **columns: list[object]) -> RawCells:
    places = {"block": pa.array(block, pa.int32()), "p0": pa.array(p0, pa.int32())}
    table = {**places, "p1": pa.array(p1, pa.int32()), **{k: pa.array(v) for k, v in columns.items()}}
    return RawCells(pa.table(table), {}, "snapshot")


def test_each_cell_has_its_place_and_absent_cells_are_zero() -> None:
    cells = DenseCells(GRID, raw([2, 0, 1, 0], [None, 1, 1, 0], [None, 0, None, 2], t0_n=[9, 4, 7, 3]))
    assert cells.integers("t0_n").tolist() == [0, 0, 3, 4, 0, 0, 0, 7, 9]


@pytest.mark.parametrize(
    "cells",
    [
        raw([3], [0], [0], t0_n=[1]),
        raw([-1], [0], [0], t0_n=[1]),
        raw([0], [2], [0], t0_n=[1]),
        raw([0], [0], [-1], t0_n=[1]),
        raw([1], [0], [1], t0_n=[1]),
        raw([0, 0], [1, 1], [1, 1], t0_n=[1, 1]),
    ],
    ids=["block", "negative block", "part", "negative part", "part beyond the axes", "twice"],
)
def test_what_lies_outside_the_grid_stops_the_run(cells: RawCells) -> None:
    with pytest.raises(ProtectError) as caught:
        DenseCells(GRID, cells)
    assert caught.value.fault is ProtectFault.SOURCE


def test_a_missing_statistic_stops_the_run() -> None:
    cells = DenseCells(GRID, raw([0], [0], [0], t0_n=[1]))
    with pytest.raises(ProtectError, match="t0_key"):
        cells.integers("t0_key")


def test_a_missing_number_is_that_of_nobody() -> None:
    cells = DenseCells(GRID, raw([0, 0], [0, 1], [0, 0], t0_n=[None, 5]))
    assert cells.floats("t0_n").tolist() == [0, 0, 0, 5, 0, 0, 0, 0, 0]


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_decimals_of_64_bits_survive_both_ways(digits: list[int]) -> None:
    column = decimals(np.array(digits, dtype=np.int64), np.zeros(len(digits), dtype=np.bool_), 2)
    assert column.to_pylist() == [Decimal(value).scaleb(-2) for value in digits]
    assert fixed_point(column).tolist() == digits
    assert fixed_point(column.slice(1)).tolist() == digits[1:]
    assert as_floats(column).tolist() == pytest.approx([value / 100 for value in digits], rel=1e-15)


@given(st.integers(2**63, 10**36) | st.integers(-(10**36), -(2**63) - 1))
def test_a_number_beyond_64_bits_is_read_as_a_float_but_never_cut(value: int) -> None:
    column = contiguous(pa.chunked_array([pa.array([Decimal(value)], pa.decimal128(38, 0))]))
    assert as_floats(column)[0] == pytest.approx(value, rel=1e-15)
    with pytest.raises(ProtectError) as caught:
        fixed_point(column)
    assert caught.value.fault is ProtectFault.OVERFLOW
    assert not any(letter.isdigit() for letter in caught.value.detail.replace("64", ""))


def test_hidden_numbers_leave_nothing_behind_in_memory() -> None:
    column = decimals(np.array([12345, 678]), np.array([True, False]), 0)
    assert column.to_pylist() == [None, Decimal(678)]
    assert np.frombuffer(column.buffers()[1], dtype=np.int64).tolist() == [0, 0, 678, 0]


def test_true_values_and_secrets_do_not_show_themselves() -> None:
    secret = b"a noise secret of the custodian!"
    shown = repr(NoiseKey(secret, 1)) + repr(DenseCells(GRID, raw([0], [0], [0], t0_n=[4242])))
    assert "secret of" not in shown
    assert "4242" not in shown


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        NoiseKey(b"short", 1)
