"""Perturbation tables: which noise a cell of a given size may get, and how likely each is.

A p-table has one row per true count i; row i is a distribution of the noise v. A number u in [0, 1) made from
the cell's key picks one outcome, so that the same people always get the same noise. Tables are made by entropy
maximisation (Marley and Leaver 2011; Giessing 2016) with the conventions of the R package ptable 1.0.0
(Enderle, "ptable: Generation of Perturbation Tables for the Cell-Key Method"), or given row by row.

What a requester may know about bias: every row of a solved table has mean zero, so a perturbed count is unbiased
given the true count. It is *not* unbiased given that it was published: a threshold on the perturbed count keeps
upward noise and drops downward noise near it. The 10-5 table is biased by construction (below 10 it shows 0).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt

from policies.methods.entropy import maximum_entropy

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

DIGITS = 8
"""Solved probabilities are kept to eight decimals, as ptable prints them: a table is the same on every machine."""

_EASING = 0.05
_MOMENT_TOLERANCE = 1e-6


class PTableError(ValueError):
    """Parameters or rows that make no valid p-table. Never holds a data value: p-tables are made without data."""


class Interval(StrEnum):
    """Which end of an outcome's interval of u belongs to it."""

    CLOSED_BELOW = "closed_below"
    CLOSED_ABOVE = "closed_above"


@dataclass(frozen=True)
class Row:
    """The noise of cells of size ``size``: ``outcomes`` are pairs (v, probability), v strictly ascending."""

    size: int
    outcomes: tuple[tuple[float, float], ...]

    def moment(self, order: int) -> float:
        """E[v ** order]."""
        return float(sum(p * v**order for v, p in self.outcomes))


