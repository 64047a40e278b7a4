"""Protected parts of one dataset, put together: counts add up, means are weighted by counts, variances are pooled.

What was protected stays as it is: nothing here reads more than the nodes published, so the result protects as much
as the parts do. Its noise is the sum of theirs. Integers and decimals are added: the order of parts changes no digit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from catalogue.catalogue import BoundDataset
from catalogue.leaves import LeafSet
from policies.cell_question import CellQuestion
from policies.cells import ProtectedCells, Status
from policies.plan import Atom, AtomKind, Box, CellQuery
from policies.protect.grid import Grid, along, check_grid, key_columns
from policies.protect.rules import variable_of

Mask = npt.NDArray[np.bool_]
Statuses = npt.NDArray[np.int8]
Objects = npt.NDArray[np.object_]

PRECISE = Context(prec=60)
COUNTS = (AtomKind.UNITS, AtomKind.COUNT)
NOT_COMBINED_QUANTILE = "a quantile is given only where one node alone holds everybody in the cell"
NOT_COMBINED_UNITS = (
    "units with rows at several nodes would be counted twice, so they are counted for one node alone"
)


@dataclass(frozen=True)
class PartCells:
    """What one node gave, on the grid of the whole query: by column of the question asked, values (int or Decimal;
    None where hidden) and statuses. Cells that the node does not hold are NOT_APPLICABLE."""

    values: Mapping[str, Objects]
    statuses: Mapping[str, Statuses]


@dataclass(frozen=True, slots=True)
class _Needs:
    """The columns that one atom is put together from."""

    value: str | None = None
    count: str | None = None
    mean: str | None = None
    variance: str | None = None


@dataclass(frozen=True)
class Combination:
    """How the atoms of a query come from numbers that its nodes can give, each of them asked for once."""

    query: CellQuery
    dataset: BoundDataset
    asked: tuple[Atom, ...]
    needs: Mapping[str, _Needs]

    @classmethod
    def of(cls, query: CellQuery, dataset: BoundDataset) -> Combination:
        asked: dict[tuple[object, ...], Atom] = {}
        needs = {atom.column: _needs(atom, dataset, asked) for atom in query.atoms}
        return cls(query, dataset, tuple(asked.values()), needs)

    def question(self, part: Box) -> CellQuestion | None:
        """What the node of ``part`` is asked, None where it has none of the cells."""
        return CellQuestion(self.query.where, self.query.blocks, self.asked).within(part)


def _needs(atom: Atom, dataset: BoundDataset, asked: dict[tuple[object, ...], Atom]) -> _Needs:
    def ask(kind: AtomKind) -> str:
        measure = atom.measure
        if kind in COUNTS and kind is not atom.kind:
            # A measure that every row has does not restrict a count.
            nullable = measure is not None and dataset.variable(variable_of(measure)).nullable
            measure = measure if nullable else None
        quantile = atom.quantile if kind is AtomKind.QUANTILE else None
        decimals = 0 if kind in COUNTS else atom.decimals
        key = (kind, atom.where, measure, quantile, atom.weighted)
        column = f"a{len(asked)}"
        made = Atom(
            kind, column, f"s{len(asked)}", "", atom.where, measure, quantile, decimals, atom.weighted
        )
        return asked.setdefault(key, made).column

    count = AtomKind.UNITS if dataset.document.unit.row_is_unit else AtomKind.COUNT
    if atom.kind in (AtomKind.VARIANCE, AtomKind.STDDEV):
        return _Needs(count=ask(count), mean=ask(AtomKind.MEAN), variance=ask(AtomKind.VARIANCE))
    if atom.kind is AtomKind.MEAN or (atom.kind is AtomKind.SUM and not atom.weighted):
        return _Needs(count=ask(count), mean=ask(AtomKind.MEAN))
    return _Needs(value=ask(atom.kind))


@dataclass
class _Column:
    """One atom on the grid: unscaled values where it is shown, and statuses."""

    values: Objects
    status: Statuses


@dataclass
class _Combiner:
    combination: Combination
    grid: Grid
    split: str
    parts: Mapping[str, LeafSet]
    given: Mapping[str, PartCells]
    notes: dict[str, None] = field(default_factory=dict)

    def column(self, atom: Atom) -> _Column:
        holds = {node: self._holds(atom, leaves) for node, leaves in self.parts.items()}
        holders = sum((each.astype(np.int64) for each in holds.values()), np.zeros(self.grid.size, np.int64))
        here = {node: each for node, each in holds.items() if node in self.given}
        missing = holders > sum((each.astype(np.int64) for each in here.values()), np.zeros_like(holders))
        needs = self.combination.needs[atom.column]
        value = needs.value
        found = self._averaged(atom, needs, here) if value is None else self._added(value, here)
        single = atom.kind is AtomKind.QUANTILE or (
            atom.kind is AtomKind.UNITS
            and not atom.weighted
            and not self.combination.dataset.document.unit.row_is_unit
        )
        if atom.kind is AtomKind.QUANTILE:
            found.status[holders == 0] = Status.NOT_APPLICABLE
        if single and bool((holders > 1).any()):
            text = NOT_COMBINED_QUANTILE if atom.kind is AtomKind.QUANTILE else NOT_COMBINED_UNITS
            self.notes[text] = None
            found.status[holders > 1] = Status.NOT_AVAILABLE
        nobody = ~np.any(list(here.values()), axis=0) if here else np.ones(self.grid.size, np.bool_)
        found.status[missing & nobody] = Status.NOT_AVAILABLE
        found.status[missing & ~nobody] = np.maximum(found.status[missing & ~nobody], Status.PARTIAL)
        found.values[found.status >= Status.LOW] = None
        return found

    def _holds(self, atom: Atom, leaves: LeafSet) -> Mask:
        """The cells in which a node with these leaves may have somebody, by the code lists alone."""
        box = self.combination.query.where & atom.where & Box.of({self.split: leaves})
        result = np.zeros(self.grid.size, np.bool_)
        if any(not each for _, each in box.sets):
            return result
        inside = box.get(self.split)
        for where, block, shape in zip(
            self.grid.slices(), self.combination.query.blocks, self.grid.shapes, strict=True
        ):
            there = np.ones(shape, np.bool_)
            for position, axis in enumerate(block.axes):
                if axis.dimension == self.split and inside is not None:
                    held = np.array([bool(part & inside) for part in axis.parts])
                    there &= along(held, position, len(shape))
            result[where] = there.ravel()
        return result

    def _worst(
        self, columns: Sequence[str], here: Mapping[str, Mask], ignore: Mapping[str, Mask]
    ) -> Statuses:
        """The worst status of what the cells are made of. A small number that rounds to zero, beside others, hides
        the total: which others there are is known, and their sum would give it away to within its rounding."""
        worst = np.zeros(self.grid.size, np.int8)
        low, shown = np.zeros(self.grid.size, np.bool_), np.zeros(self.grid.size, np.bool_)
        for node, holds in here.items():
            for column in columns:
                status = self.given[node].statuses.get(column)
                if status is None:
                    continue
                read = holds & ~ignore.get(node, np.zeros_like(holds))
                worst = np.where(read, np.maximum(worst, status), worst)
                low |= read & (status == Status.LOW)
                shown |= read & (status < Status.LOW)
        worst[(worst == Status.LOW) & low & shown] = Status.CONFIDENTIAL
        return worst

    def _added(self, column: str, here: Mapping[str, Mask]) -> _Column:
        status = self._worst([column], here, {})
        values = np.full(self.grid.size, 0, np.object_)
        for node, holds in here.items():
            if column in self.given[node].values:
                given = self.given[node].values[column]
                read = holds & (status < Status.LOW)
                values[read] = values[read] + given[read]
        return _Column(values, status)

    def _averaged(self, atom: Atom, needs: _Needs, here: Mapping[str, Mask]) -> _Column:
        assert needs.count is not None
        assert needs.mean is not None
        empty, single = {}, {}
        for node in here:
            counts = self.given[node].values.get(needs.count)
            n = np.zeros(self.grid.size, np.int64) if counts is None else _integers(counts)
            published = (
                np.zeros(self.grid.size, np.bool_)
                if counts is None
                else self.given[node].statuses[needs.count] < Status.LOW
            )
            empty[node], single[node] = published & (n == 0), published & (n < 2)
        status = self._worst([needs.count], here, {})
        status = np.maximum(status, self._worst([needs.mean], here, empty))
        if needs.variance is not None:
            status = np.maximum(status, self._worst([needs.variance], here, single))
        values = np.full(self.grid.size, None, np.object_)
        with localcontext(PRECISE):
            for cell in np.flatnonzero(status < Status.LOW):
                found = self._cell(atom, needs, here, int(cell))
                values[cell] = found
                if found is None:
                    status[cell] = Status.NOT_APPLICABLE
        return _Column(values, status)

    def _cell(self, atom: Atom, needs: _Needs, here: Mapping[str, Mask], cell: int) -> Decimal | None:
        assert needs.count is not None
        assert needs.mean is not None
        step = Decimal(1).scaleb(-atom.decimals)
        parts: list[tuple[Decimal, Decimal, Decimal]] = []
        for node, holds in here.items():
            given = self.given[node].values
            if not holds[cell] or needs.count not in given:
                continue
            n = Decimal(int(given[needs.count][cell]))
            if n > 0:
                variance = given[needs.variance][cell] if needs.variance is not None else None
                parts.append((n, Decimal(given[needs.mean][cell]), Decimal(variance or 0)))
        total = sum((n for n, _, _ in parts), Decimal(0))
        if not total:
            return Decimal(0) if atom.kind is AtomKind.SUM else None
        mean = sum((n * m for n, m, _ in parts), Decimal(0)) / total
        if atom.kind is AtomKind.SUM:
            return mean.quantize(step, ROUND_HALF_UP) * total
        if atom.kind is AtomKind.MEAN:
            return mean.quantize(step, ROUND_HALF_UP)
        if total < 2:
            return None
        within = sum(((n - 1) * v for n, _, v in parts if n > 1), Decimal(0))
        between = sum((n * (m - mean) ** 2 for n, m, _ in parts), Decimal(0))
        pooled = (within + between) / (total - 1)
        root = pooled.sqrt() if atom.kind is AtomKind.STDDEV else pooled
        return root.quantize(step, ROUND_HALF_UP)


def combine(
    combination: Combination,
    split: str,
    parts: Mapping[str, LeafSet],
    given: Mapping[str, PartCells],
    snapshot: str,
    *,
    sparse: bool,
) -> tuple[ProtectedCells, tuple[str, ...]]:
    """The cells of the whole from what nodes ``given``, and what has to be said about them.

    ``parts`` holds the leaves of ``split`` of every node, those that gave nothing too: a total without their part is
    PARTIAL, and not available where nobody else has anybody in it. With ``sparse`` cells in which nothing but zeros
    is published are left out. Raises ProtectError for a query that does not hold together.
    """
    query, grid = combination.query, check_grid(combination.query)
    combiner = _Combiner(combination, grid, split, parts, given)
    columns: dict[str, pa.Array] = {}
    kept = np.full(grid.size, not sparse)
    for atom in query.atoms:
        found = combiner.column(atom)
        if sparse:
            kept |= np.array([value is not None and value != 0 for value in found.values], np.bool_)
        columns[atom.column] = _array(atom, found)
        columns[atom.status] = pa.array(found.status)
    return cells_of(query, grid, columns, kept, snapshot, sparse=sparse), tuple(combiner.notes)


def unavailable(query: CellQuery) -> ProtectedCells:
    """The cells of a query that nobody answers: none of them is available. Raises ProtectError."""
    grid = check_grid(query)
    columns: dict[str, pa.Array] = {}
    for atom in query.atoms:
        nothing = _Column(
            np.full(grid.size, None, np.object_), np.full(grid.size, Status.NOT_AVAILABLE, np.int8)
        )
        columns |= {atom.column: _array(atom, nothing), atom.status: pa.array(nothing.status)}
    return cells_of(query, grid, columns, np.ones(grid.size, np.bool_), "", sparse=False)


def whole(query: CellQuery, given: PartCells, snapshot: str, *, sparse: bool) -> ProtectedCells:
    """The cells of a query that one node answers. Raises ProtectError."""
    grid = check_grid(query)
    columns: dict[str, pa.Array] = {}
    kept = np.full(grid.size, not sparse)
    for atom in query.atoms:
        found = _Column(given.values[atom.column], given.statuses[atom.column])
        if sparse:
            kept |= np.array([value is not None and value != 0 for value in found.values], np.bool_)
        columns |= {atom.column: _array(atom, found), atom.status: pa.array(found.status)}
    return cells_of(query, grid, columns, kept, snapshot, sparse=sparse)


def cells_of(
    query: CellQuery, grid: Grid, columns: Mapping[str, pa.Array], kept: Mask, snapshot: str, *, sparse: bool
) -> ProtectedCells:
    keys = key_columns(query, grid, [np.flatnonzero(kept[where]) for where in grid.slices()])
    rows = pa.array(np.flatnonzero(kept))
    chosen = {name: column.take(rows) for name, column in columns.items()} if sparse else dict(columns)
    return ProtectedCells(query.relation, pa.table({**keys, **chosen}), sparse, snapshot)


def _array(atom: Atom, found: _Column) -> pa.Array:
    if atom.kind in COUNTS:
        return pa.array([None if value is None else int(value) for value in found.values], pa.int64())
    return pa.array(
        [None if value is None else Decimal(value) for value in found.values],
        pa.decimal128(38, atom.decimals),
    )


def _integers(values: Objects) -> npt.NDArray[np.int64]:
    return np.array([0 if value is None else int(value) for value in values], np.int64)
