"""Counts over several holders as one: what each holder decides alone, and how the joint count is protected.

The record keys of units add up over holders that share no unit, modulo M, and so do counts. A joint count therefore
has one cell key, and gets exactly the noise that it would have if all units stood in one table (cell keys: Fraser and
Wooton 2005), provided that the noise does not depend on the count itself. In a p-table the last row serves all large
counts; so a count that is certainly in that row can be perturbed by whoever knows the joint key and the noise secret,
without knowing the count.

Vectors have one number for each cell and each atom of the query, in ``joint_order``: the same however the question was
put, so that what one holder gives for a place is always about the same people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from catalogue.fragment import RECORD_KEY_MODULUS, RawCells, Tally
from catalogue.models import Profile
from policies.cells import ProtectedCells, Status
from policies.plan import AtomKind, CellQuery
from policies.protect.counts import Measured, count
from policies.protect.dense import DenseCells
from policies.protect.errors import ProtectError, ProtectFault
from policies.protect.grid import check_grid, structural
from policies.protect.protect import Protected, cells_of
from policies.protect.rules import NoiseKey, Rules, ptable_of

Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True)
class Share:
    """What one holder has of a joint count. True values: it lives in the holder's process, and shows nothing.

    ``publishes`` alone may leave it: where this holder by itself would publish a count of somebody.
    """

    counts: Integers = field(repr=False)
    keys: Integers = field(repr=False)
    publishes: Mask = field(repr=False)
    snapshot: str = ""

    def __reduce__(self) -> NoReturn:
        raise TypeError("a holder's share does not leave its process")


def why_not_joint(query: CellQuery, profile: Profile) -> str | None:
    """Why a query can't be answered as a joint count under a profile; None where it can. Decided without data."""
    if any(atom.kind is not AtomKind.UNITS or atom.weighted for atom in query.atoms):
        return "only unweighted counts of units are computed jointly"
    if query.guards:
        return "sets of one's own are not counted jointly: use areas and groups of the code lists"
    if query.fragment.second_unit is not None and profile.frequency.minimum_second_units is not None:
        return "second units may be at several holders, so that their joint number is not known"
    if profile.class_disclosure.dimensions:
        return "whether everybody falls in one category is not known to any one holder"
    if profile.rounding.zero_below is not None:
        return "the profile takes small counts to zero before noise is known"
    table = ptable_of(profile)
    if table is None:
        return None
    first = profile.frequency.minimum_frequency - int(table.maximum_noise)
    if table.period != 1 or len(table.rows) - 1 > first:
        return "the profile's noise depends on the count itself where the minimum frequency publishes"
    return None


def joint_order(query: CellQuery) -> Integers:
    """For each joint count its place in the dense grids of the atoms, one after the other.

    Blocks and atoms stay as they are; axes come by the names of their dimensions, and parts by their leaves. Questions
    of one digest (``CellQuestion.digest``) so have the same order, though keys were named in another one, or a
    jurisdiction put areas together at one holder and not at the other. Raises ProtectError.
    """
    grid = check_grid(query)
    found = []
    for block, where, shape in zip(query.blocks, grid.slices(), grid.shapes, strict=True):
        places = np.arange(where.start, where.stop, dtype=np.int64).reshape(shape)
        axes = sorted(range(len(block.axes)), key=lambda n: block.axes[n].dimension)
        places = places.transpose(axes)
        for position, axis in enumerate(axes):
            masks = [part.mask for part in block.axes[axis].parts]
            places = places.take(sorted(range(len(masks)), key=masks.__getitem__), axis=position)
        found.append(places.ravel())
    cells = np.concatenate(found)
    return np.concatenate([cells + atom * grid.size for atom in range(len(query.atoms))])


