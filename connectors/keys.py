"""What rows are grouped by, and how many passes over the rows serve all blocks."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import pyarrow as pa

from catalogue.fragment import Axis, Block, Column, MembershipAxis

GROUP_LIMIT = 1 << 20
"""The largest product of domains by which one scan groups, unless a single block asks for more."""


@dataclass(frozen=True, slots=True)
class LateKey:
    """Group by what is stored (for a grid: the bin) and map groups to parts afterwards."""

    column: Column

    @property
    def size(self) -> int:
        return len(self.column.values)


@dataclass(frozen=True, slots=True)
class EarlyKey:
    """Map each row to its part first: the domain becomes ``n_parts``."""

    axis: Axis

    @property
    def size(self) -> int:
        return self.axis.n_parts


@dataclass(frozen=True, slots=True)
class MemberKey:
    """Whether the unit has a matching row in another dataset: 0 or 1."""

    axis: MembershipAxis

    @property
    def size(self) -> int:
        return 2


Key = LateKey | EarlyKey | MemberKey


@dataclass(frozen=True, slots=True)
class Scan:
    """One pass over the rows: its keys, and for each block it serves the key of every axis."""

    keys: tuple[Key, ...]
    blocks: dict[int, tuple[Key, ...]]


def size_of(keys: tuple[Key, ...]) -> int:
    return prod(max(1, key.size) for key in set(keys))


def row_keys(block: Block, other: int) -> tuple[Key, ...]:
    """Keys for what adds up over rows: late, but early where that shrinks too large a domain the most.

    ``other`` is the size of what else the scan groups by (the bins of a histogram).
    """
    keys: list[Key] = [
        MemberKey(axis) if isinstance(axis, MembershipAxis) else LateKey(axis.column) for axis in block.axes
    ]
    while size_of(tuple(keys)) * other > GROUP_LIMIT:
        gains = [
            (len(axis.column.values) / max(1, axis.n_parts), position)
            for position, axis in enumerate(block.axes)
            if isinstance(axis, Axis) and isinstance(keys[position], LateKey)
        ]
        gain, position = max(gains, default=(1.0, -1))
        if gain <= 1:
            break
        axis = block.axes[position]
        assert isinstance(axis, Axis)
        keys[position] = EarlyKey(axis)
    return tuple(keys)


def is_injective(axis: Axis) -> bool:
    used = [part for part in axis.parts if part >= 0]
    return len(set(used)) == len(used)


def entity_keys(block: Block) -> tuple[Key, ...]:
    """Keys for what is counted by entity: one entity may fall in two leaves of a part, so parts come first
    unless every part is one leaf."""
    return tuple(
        MemberKey(axis)
        if isinstance(axis, MembershipAxis)
        else LateKey(axis.column)
        if is_injective(axis)
        else EarlyKey(axis)
        for axis in block.axes
    )


def plan_scans(keys: list[tuple[Key, ...]], other: int = 1) -> list[Scan]:
    """As few scans as fit: blocks join, largest first, the first scan that stays below the limit.

    >>> from catalogue.fragment import Field
    >>> a, b = (LateKey(Column(Field(name), tuple(range(9)))) for name in "ab")
    >>> [sorted(scan.blocks) for scan in plan_scans([(a, b), (a,), ()])]
    [[0, 1, 2]]
    """
    scans: list[Scan] = []
    for block in sorted(range(len(keys)), key=lambda i: (-size_of(keys[i]), i)):
        for position, scan in enumerate(scans):
            union = tuple(dict.fromkeys(scan.keys + keys[block]))
            if size_of(union) * other <= max(GROUP_LIMIT, size_of(scan.keys) * other):
                scans[position] = Scan(union, {**scan.blocks, block: keys[block]})
                break
        else:
            scans.append(Scan(tuple(dict.fromkeys(keys[block])), {block: keys[block]}))
    return scans


def mapping(axis: Axis) -> pa.Table:
    """The axis as a relation: ``value`` (a stored code, or a bin) and its ``part``; leaves of no part are absent."""
    column = axis.column
    null = len(column.values) - 1 if column.values and column.values[-1] is None else None
    used = [leaf for leaf, part in enumerate(axis.parts) if part >= 0]
    codes = [code for code in column.values if code is not None]
    type_ = pa.string() if not codes or any(isinstance(code, str) for code in codes) else pa.int64()
    if codes and all(isinstance(code, bool) for code in codes):
        type_ = pa.bool_()
    if column.grid is not None:
        type_ = pa.int64()
        values: list[object] = [None if leaf == null else leaf for leaf in used]
    elif type_ == pa.string():
        values = [None if column.values[leaf] is None else str(column.values[leaf]) for leaf in used]
    else:
        values = [column.values[leaf] for leaf in used]
    return pa.table({
        "value": pa.array(values, type_),
        "part": pa.array([axis.parts[leaf] for leaf in used], pa.int32()),
    })  # fmt: skip
