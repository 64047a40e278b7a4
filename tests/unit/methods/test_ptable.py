"""p-tables: what they promise for every cell, whatever they were made from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.methods.ptable import Interval, PTable, PTableError, Row, solve_ptable, ten_five_ptable

PARAMETERS = [(2, 1.0, 0, 0.0), (2, 1.05, 1, 0.0), (3, 2.0, 1, 0.3), (5, 3.0, 2, 0.5), (8, 6.0, 3, 0.0)]
GRID = (np.arange(20_000) + 0.5) / 20_000

tables = st.sampled_from(PARAMETERS)
uniforms = st.floats(0, 1, exclude_max=True, allow_subnormal=False)


@pytest.mark.parametrize("parameters", PARAMETERS)
class TestSolvedTable:
    def test_noise_has_mean_zero_in_every_row(self, parameters: tuple[int, float, int, float]) -> None:
        for row in solve_ptable(*parameters).rows:
            assert abs(row.moment(1)) < 1e-6

    def test_noise_has_the_variance_asked_for_or_says_where_not(
        self, parameters: tuple[int, float, int, float]
    ) -> None:
        table = solve_ptable(*parameters)
        unreached = dict(table.unreached)
        for row in table.rows[1:]:
            assert row.moment(2) == pytest.approx(unreached.get(row.size, parameters[1]), abs=1e-6)
            assert row.moment(2) <= parameters[1] + 1e-6

    def test_looked_up_noise_follows_the_row(self, parameters: tuple[int, float, int, float]) -> None:
        table = solve_ptable(*parameters)
        for row in table.rows:
            noise = table.noise(np.full(GRID.shape, row.size), GRID)
            for v, p in row.outcomes:
                assert np.mean(noise == v) == pytest.approx(p, abs=1e-4)

    def test_no_count_from_one_to_js_is_ever_shown(self, parameters: tuple[int, float, int, float]) -> None:
        table, (_, _, js, _) = solve_ptable(*parameters), parameters
        for n in range(20):
            shown = n + table.noise(np.full(GRID.shape, n), GRID)
            assert not ((shown >= 1) & (shown <= js)).any()
            assert shown.min() >= 0

    def test_large_counts_share_the_symmetric_last_row(
        self, parameters: tuple[int, float, int, float]
    ) -> None:
        table = solve_ptable(*parameters)
        outcomes = dict(table.rows[-1].outcomes)
        assert all(outcomes[v] == pytest.approx(outcomes[-v], abs=2e-8) for v in outcomes)
        last = table.rows[-1].size
        np.testing.assert_array_equal(
            table.noise(np.full(GRID.shape, last), GRID), table.noise(np.full(GRID.shape, 10**15), GRID)
        )


@given(tables, st.integers(0, 10**12), uniforms)
def test_noise_is_bounded_and_a_function_of_count_and_u(
    parameters: tuple[int, float, int, float], n: int, u: float
) -> None:
    table = solve_ptable(*parameters)
    once, again = table.noise(np.array([n, n]), np.array([u, u]))
    assert once == again
    assert abs(once) <= table.maximum_noise <= parameters[0]
    assert n + once >= 0


def test_intervals_are_closed_below_for_counts() -> None:
    table = PTable.from_rows({1: {-1: 0.25, 0: 0.5, 1: 0.25}})
    u = np.array([0.0, np.nextafter(0.25, 0), 0.25, 0.75])
    assert table.noise(np.ones(4, dtype=np.int64), u).tolist() == [-1, -1, 0, 1]


def test_intervals_are_closed_above_for_magnitudes() -> None:
    table = PTable.from_rows({1: {-1: 0.25, 0: 0.5, 1: 0.25}})
    u = np.array([0.25, np.nextafter(0.25, 1), 0.75, 0.8])
    assert table.interpolated_noise(np.ones(4), u, Interval.CLOSED_ABOVE).tolist() == [-1, 0, 0, 1]


def test_positions_between_rows_are_mixed_linearly_and_capped() -> None:
    table = PTable.from_rows({1: {1: 1.0}, 5: {3: 1.0}})
    position = np.array([0.0, 0.5, 1.0, 2.0, 5.0, 1e9])
    noise = table.interpolated_noise(position, np.zeros(6), Interval.CLOSED_ABOVE)
    np.testing.assert_allclose(noise, [0, 0.5, 1, 1.5, 3, 3])


def test_empty_cells_stay_empty_unless_the_table_perturbs_zeros() -> None:
    zeros, u = np.zeros(GRID.shape, dtype=np.int64), GRID
    assert not solve_ptable(2, 1.05, 1).perturbs_zero
    assert (solve_ptable(2, 1.05, 1).noise(zeros, u) == 0).all()
    invented = PTable.from_rows({0: {0: 0.9, 2: 0.1}, 1: {0: 1.0}})
    assert invented.perturbs_zero
    assert (invented.noise(zeros, u) == 2).any()


@pytest.mark.parametrize(
    "parameters",
    [
        (2, 1.0, 1),  # row 1 can only go to 0, 2 or 3, and a variance of 1 leaves no room for 3
        (2, 0.5, 3),
        (5, 3.0, 9),
        (0, 1.0, 0),
        (2, 5.0, 0),
        (2, 1.0, -1),
    ],
)
def test_parameters_without_a_table_are_refused(parameters: tuple[int, float, int]) -> None:
    with pytest.raises(PTableError):
        solve_ptable(*parameters)


def test_a_variance_out_of_reach_is_reported() -> None:
    assert solve_ptable(2, 1.0).unreached == ((1, pytest.approx(0.931884, abs=1e-6)),)


@pytest.mark.parametrize(
    "rows",
    [
        {1: {-1: 0.5, 1: 0.4}},
        {1: {-1: -0.5, 1: 1.5}},
        {1: {-2: 0.5, 2: 0.5}},
        {1: {}},
    ],
)
def test_rows_that_are_no_noise_are_refused(rows: dict[int, dict[float, float]]) -> None:
    with pytest.raises(PTableError):
        PTable.from_rows(rows)


def test_a_table_starts_at_size_zero_and_ascends() -> None:
    row = Row(0, ((0.0, 1.0),))
    with pytest.raises(PTableError):
        PTable((Row(1, ((0.0, 1.0),)),))
    with pytest.raises(PTableError):
        PTable((row, row))


def test_fractional_noise_is_not_for_counts() -> None:
    with pytest.raises(PTableError):
        PTable.from_rows({1: {-0.5: 0.5, 0.5: 0.5}}).noise(np.array([1]), np.array([0.5]))


@pytest.mark.parametrize("u", [-0.1, 1.0, np.nan])
def test_u_out_of_range_is_refused(u: float) -> None:
    with pytest.raises(PTableError):
        solve_ptable(2, 1.05, 1).noise(np.array([5]), np.array([u]))


def test_the_digest_is_of_the_noise_alone() -> None:
    solved = solve_ptable(2, 1.05, 1)
    given_rows = {row.size: dict(row.outcomes) for row in solved.rows}
    assert PTable.from_rows(given_rows).digest == solved.digest
    assert solved.digest != solve_ptable(2, 1.1, 1).digest
    assert solved.digest == "83b3de77d6ab6ddfc55816cfeba6dbb3c457134f0c082d7eee276f987366a825"


def test_ten_five_shows_nothing_from_one_to_nine_and_multiples_of_five() -> None:
    n = np.arange(2000)
    shown = n + ten_five_ptable().noise(n, np.linspace(0, 1, 2000, endpoint=False))
    assert (shown[:10] == 0).all()
    assert (shown % 5 == 0).all()
    assert np.abs(shown - n)[10:].max() == 2
