"""Quality bands of weighted estimates."""

from __future__ import annotations

import numpy as np
import pytest

from policies.methods.quality import Band, band, cv_of_mean, cv_of_total


def test_bands_include_their_upper_bound() -> None:
    cv = np.array([0.0, 5.0, 5.01, 10.0, 10.01, 20.0, 20.01, np.nan, np.inf])
    assert band(cv).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 3]
    assert Band.UNRELIABLE == 3


def test_a_count_of_equal_weights_has_cv_one_over_root_n() -> None:
    n, w = 400, 25.0
    assert cv_of_total(np.array([n * w]), np.array([n * w * w]))[0] == pytest.approx(5.0)


def test_the_cv_of_a_mean_is_its_sampling_error() -> None:
    rng = np.random.default_rng(5)
    population = rng.lognormal(6, 0.5, 100_000)
    means, cvs = [], []
    for _ in range(300):
        y = rng.choice(population, 200)
        w = rng.uniform(50, 150, 200)
        sums = (w.sum(), (w**2).sum(), (w * y).sum(), ((w * y) ** 2).sum())
        means.append(sums[2] / sums[0])
        cvs.append(cv_of_mean(*(np.array([s]) for s in sums))[0])
    assert np.mean(cvs) == pytest.approx(100 * np.std(means) / np.mean(means), rel=0.15)


def test_nothing_to_estimate_is_unreliable() -> None:
    zero = np.array([0.0])
    assert band(cv_of_total(zero, zero)).tolist() == [Band.UNRELIABLE]
    assert band(cv_of_mean(zero, zero, zero, zero)).tolist() == [Band.UNRELIABLE]