def share_of(query: CellQuery, raw: RawCells, profile: Profile, noise: NoiseKey) -> Share:
    """This holder's part of a joint count. Raises ProtectError for a query that ``why_not_joint`` objects to."""
    objection = why_not_joint(query, profile)
    if objection is not None:
        raise ProtectError(ProtectFault.PLAN, objection)
    grid = check_grid(query)
    cells = DenseCells(grid, raw)
    at = Measured(query, cells, Rules.of(profile, noise, ptable_of(profile)))
    counts, keys, publishes = [], [], []
    for atom in query.atoms:
        statistic = _tally(query, atom.statistic)
        impossible = structural(query, atom, grid)
        alone = count(at, statistic, impossible, weighted=False)
        counts.append(cells.integers(f"{statistic.id}_n"))
        keys.append(cells.integers(f"{statistic.id}_key"))
        publishes.append(~alone.hidden & (alone.contributors.n > 0) & ~impossible)
    order = joint_order(query)
    return Share(
        np.concatenate(counts)[order],
        np.concatenate(keys)[order],
        np.concatenate(publishes)[order],
        raw.snapshot,
    )


def by_atom(query: CellQuery, values: npt.NDArray[T]) -> list[npt.NDArray[T]]:
    """A vector taken apart: for each atom the values of the dense grid. Raises ProtectError."""
    order = joint_order(query)
    if values.shape != order.shape:
        raise ProtectError(ProtectFault.SOURCE, "joint counts and grid have different sizes")
    dense = np.empty_like(values)
    dense[order] = values
    return np.split(dense, len(query.atoms))


def eligible(publishes: Sequence[Mask], *, exact: bool) -> Mask:
    """The joint counts that may be computed, from what each holder would publish alone.

    One holder that publishes puts the joint count above the minimum. Where exactly one does not, its part would be
    the joint count less what the others publish, so those are left out. With ``exact`` values (no cell keys) every
    holder must publish.

    >>> a, b, c = np.array([[1, 1, 0, 0], [1, 1, 0, 1], [1, 0, 0, 0]], dtype=bool)
    >>> eligible([a, b, c], exact=False).tolist(), eligible([a, b, c], exact=True).tolist()
    ([True, False, False, True], [True, False, False, False])
    """
    hiding = np.sum([~each for each in publishes], axis=0)
    if exact:
        return np.asarray(hiding == 0)
    return np.asarray((hiding < len(publishes)) & (hiding != 1))


def joint_noise(keys: Integers, profile: Profile, noise: NoiseKey) -> Integers:
    """The noise of joint counts from their joint keys (sums of record keys, reduced here): what one holder of
    everybody would give. Raises ProtectError."""
    table = ptable_of(profile)
    if table is None:
        return np.zeros_like(keys)
    rules = Rules.of(profile, noise, table)
    largest = np.full(keys.shape, len(table.rows), dtype=np.int64)
    return table.noise(largest, rules.uniform(table, "units", keys % RECORD_KEY_MODULUS))


def joint_cells(
    query: CellQuery, perturbed: Integers, may: Mask, profile: Profile, snapshot: str
) -> ProtectedCells:
    """Perturbed joint counts as protected cells: rounded, and confidential below the minimum or where not ``may``.

    ``perturbed`` needs to be right only where ``may`` holds. Raises ProtectError.
    """
    grid = check_grid(query)
    parts = zip(query.atoms, by_atom(query, perturbed), by_atom(query, may), strict=True)
    # The noise is in the counts already: the key has no part in rounding and hiding.
    rules = Rules.of(profile, NoiseKey(bytes(32), 1), ptable_of(profile))
    shown: dict[str, Protected] = {}
    for atom, counts, given in parts:
        impossible = structural(query, atom, grid)
        values = np.where(impossible, 0, rules.rounded(np.where(given, counts, 0)))
        withheld = ~given | (counts < profile.frequency.minimum_frequency)
        if not rules.publishes_zeros:
            withheld |= values == 0
        status = np.where(withheld & ~impossible, Status.CONFIDENTIAL, Status.PUBLISHED).astype(np.int8)
        hidden = status >= Status.LOW
        shown[atom.column] = (
            pa.array(np.where(hidden, 0, values), mask=hidden),
            status,
            ~hidden & (values != 0),
        )
    return cells_of(query, grid, shown, profile, snapshot)


def _tally(query: CellQuery, name: str) -> Tally:
    for statistic in query.fragment.statistics:
        if statistic.id == name and isinstance(statistic, Tally):
            return statistic
    raise ProtectError(ProtectFault.PLAN, f"{name} is no count of units")