@dataclass(frozen=True)
class PTable:
    """A table of noise.

    ``rows`` ascend by size from 0. The last ``period`` rows repeat for every larger size: with period 1 the last
    row serves them all; the ONS layout has period 250 (rows 501 to 750 serve sizes above 750).

    ``maximum_noise`` (D), ``variance`` (V), ``smallest_blocked`` (js: outcomes 1..js never occur) and
    ``probability_unchanged`` (p_stay) are what a solved table was made from; a given table leaves the last three
    None. ``unreached`` warns: the sizes whose row can't reach V, with the variance that they have.

    Raises PTableError where a row's probabilities are not a distribution or a count could become negative.
    """

    rows: tuple[Row, ...]
    period: int = 1
    variance: float | None = None
    smallest_blocked: int | None = None
    probability_unchanged: float | None = None
    unreached: tuple[tuple[int, float], ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        sizes = [row.size for row in self.rows]
        if not sizes or sizes[0] != 0 or sizes != sorted(set(sizes)):
            raise PTableError("rows must ascend by size, from 0")
        if not 1 <= self.period <= len(sizes):
            raise PTableError("the period must be between 1 and the number of rows")
        if self.period > 1 and sizes != list(range(len(sizes))):
            raise PTableError("a table that repeats several rows needs a row for every size")
        for row in self.rows:
            values = [v for v, _ in row.outcomes]
            weights = [p for _, p in row.outcomes]
            if not values or values != sorted(set(values)):
                raise PTableError(f"row {row.size}: outcomes must ascend and differ")
            if min(weights) < 0 or abs(sum(weights) - 1) > _MOMENT_TOLERANCE:
                raise PTableError(f"row {row.size}: probabilities must be at least 0 and sum to 1")
            if row.size + values[0] < 0:
                raise PTableError(f"row {row.size}: noise must not make a count negative")

    @classmethod
    def from_rows(cls, rows: Mapping[int, Mapping[float, float]], period: int = 1) -> PTable:
        """A given table: for each size, noise -> probability. Size 0 may be left out and is then unchanged.

        >>> PTable.from_rows({1: {-1: 0.5, 1: 0.5}}).maximum_noise
        1.0
        """
        whole = {0: {0.0: 1.0}, **rows}
        outcomes = {n: tuple(sorted((float(v), float(p)) for v, p in whole[n].items())) for n in whole}
        return cls(tuple(Row(n, outcomes[n]) for n in sorted(outcomes)), period)

    @property
    def maximum_noise(self) -> float:
        """D, the largest absolute noise that any row can give."""
        return max(abs(v) for row in self.rows for v, p in row.outcomes if p > 0)

    @property
    def perturbs_zero(self) -> bool:
        """Whether an empty cell can be shown as something else than 0."""
        return any(v != 0 and p > 0 for v, p in self.rows[0].outcomes)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the table's canonical content: what noise each size gets, whatever it was made from."""
        content = {
            "period": self.period,
            "rows": [
                [row.size, [[repr(float(v)), repr(float(p))] for v, p in row.outcomes]] for row in self.rows
            ],
        }
        return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()

    def noise(self, n: Integers, u: Floats) -> Integers:
        """The noise of each count: the first v whose cumulative upper bound exceeds u (closed below, open above).

        ``n`` true counts, at least 0; ``u`` in [0, 1), one per count. Returns v, shaped like ``n``.
        Raises PTableError for a table of fractional noise, which is for magnitudes.

        >>> table = ten_five_ptable()
        >>> n = np.array([7, 10, 11, 12, 13, 14])
        >>> (n + table.noise(n, np.zeros(6))).tolist()
        [0, 10, 10, 10, 15, 15]
        """
        if not self._is_integral:
            raise PTableError("a table for counts needs whole noise and a row for every size")
        _check_u(u)
        if n.size and n.min() < 0:
            raise PTableError("a count is at least 0")
        first = len(self.rows) - self.period
        index = np.where(n < len(self.rows), n, (n - first) % self.period + first)
        return self._pick(index, u, Interval.CLOSED_BELOW).astype(np.int64)

    def interpolated_noise(self, position: Floats, u: Floats, interval: Interval) -> Floats:
        """The noise at a ``position`` between rows: looked up in both neighbours and mixed linearly.

        Positions beyond the last row are capped at it. ``interval`` says how intervals of u are closed.
        """
        _check_u(u)
        sizes = np.array([row.size for row in self.rows], dtype=np.float64)
        capped = np.clip(position, 0.0, sizes[-1])
        upper = np.searchsorted(sizes, capped, side="left")
        lower = np.where(sizes[upper] == capped, upper, upper - 1)
        span = sizes[upper] - sizes[lower]
        share = np.divide(capped - sizes[lower], span, out=np.zeros_like(capped), where=span > 0)
        low, high = self._pick(lower, u, interval), self._pick(upper, u, interval)
        mixed: Floats = (1 - share) * low + share * high
        return mixed

    @cached_property
    def _is_integral(self) -> bool:
        dense = all(row.size == i for i, row in enumerate(self.rows))
        return dense and all(float(v).is_integer() for row in self.rows for v, _ in row.outcomes)

    @cached_property
    def _arrays(self) -> tuple[Floats, Floats]:
        """Per row the cumulative upper bounds and the values, padded to one width."""
        width = max(len(row.outcomes) for row in self.rows)
        bounds = np.ones((len(self.rows), width))
        values = np.zeros((len(self.rows), width))
        for i, row in enumerate(self.rows):
            k = len(row.outcomes)
            bounds[i, :k] = np.round(np.cumsum([p for _, p in row.outcomes]), 12)
            bounds[i, k - 1 :] = 1.0
            values[i, :k] = [v for v, _ in row.outcomes]
            values[i, k:] = row.outcomes[-1][0]
        return bounds, values

    def _pick(self, index: npt.NDArray[np.intp] | Integers, u: Floats, interval: Interval) -> Floats:
        bounds, values = self._arrays
        chosen = bounds[index]
        passed = chosen <= u[..., None] if interval is Interval.CLOSED_BELOW else chosen < u[..., None]
        picked: Floats = values[index, passed.sum(axis=-1)]
        return picked


def _check_u(u: Floats) -> None:
    if u.size and not ((u >= 0) & (u < 1)).all():
        raise PTableError("u must lie in [0, 1)")


@cache
def ten_five_ptable() -> PTable:
    """The "10-5" rule of the ONS as a p-table: a count below 10 becomes 0, others go to the nearest 5.

    The noise follows n mod 5 from 10 on: 0, -1, -2, +2, +1. It does not depend on u. Source: ONS,
    cell_key_perturbation 3.1, table ``ptable_10_5``.
    """
    below = {n: {-float(n): 1.0} for n in range(10)}
    above = {10 + r: {v: 1.0} for r, v in enumerate((0.0, -1.0, -2.0, 2.0, 1.0))}
    return PTable.from_rows({**below, **above}, period=5)


@cache
def solve_ptable(D: int, V: float, js: int = 0, p_stay: float = 0.0) -> PTable:  # noqa: N803
    """The p-table of largest entropy with noise at most ``D``, variance at most ``V``, outcomes 1..``js`` excluded.

    Row i (1..D, or 1..D+js+1 where js > 0) minimises sum p log2 p subject to sum p = 1, sum v p = 0,
    sum v^2 p <= V, |v| <= D, i + v >= 0, i + v not in 1..js, p(0) >= ``p_stay`` where 0 is allowed, and
    probabilities that rise up to v = 0 and fall from there (ptable's "mono"). As in ptable 1.0.0 and its examples,
    what keeps a row from reaching V is relaxed: p_stay by steps of 0.05, the single peak in rows with outcomes
    blocked within reach.

    Raises PTableError where a row has no solution with every outcome possible.

    >>> [round(p, 6) for _, p in solve_ptable(2, 1.05, 1).rows[1].outcomes]
    [0.508333, 0.475, 0.016667]
    """
    if D < 1 or js < 0 or not 0 <= p_stay < 1 or not 0 < V <= D * D:
        raise PTableError("needs D >= 1, js >= 0, 0 <= p_stay < 1 and 0 < V <= D squared")
    rows = [Row(0, ((0.0, 1.0),))]
    unreached = []
    for size in range(1, D + (js + 1 if js else 0) + 1):
        noise = np.array(
            [v for v in range(-min(size, D), D + 1) if not 1 <= size + v <= js], dtype=np.float64
        )
        try:
            p = _solve_row(size, noise, V, p_stay, blocks=js > 0 and size - D <= js)
        except ArithmeticError:
            raise PTableError(
                f"row {size}: the solver found no certain optimum for these parameters"
            ) from None
        row = Row(size, tuple(zip(noise.tolist(), _rounded(p), strict=True)))
        rows.append(row)
        if row.moment(2) < V - _MOMENT_TOLERANCE:
            unreached.append((size, row.moment(2)))
    return PTable(
        tuple(rows),
        variance=V,
        smallest_blocked=js,
        probability_unchanged=p_stay,
        unreached=tuple(unreached),
    )


def _solve_row(size: int, noise: Floats, variance: float, p_stay: float, blocks: bool) -> Floats:
    """One row's probabilities, after ptable's relaxations: p_stay is eased, and a row that has outcomes blocked
    gives up its single peak, where they keep it from the full variance."""
    stay = p_stay if bool((noise == 0).any()) else 0.0
    while stay > 0:
        p = maximum_entropy(noise, variance, stay, single_peak=True)
        if p is not None and p @ noise**2 > variance - _MOMENT_TOLERANCE:
            return p
        stay = max(round(stay - _EASING, 10), 0.0)
    p = maximum_entropy(noise, variance, 0.0, single_peak=True)
    if blocks and (p is None or p @ noise**2 < variance - _MOMENT_TOLERANCE):
        p = maximum_entropy(noise, variance, 0.0, single_peak=False)
    if p is None:
        raise PTableError(
            f"row {size}: no distribution over the allowed outcomes has mean 0 and variance <= V"
        )
    return p


def _rounded(p: Floats) -> list[float]:
    """Probabilities to DIGITS decimals that still sum to exactly one: bounds are rounded, not probabilities."""
    bounds = np.round(np.cumsum(p) * 10**DIGITS).astype(np.int64)
    bounds[-1] = 10**DIGITS
    return [round(int(step) / 10**DIGITS, DIGITS) for step in np.diff(bounds, prepend=0)]
