"""Cell queries built by hand, without SQL: people with an area, a sex, a pay and an employer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from catalogue.fragment import (
    Axis,
    Block,
    Column,
    Condition,
    Field,
    Fragment,
    Grid,
    Histogram,
    Magnitude,
    Measure,
    Statistic,
    Table,
    Tally,
)
from catalogue.leaves import LeafSet
from policies.cells import ProtectedCells, Status
from policies.plan import Atom, AtomKind, Box, CellQuery, GridAxis, GridBlock, Guard, KeyColumn
from policies.protect import NoiseKey

LEAVES: Mapping[str, tuple[str, ...]] = {
    "area": ("E1", "E2", "E3", "W1"),
    "sex": ("F", "M"),
    "health": ("good", "fair", "bad"),
}
PAY = Measure("people.pay", Field("pay"), decimals=2, nullable=True)
PAY_GRID = Grid(Decimal(0), Decimal(10), 200)
ROWS = Measure("rows", None, decimals=0, nullable=False, zeros=False)
NOISE = NoiseKey(bytes(range(32)), epoch=1)

Parts = Sequence[Sequence[str]]


def leaf_set(dimension: str, codes: Sequence[str]) -> LeafSet:
    leaves = LEAVES[dimension]
    return LeafSet.of([leaves.index(code) for code in codes], len(leaves))


def column(dimension: str) -> Column:
    return Column(Field(dimension), LEAVES[dimension])


def conditions(box: Box) -> tuple[Condition, ...]:
    return tuple(Condition(column(name), leaves) for name, leaves in box.sets)


def box(**codes: Sequence[str]) -> Box:
    return Box.of({name: leaf_set(name, chosen) for name, chosen in codes.items()})


def axis(dimension: str, parts: Parts | None = None) -> GridAxis:
    """An axis with one part per leaf, or with the parts given; sets of several leaves are ad-hoc."""
    chosen = parts if parts is not None else [[code] for code in LEAVES[dimension]]
    return GridAxis(
        dimension,
        (dimension,),
        (tuple("+".join(codes) for codes in chosen),),
        tuple(leaf_set(dimension, codes) for codes in chosen),
        tuple(len(codes) > 1 for codes in chosen),
    )


def fragment_block(block: GridBlock) -> Block:
    axes = []
    for grid_axis in block.axes:
        numbers = [-1] * len(LEAVES[grid_axis.dimension])
        for number, leaves in enumerate(grid_axis.parts):
            for leaf in leaves:
                numbers[leaf] = number
        axes.append(Axis(column(grid_axis.dimension), tuple(numbers), len(grid_axis.parts)))
    return Block(tuple(axes))


def cell_query(
    atoms: Sequence[Atom],
    statistics: Sequence[Statistic],
    *grouping_sets: Sequence[GridAxis],
    where: Box = Box(),  # noqa: B008
    unit: str | None = None,
    second_unit: str | None = None,
    holding: str | None = None,
    weight: str | None = None,
    guards: Sequence[Guard] = (),
) -> CellQuery:
    names = list(dict.fromkeys(a.keys[0] for axes in grouping_sets for a in axes))
    blocks = tuple(
        GridBlock(
            tuple(axes),
            sum(
                1 << (len(names) - 1 - i)
                for i, name in enumerate(names)
                if name not in [a.keys[0] for a in axes]
            ),
        )
        for axes in grouping_sets
    )
    fragment = Fragment(
        Table("duckdb", "people", "people"),
        (),
        Field(unit) if unit else None,
        Field("record_key"),
        Field(second_unit) if second_unit else None,
        Field(holding) if holding else None,
        Field(weight) if weight else None,
        conditions(where),
        tuple(fragment_block(block) for block in blocks),
        tuple(statistics),
    )
    keys = tuple(KeyColumn(name, "VARCHAR", name.title()) for name in names)
    return CellQuery(
        "cells0", "people", "profile", where, keys, blocks, tuple(atoms), fragment, tuple(guards)
    )


def count_people(
    *grouping_sets: Sequence[GridAxis],
    within: Box = Box(),  # noqa: B008
    second_unit: str | None = None,
) -> CellQuery:
    """COUNT(*) of people, FILTER ``within``, by the grouping sets."""
    atom = Atom(AtomKind.UNITS, "a0", "s0", "t0", within)
    tally = Tally("t0", conditions(within))
    return cell_query([atom], [tally], *grouping_sets, second_unit=second_unit)


def pay_of_people(*grouping_sets: Sequence[GridAxis], weight: str | None = None, top: int = 2) -> CellQuery:
    """COUNT(pay), SUM(pay), AVG(pay), STDDEV(pay) and MEDIAN(pay): a0 to a4 (no STDDEV with a weight)."""
    weighted = weight is not None
    atoms = [
        Atom(AtomKind.UNITS, "a0", "s0", "t0", measure="people.pay", weighted=weighted),
        Atom(AtomKind.SUM, "a1", "s1", "t1", measure="people.pay", decimals=2, weighted=weighted, count="t0"),
        Atom(AtomKind.MEAN, "a2", "s2", "t1", measure="people.pay", decimals=2, weighted=weighted, count="t0"),
        Atom(AtomKind.STDDEV, "a3", "s3", "t1", measure="people.pay", decimals=2, count="t0"),
        Atom(
            AtomKind.QUANTILE, "a4", "s4", "t2", measure="people.pay", quantile=Decimal("0.5"), decimals=2,
            weighted=weighted, count="t0",
        ),
    ]  # fmt: skip
    if weighted:
        atoms = [atom for atom in atoms if atom.kind is not AtomKind.STDDEV]
    statistics = [
        Tally("t0", measure=PAY),
        Magnitude("t1", PAY, top=top, squares=True),
        Histogram("t2", PAY, PAY_GRID),
    ]
    return cell_query(atoms, statistics, *grouping_sets, weight=weight)


def with_guard(query: CellQuery, dimension: str, relaxed: Sequence[Sequence[GridAxis]],
               parents: Sequence[tuple[int, ...] | None]) -> CellQuery:  # fmt: skip
    """The query with a guard over one dimension for all its atoms; nothing else of it is relaxed."""
    kept = tuple(s for s in query.fragment.statistics if not isinstance(s, Histogram))
    statistics = tuple(replace(s, where=tuple(c for c in s.where if not _is_on(c, dimension))) for s in kept)
    blocks = tuple(fragment_block(GridBlock(tuple(axes))) for axes in relaxed)
    where = tuple(c for c in query.fragment.where if not _is_on(c, dimension))
    fragment = replace(query.fragment, where=where, blocks=blocks, statistics=statistics)
    guard = Guard(dimension, fragment, tuple(parents), tuple(atom.column for atom in query.atoms))
    return replace(query, guards=(*query.guards, guard))


def _is_on(condition: object, dimension: str) -> bool:
    return isinstance(condition, Condition) and condition.column.field.expression == dimension


def marked(cells: ProtectedCells, *names: str) -> list[tuple[object, ...]]:
    """Rows of the named columns, an atom as its value, or as the mark of its status where that is not published."""
    table = cells.table
    columns = []
    for name in names:
        values = table[name].to_pylist()
        status = f"s{name[1:]}"
        if name.startswith("a") and status in table.column_names:
            marks = [Status(s).mark for s in table[status].to_pylist()]
            values = [m if m and v is None else v for v, m in zip(values, marks, strict=True)]
        columns.append(values)
    return list(zip(*columns, strict=True))
