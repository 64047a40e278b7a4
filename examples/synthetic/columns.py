"""From numpy to Parquet: coded, decimal and integer columns, written a row group at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from examples.synthetic.draws import Flags, Integers

SMALLEST_ROW_GROUP = 1 << 17


def coded(positions: Integers, codes: Sequence[str], missing: Flags | None = None) -> pa.Array:
    """Codes by position in their code list, kept as a dictionary."""
    indices = pa.array(positions.astype(np.int16), mask=missing)
    return pa.DictionaryArray.from_arrays(indices, pa.array(codes, pa.string()))


def integers(values: Integers, kind: pa.DataType, missing: Flags | None = None) -> pa.Array:
    return pa.array(values, mask=missing).cast(kind)


def fixed_point(values: Integers, digits: int, decimals: int, missing: Flags | None = None) -> pa.Array:
    """Decimals from integers that count units of the last place.

    >>> fixed_point(np.array([1250, -5]), 9, 2).to_pylist()
    [Decimal('12.50'), Decimal('-0.05')]
    """
    words = np.empty((len(values), 2), dtype="<i8")
    words[:, 0] = values
    words[:, 1] = values >> 63  # the sign, extended to 128 bits
    validity = None
    if missing is not None:
        validity = pa.py_buffer(np.packbits(~missing, bitorder="little").tobytes())
    buffers = [validity, pa.py_buffer(words)]
    return pa.Array.from_buffers(pa.decimal128(digits, decimals), len(values), buffers)


class TableFile:
    """A Parquet file that grows by blocks and appears under its name when it is whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        self._partial = path.with_suffix(".partial")
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[pa.Table] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._flush()
        if self._writer is not None:
            self._writer.close()
        if kind is None:
            self._partial.replace(self.path)
        else:
            self._partial.unlink(missing_ok=True)

    def add(self, columns: Mapping[str, pa.Array]) -> None:
        """Append a block; small blocks wait until they fill a row group."""
        block = pa.table(dict(columns))
        self.rows += len(block)
        self._waiting.append(block)
        if sum(map(len, self._waiting)) >= SMALLEST_ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        group = pa.concat_tables(self._waiting).combine_chunks()
        self._waiting = []
        if self._writer is None:
            dictionaries = [field.name for field in group.schema if pa.types.is_dictionary(field.type)]
            self._writer = pq.ParquetWriter(
                self._partial,
                group.schema,
                compression="zstd",
                compression_level=1,
                use_dictionary=dictionaries,
                store_decimal_as_integer=True,
            )
        self._writer.write_table(group, row_group_size=len(group) or None)
