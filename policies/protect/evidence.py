"""What protected cells rest on, for whoever decides on a request: numbers of contributors, and which rules fired.

These are true numbers about the data: they are for its custodian, and never a part of what is released. No value of a
measure is among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
import numpy.typing as npt

from catalogue.fragment import Histogram
from policies.cells import Status
from policies.plan import Atom, CellQuery
from policies.protect.counts import Measured
from policies.protect.fired import Rule, together
from policies.protect.magnitudes import Shown

Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Contributing:
    """True numbers of contributors behind figures, and the ``minimum`` that the profile asks for.

    ``fewest`` is of all cells that somebody is in, ``fewest_published`` of those in which a figure is published; None
    where there are none. ``small`` counts the cells that somebody is in, but fewer than the minimum.
    """

    minimum: int
    fewest: int | None
    fewest_published: int | None
    small: int


@dataclass(frozen=True, slots=True)
class CellEvidence:
    """What becomes of the cells of a query. A cell is ``withheld`` where all its figures are, published ``partly``
    where some are, ``empty`` where nobody is in it. ``second_units`` is there where the profile has a minimum for them.
    ``rules`` counts cells of which a figure is withheld by rule: several can fire on one."""

    cells: int
    partly: int
    withheld: int
    empty: int
    contributors: Contributing | None
    second_units: Contributing | None
    rules: Mapping[Rule, int]


def evidence_of(at: Measured, judged: Mapping[str, Shown]) -> CellEvidence:
    """The evidence of a query of which ``judged`` says what becomes of each atom, by its column."""
    atoms = at.query.atoms
    behind = [_behind(at, atom, "n") for atom in atoms]
    withheld = [_withheld(judged[atom.column]) for atom in atoms]
    fired = together(
        *(
            {rule: mask & hidden for rule, mask in judged[atom.column].fired.items()}
            for atom, hidden in zip(atoms, withheld, strict=True)
        )
    )
    every = reduce(np.logical_and, withheld)
    counted = {rule: int(mask.sum()) for rule, mask in fired.items()}
    rule = at.rules.frequency
    second = rule.minimum_second_units if at.query.fragment.second_unit is not None else None
    return CellEvidence(
        cells=at.cells.grid.size,
        partly=int((reduce(np.logical_or, withheld) & ~every).sum()),
        withheld=int(every.sum()),
        empty=int(reduce(np.logical_and, [numbers == 0 for numbers in behind]).sum()),
        contributors=_contributing(rule.minimum_frequency, behind, withheld),
        second_units=None
        if second is None
        else _contributing(second, [_behind(at, atom, "second") for atom in atoms], withheld),
        rules={rule: counted[rule] for rule in Rule if counted.get(rule)},
    )


def evidence_withheld(query: CellQuery) -> CellEvidence:
    """The evidence of a query of which nothing is asked, since it rests on a figure that is withheld."""
    return CellEvidence(query.size, 0, query.size, 0, None, None, {Rule.HIDDEN_THRESHOLD: query.size})


def _withheld(shown: Shown) -> Mask:
    """Where a figure is kept back: one that there is nothing to compute from is not."""
    return np.isin(shown.status, (Status.CONFIDENTIAL, Status.LOW))


def _behind(at: Measured, atom: Atom, what: str) -> Integers:
    """The true numbers behind an atom: of the statistic with the fewest where it is made from several."""
    histograms = {each.id for each in at.query.fragment.statistics if isinstance(each, Histogram)}
    named = sorted({name for name in (atom.statistic, atom.count) if name is not None} - histograms)
    return reduce(np.minimum, [at.cells.integers(f"{name}_{what}") for name in named])


def _contributing(minimum: int, behind: list[Integers], withheld: list[Mask]) -> Contributing:
    somebody = [numbers > 0 for numbers in behind]
    published = [there & ~hidden for there, hidden in zip(somebody, withheld, strict=True)]
    small = [there & (numbers < minimum) for there, numbers in zip(somebody, behind, strict=True)]
    return Contributing(
        minimum=minimum,
        fewest=_fewest(behind, somebody),
        fewest_published=_fewest(behind, published),
        small=int(reduce(np.logical_or, small).sum()),
    )


def _fewest(behind: list[Integers], where: list[Mask]) -> int | None:
    found = [int(numbers[mask].min()) for numbers, mask in zip(behind, where, strict=True) if mask.any()]
    return min(found, default=None)
