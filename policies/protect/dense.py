"""Raw statistics on the dense grid: one number per cell, 0 where the source had nobody."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from catalogue.fragment import RawCells
from policies.protect.errors import ProtectError, ProtectFault
from policies.protect.grid import Grid

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Number = TypeVar("Number", np.int64, np.float64)


class DenseCells:
    """The raw cells of one fragment by grid index. True values: never leaves ``protect``.

    Raises ProtectError for a missing column, a cell given twice or a number beyond 64 bits.
    """

    def __init__(self, grid: Grid, raw: RawCells) -> None:
        self.grid = grid
        self._raw = raw
        self._cell = grid.cells(raw.cells)
        if self._cell.size and np.bincount(self._cell, minlength=1).max() > 1:
            raise ProtectError(ProtectFault.SOURCE, "a cell was given twice")

    def __repr__(self) -> str:
        return "DenseCells(withheld)"

    def has(self, name: str) -> bool:
        return name in self._raw.cells.column_names

    def integers(self, name: str) -> Integers:
        """A whole number per cell; of a decimal column its digits without the point."""
        return self._place(fixed_point(self._column(name)))

    def floats(self, name: str) -> Floats:
        """A column as float64, the point of decimals applied."""
        return self._place(as_floats(self._column(name)))

    def histogram(self, statistic: str) -> tuple[pa.Table, Integers]:
        """The long histogram of a statistic and the cell of each of its rows."""
        if statistic not in self._raw.histograms:
            raise ProtectError(ProtectFault.SOURCE, f"no histogram {statistic}")
        rows = self._raw.histograms[statistic]
        return rows, self.grid.cells(rows)

    def _column(self, name: str) -> pa.Array:
        if not self.has(name):
            raise ProtectError(ProtectFault.SOURCE, f"raw cells lack {name}")
        return contiguous(self._raw.cells[name])

    def _place(self, values: npt.NDArray[Number]) -> npt.NDArray[Number]:
        dense = np.zeros(self.grid.size, dtype=values.dtype)
        dense[self._cell] = values
        return dense


def contiguous(column: pa.ChunkedArray) -> pa.Array:
    """A column as one array without nulls: a missing statistic is that of nobody."""
    filled = column.combine_chunks()
    if isinstance(filled, pa.ChunkedArray):
        filled = pa.concat_arrays(filled.chunks) if filled.num_chunks else pa.array([], column.type)
    return filled.fill_null(0) if filled.null_count else filled


def fixed_point(column: pa.Array) -> Integers:
    """Integers, or a decimal's digits without the point. Raises ProtectError beyond 64 bits or for another type."""
    if pa.types.is_decimal128(column.type):
        low, high = _limbs(column)
        digits = low.view(np.int64)
        if bool((high != digits >> 63).any()):
            raise ProtectError(ProtectFault.OVERFLOW, "a total is beyond 64 bits")
        return digits.copy()
    if pa.types.is_integer(column.type):
        return np.asarray(column.cast(pa.int64()).to_numpy(zero_copy_only=False), dtype=np.int64)
    raise ProtectError(ProtectFault.SOURCE, "a column is neither a whole number nor a decimal")


def as_floats(column: pa.Array) -> Floats:
    """A number as the nearest float64 (to within one unit in the last place for decimals beyond 53 bits)."""
    if pa.types.is_decimal128(column.type):
        low, high = _limbs(column)
        digits = low.view(np.int64)
        wide = high.astype(np.float64) * 2.0**64 + low.astype(np.float64)
        # The two words of a small negative number would cancel: where 64 bits hold it, they alone are read.
        values = np.where(high == digits >> 63, digits.astype(np.float64), wide)
        power: float = 10.0**column.type.scale
        return values / power
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def decimals(digits: Integers, hidden: npt.NDArray[np.bool_], scale: int) -> pa.Array:
    """The inverse of ``fixed_point``: a decimal(38, scale) column, NULL where hidden."""
    words = np.empty((digits.size, 2), dtype="<i8")
    words[:, 0] = np.where(hidden, 0, digits)
    words[:, 1] = words[:, 0] >> 63
    valid = pa.array(~hidden).buffers()[1]
    return pa.Array.from_buffers(
        pa.decimal128(38, scale), digits.size, [valid, pa.py_buffer(words)], int(hidden.sum())
    )


def _limbs(column: pa.Array) -> tuple[npt.NDArray[np.uint64], Integers]:
    """The low and high words of 128-bit decimals (little endian, two's complement)."""
    buffer = column.buffers()[1]
    if buffer is None or len(column) == 0:
        return np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64)
    words = np.frombuffer(buffer, dtype="<u8", count=2 * len(column), offset=16 * column.offset)
    return words[0::2].copy(), words[1::2].copy().view(np.int64)
