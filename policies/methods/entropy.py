"""Distributions of largest entropy under moment constraints: the rows of a p-table."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog, minimize, root

Floats = npt.NDArray[np.float64]

_LEAST = 1e-9
"""A distribution counts as possible where it leaves every outcome at least this probability."""

_TOLERANCE = 1e-9


def maximum_entropy(noise: Floats, variance: float, stay: float, *, single_peak: bool) -> Floats | None:
    """The probabilities of the outcomes ``noise`` that minimise sum p log p, or None where none are all positive.

    Subject to sum p = 1, sum v p = 0, sum v^2 p <= ``variance``, p(0) >= ``stay`` and, with ``single_peak``,
    probabilities that rise up to 0 and fall from there. ``noise`` ascends; it need not hold 0.

    Solved in the dual, where p ~ exp(-G^T m) with one multiplier per constraint, at least 0 for an inequality:
    few, smooth and convex. A bounded search guesses which inequalities bind; those are solved as equations, and the
    guess is mended until no multiplier is negative and no constraint broken, which is the optimum.
    Raises ArithmeticError where no optimum is reached.
    """
    steps = np.diff(np.eye(len(noise)), axis=0)
    signs = np.where(noise[1:] <= 0, -1.0, 1.0)
    peak = steps * signs[:, None] if single_peak else steps[:0]
    at_zero = (noise == 0).astype(np.float64)
    # Scaled to one order of magnitude, or the search stops early.
    v = noise / np.abs(noise).max()
    bound = variance / np.abs(noise).max() ** 2
    left = np.vstack([v, v**2, -at_zero, peak])
    right = np.concatenate([[0.0, bound, -stay], np.zeros(len(peak))])
    feasible = linprog(v**2, A_ub=left[2:], b_ub=right[2:], A_eq=np.vstack([np.ones_like(v), v]),
                       b_eq=[1.0, 0.0], bounds=(_LEAST, 1.0))  # fmt: skip
    if feasible.fun is None or feasible.fun >= bound:
        return None

    def density(multipliers: Floats) -> Floats:
        exponent = -multipliers @ left
        weights = np.exp(exponent - exponent.max())
        return np.asarray(weights / weights.sum(), dtype=np.float64)

    def dual(multipliers: Floats) -> tuple[float, Floats]:
        exponent = -multipliers @ left
        peak_exponent = exponent.max()
        log_total = float(np.log(np.exp(exponent - peak_exponent).sum()) + peak_exponent)
        return log_total + float(right @ multipliers), right - left @ density(multipliers)

    bounds = [(None, None)] + [(0.0, None)] * (len(right) - 1)
    rough = minimize(
        dual,
        np.zeros(len(right)),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"ftol": 1e-15, "gtol": 1e-10, "maxiter": 5000, "maxfun": 50000},
    )
    binds = rough.x > 1e-5
    for _ in range(4 * len(right)):
        binds[0] = True
        start = np.where(binds, rough.x, 0.0)
        multipliers = _solve_equations(density, left[binds], right[binds], start, binds)
        if multipliers is None:
            # More equations than can hold at once: the guess least sure of itself goes.
            binds[1 + np.where(binds[1:], rough.x[1:], np.inf).argmin()] = False
            continue
        p = density(multipliers)
        excess = left @ p - right
        excess[binds] = 0.0
        if multipliers[1:].min() < -_TOLERANCE:
            binds[1 + multipliers[1:].argmin()] = False
        elif excess.max() > _TOLERANCE:
            binds[excess.argmax()] = True
        else:
            return p
    raise ArithmeticError("no convergence")


def _solve_equations(
    density: Callable[[Floats], Floats],
    left: Floats,
    right: Floats,
    start: Floats,
    binds: npt.NDArray[np.bool_],
) -> Floats | None:
    """The multipliers, 0 but where a constraint binds, for which the binding constraints hold as equations;
    None where none are found."""

    def whole(active: Floats) -> Floats:
        multipliers = np.zeros(len(start))
        multipliers[binds] = active
        return multipliers

    def residuals(active: Floats) -> Floats:
        return left @ density(whole(active)) - right

    found = root(residuals, start[binds], method="lm", options={"xtol": 1e-14, "ftol": 1e-14})
    if np.abs(found.fun).max() > _TOLERANCE:
        return None
    return whole(found.x)
