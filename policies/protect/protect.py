"""Raw cells in, protected cells out: the one place where true statistics become what may cross the line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from catalogue.fragment import Histogram, Magnitude, RawCells, Statistic, Tally
from catalogue.models import Profile
from policies.cells import ProtectedCells, Status
from policies.methods.ptable import PTable
from policies.plan import Atom, AtomKind, CellQuery
from policies.protect.counts import Measured, count
from policies.protect.dense import DenseCells, decimals
from policies.protect.errors import ProtectError, ProtectFault
from policies.protect.evidence import CellEvidence, evidence_of
from policies.protect.fired import Rule, together
from policies.protect.grid import Grid, check_grid, key_columns, structural
from policies.protect.guards import small_complements
from policies.protect.magnitudes import Shown, magnitude
from policies.protect.quantiles import quantile
from policies.protect.rules import NoiseKey, Rules

Mask = npt.NDArray[np.bool_]
Protected = tuple[pa.Array, npt.NDArray[np.int8], Mask]
"""An atom's values, NULL where hidden; their statuses; and in which cells something but a zero is published."""


def protect(
    query: CellQuery,
    raw: RawCells,
    guards: Sequence[RawCells],
    profile: Profile,
    noise: NoiseKey,
    ptable: PTable | None,
) -> ProtectedCells:
    """Apply a disclosure profile to a cell query's raw cells.

    ``guards`` are the raw cells of ``query.guards``, in order; ``ptable`` is the one that the profile's cell keys
    name (see ``ptable_of``), None without them. The result has a row for every cell of the domain, in the order of
    the blocks and their parts, unless the domain is larger than the profile's ``dense_cells``: then only cells in
    which something other than a zero is published remain, so that withheld and empty ones are missing alike.

    All withholding that depends on data has the one status CONFIDENTIAL. The same people and measure give the same
    digits in whatever block, row order or query: noise depends on nothing else. Raises ProtectError.
    """
    at = _measured(query, raw, profile, noise, ptable)
    return _cells(at, _judged(at, guards), raw.snapshot)


def examine(
    query: CellQuery,
    raw: RawCells,
    guards: Sequence[RawCells],
    profile: Profile,
    noise: NoiseKey,
    ptable: PTable | None,
) -> tuple[ProtectedCells, CellEvidence]:
    """What ``protect`` gives, and what it rests on: true numbers of contributors, for the custodian alone."""
    at = _measured(query, raw, profile, noise, ptable)
    shown = _judged(at, guards)
    return _cells(at, shown, raw.snapshot), evidence_of(at, shown)


def _measured(
    query: CellQuery, raw: RawCells, profile: Profile, noise: NoiseKey, ptable: PTable | None
) -> Measured:
    return Measured(query, DenseCells(check_grid(query), raw), Rules.of(profile, noise, ptable))


def _judged(at: Measured, guards: Sequence[RawCells]) -> dict[str, Shown]:
    """What becomes of each atom, by its column: the rules first, then the guards of ad-hoc sets."""
    query, grid = at.query, at.cells.grid
    if len(guards) != len(query.guards):
        raise ProtectError(ProtectFault.PLAN, "each guard needs its raw cells")
    small: dict[str, Mask] = {}
    for guard, cells in zip(query.guards, guards, strict=True):
        for column, mask in small_complements(at, guard, cells).items():
            small[column] = small[column] | mask if column in small else mask
    found: dict[str, Shown] = {}
    for atom in query.atoms:
        shown = _shown(at, atom, structural(query, atom, grid))
        if atom.column in small:
            bound = small[atom.column] & shown.occupied
            shown.status[bound] = Status.CONFIDENTIAL
            shown = replace(shown, fired=together(shown.fired, {Rule.COMPLEMENT: bound}))
        found[atom.column] = shown
    return found


def _cells(at: Measured, judged: Mapping[str, Shown], snapshot: str) -> ProtectedCells:
    found: dict[str, Protected] = {}
    for atom in at.query.atoms:
        shown = judged[atom.column]
        hidden = shown.status >= Status.LOW
        found[atom.column] = _column(atom, shown, hidden), shown.status, ~hidden & (shown.digits != 0)
    return cells_of(at.query, at.cells.grid, found, at.rules.profile, snapshot)


def withhold(query: CellQuery, profile: Profile, snapshot: str) -> ProtectedCells:
    """The grid of a query with every value withheld, for one that depends on a stage whose answer was hidden.

    No source is asked. Raises ProtectError.
    """
    grid = check_grid(query)
    status = np.full(grid.size, Status.CONFIDENTIAL, dtype=np.int8)
    nothing = np.zeros(grid.size, dtype=np.bool_)
    found: dict[str, Protected] = {}
    for atom in query.atoms:
        counts = atom.kind in (AtomKind.UNITS, AtomKind.COUNT)
        type_ = pa.int64() if counts else pa.decimal128(38, atom.decimals)
        found[atom.column] = pa.nulls(grid.size, type_), status, nothing
    return cells_of(query, grid, found, profile, snapshot)


def cells_of(
    query: CellQuery, grid: Grid, found: Mapping[str, Protected], profile: Profile, snapshot: str
) -> ProtectedCells:
    """The protected cells from what became of each atom, by its column. A domain larger than the profile's
    ``dense_cells`` keeps only the rows in which something is published."""
    columns: dict[str, pa.Array] = {}
    for atom in query.atoms:
        columns[atom.column], columns[atom.status] = found[atom.column][0], pa.array(found[atom.column][1])
    sparse = grid.size > profile.limits.dense_cells
    kept = np.full(grid.size, not sparse)
    if sparse:
        for _, _, published in found.values():
            kept |= published
    keys = key_columns(query, grid, [np.flatnonzero(kept[where]) for where in grid.slices()])
    if sparse:
        rows = pa.array(np.flatnonzero(kept))
        columns = {name: column.take(rows) for name, column in columns.items()}
    return ProtectedCells(query.relation, pa.table({**keys, **columns}), sparse, snapshot)


def _shown(at: Measured, atom: Atom, impossible: Mask) -> Shown:
    statistic = _statistic(at.query, atom.statistic, atom)
    if atom.kind in (AtomKind.UNITS, AtomKind.COUNT):
        if isinstance(statistic, Histogram):
            raise ProtectError(ProtectFault.PLAN, f"{atom.column} counts a histogram")
        counted = count(at, statistic, impossible, weighted=atom.weighted)
        occupied = counted.contributors.n > 0
        return Shown(counted.values, 0, counted.status, occupied, counted.fired)
    counting = _statistic(at.query, atom.count, atom)
    if isinstance(counting, Tally | Magnitude):
        if atom.kind is AtomKind.QUANTILE and isinstance(statistic, Histogram):
            return quantile(at, atom, statistic, counting, impossible)
        if atom.kind is not AtomKind.QUANTILE and isinstance(statistic, Magnitude):
            return magnitude(at, atom, statistic, counting, impossible)
    raise ProtectError(ProtectFault.PLAN, f"{atom.column} is not made from a statistic of its kind")


def _statistic(query: CellQuery, name: str | None, atom: Atom) -> Statistic:
    for statistic in query.fragment.statistics:
        if statistic.id == name:
            return statistic
    raise ProtectError(ProtectFault.PLAN, f"{atom.column} needs a statistic that the fragment lacks")


def _column(atom: Atom, shown: Shown, hidden: Mask) -> pa.Array:
    if atom.kind in (AtomKind.UNITS, AtomKind.COUNT):
        return pa.array(np.where(hidden, 0, shown.digits), mask=hidden)
    return decimals(shown.digits, hidden, shown.scale)
