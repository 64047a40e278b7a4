"""The dense grid: every cell of a cell query's domain in a fixed order, whether or not anybody is in it.

Which cells there are follows from code lists alone, so an absent row never tells that nobody is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from catalogue.fragment import Axis, Fragment
from policies.plan import Atom, CellQuery, GridBlock
from policies.protect.errors import ProtectError, ProtectFault

Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Grid:
    """Blocks one after the other, each the product of its axes' parts in C order (the last axis runs fastest)."""

    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, fragment: Fragment) -> Grid:
        return cls(
            tuple(
                tuple(axis.n_parts if isinstance(axis, Axis) else 2 for axis in block.axes)
                for block in fragment.blocks
            )
        )

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(prod(shape) for shape in self.shapes)

    @property
    def size(self) -> int:
        return sum(self.sizes)

    @property
    def offsets(self) -> tuple[int, ...]:
        """The index of each block's first cell."""
        return tuple(sum(self.sizes[:i]) for i in range(len(self.shapes)))

    def slices(self) -> tuple[slice, ...]:
        return tuple(slice(start, start + size) for start, size in zip(self.offsets, self.sizes, strict=True))

    def cells(self, rows: pa.Table) -> Integers:
        """The index of the cell that each row of a raw table (columns ``block``, ``p0``..) belongs to.

        Raises ProtectError for rows outside the grid.
        """
        block = _integers(rows, "block")
        if not block.size:
            return block
        _within(block, np.int64(len(self.shapes)))
        cell = np.array(self.offsets, dtype=np.int64)[block]
        for position in range(max(len(shape) for shape in self.shapes)):
            lengths = np.array([_length(shape, position) for shape in self.shapes], dtype=np.int64)
            strides = np.array([prod(shape[position + 1 :]) for shape in self.shapes], dtype=np.int64)
            part = _integers(rows, f"p{position}")
            _within(part, lengths[block])
            cell += part * strides[block]
        return cell


def check_grid(query: CellQuery) -> Grid:
    """The grid of a cell query, after a check that what is shown and what is asked of the source agree."""
    shown = Grid(tuple(tuple(len(axis.parts) for axis in block.axes) for block in query.blocks))
    if shown != Grid.of(query.fragment):
        raise ProtectError(ProtectFault.PLAN, "the fragment's blocks are not those of the query")
    return shown


def structural(query: CellQuery, atom: Atom, grid: Grid) -> Mask:
    """Cells that nobody can be in, by the code lists alone: the leaf sets of box and part have nothing in common."""
    box = query.where & atom.where
    result = np.zeros(grid.size, dtype=np.bool_)
    if any(not leaves for _, leaves in box.sets):
        result[:] = True
        return result
    for where, block, shape in zip(grid.slices(), query.blocks, grid.shapes, strict=True):
        impossible = np.zeros(shape, dtype=np.bool_)
        for position, axis in enumerate(block.axes):
            leaves = box.get(axis.dimension)
            empty = [not (part if leaves is None else part & leaves) for part in axis.parts]
            impossible |= along(np.array(empty, dtype=np.bool_), position, len(shape))
        result[where] = impossible.ravel()
    return result


def along(values: Mask, position: int, dimensions: int) -> Mask:
    """One value per part, shaped so that it broadcasts along the axis at ``position`` of a block."""
    return values.reshape([-1 if i == position else 1 for i in range(dimensions)])


def key_columns(query: CellQuery, grid: Grid, kept: Sequence[Integers]) -> dict[str, pa.ChunkedArray]:
    """The query's key columns and ``grouping`` for the cells kept of each block (indexes within the block)."""
    columns: dict[str, list[pa.Array]] = {key.name: [] for key in query.keys}
    types = {key.name: arrow_type(key.type) for key in query.keys}
    grouping = []
    for block, shape, local in zip(query.blocks, grid.shapes, kept, strict=True):
        values = _block_values(block, shape, local, types)
        for name, chunks in columns.items():
            chunks.append(values.get(name, pa.nulls(len(local), types[name])))
        grouping.append(pa.array(np.full(len(local), block.grouping, dtype=np.int64)))
    result = {name: pa.chunked_array(chunks, types[name]) for name, chunks in columns.items()}
    return result | {"grouping": pa.chunked_array(grouping, pa.int64())}


def _block_values(
    block: GridBlock, shape: tuple[int, ...], local: Integers, types: dict[str, pa.DataType]
) -> dict[str, pa.Array]:
    if not shape:
        return {}
    parts = np.unravel_index(local, shape)
    return {
        key: pa.array(values, types[key]).take(pa.array(part))
        for axis, part in zip(block.axes, parts, strict=True)
        for key, values in zip(axis.keys, axis.values, strict=True)
    }


_ARROW_TYPES = {
    "VARCHAR": pa.string(),
    "BOOLEAN": pa.bool_(),
    "TINYINT": pa.int8(),
    "SMALLINT": pa.int16(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "HUGEINT": pa.decimal128(38, 0),
    "FLOAT": pa.float32(),
    "DOUBLE": pa.float64(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us"),
}


def arrow_type(name: str) -> pa.DataType:
    """The Arrow type of a DuckDB type name, as key columns declare it.

    >>> arrow_type("DECIMAL(10,2)")
    Decimal128Type(decimal128(10, 2))
    """
    if not carried(name):
        raise ProtectError(ProtectFault.PLAN, "a key column has a type that cells do not carry")
    upper = name.upper()
    if upper.startswith("DECIMAL("):
        precision, scale = upper.removeprefix("DECIMAL(").removesuffix(")").split(",")
        return pa.decimal128(int(precision), int(scale))
    return _ARROW_TYPES[upper]


def carried(name: str) -> bool:
    """Whether key columns can have this DuckDB type.

    >>> carried("DECIMAL(10,2)"), carried("INTEGER[]")
    (True, False)
    """
    upper = name.upper()
    return upper in _ARROW_TYPES or (upper.startswith("DECIMAL(") and upper.endswith(")"))


def _length(shape: tuple[int, ...], position: int) -> int:
    """How many parts a block has at an axis; beyond its axes the part is null, read as 0."""
    return shape[position] if position < len(shape) else 1


def _integers(rows: pa.Table, name: str) -> Integers:
    if name not in rows.column_names:
        raise ProtectError(ProtectFault.SOURCE, f"raw cells lack {name}")
    column = rows[name].cast(pa.int64()).fill_null(0)
    return np.asarray(column.to_numpy(), dtype=np.int64).copy()


def _within(values: Integers, lengths: Integers | np.int64) -> None:
    if bool(((values < 0) | (values >= lengths)).any()):
        raise ProtectError(ProtectFault.SOURCE, "raw cells lie outside the grid")
