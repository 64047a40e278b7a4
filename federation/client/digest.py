"""The digest of a released table: one value for one table, whatever file it travelled in.

The digest is SHA-256 over a serialisation of columns, types, values and row order, not over a file, so that the
same release has the same digest as Arrow IPC or Parquet, chunked or not, dictionary-encoded or not, with or
without metadata. Anyone can recompute it. The serialisation, ``federation-table/1``, is:

1. the header: canonical JSON of ``{"columns": [{"name": …, "type": …}, …], "format": …, "rows": n}``, then a newline;
2. for each column in order, n bytes of validity (1 for a value, 0 for NULL), then the values. Integers are
   little-endian; a NULL stands as zero (an empty string).

==============  =============================================  ============================================
type            Arrow types                                    values
==============  =============================================  ============================================
``null``        null                                           nothing
``boolean``     bool                                           1 byte, 0 or 1
``integer``     every integer that fits 64 bits, signed        8 bytes, two's complement
``float``       half, float, double                            8 bytes, IEEE 754; one NaN; no negative zero
``decimal(s)``  decimals of scale s that fit 128 bits          16 bytes, two's complement of value·10^s
``date``        date32, date64                                 8 bytes, days since 1970-01-01
``time``        time32, time64                                 8 bytes, microseconds since midnight
``timestamp``   timestamp without zone                         8 bytes, microseconds since 1970-01-01
``instant``     timestamp with zone                            8 bytes, microseconds since 1970-01-01 UTC
``string``      string, large_string, string_view, dictionary  n lengths in bytes of 8 bytes each, then UTF-8
==============  =============================================  ============================================
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

FORMAT = "federation-table/1"


class DigestError(ValueError):
    """A column has a type, or a value, that a release cannot hold."""

    code = "release_column_unsupported"

    def __init__(self, column: str, type_name: str) -> None:
        super().__init__(f"column {column!r} of type {type_name} cannot be part of a release")
        self.column = column


class _Hash(Protocol):
    def update(self, data: bytes | memoryview, /) -> None: ...


def canonical_json(value: object) -> bytes:
    """JSON with sorted keys, no spaces, UTF-8, and no NaN: equal values give equal bytes.

    >>> canonical_json({"b": 1, "a": "é"}).decode()
    '{"a":"é","b":1}'
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def columns_of(table: pa.Table) -> list[dict[str, str]]:
    """Names and canonical types of a table's columns, as the digest's header and the statement give them.

    Raises:
        DigestError: a column's type is not in the list above.
    """
    return [{"name": field.name, "type": _type_name(field)} for field in table.schema]


def schema_of(columns: Sequence[Mapping[str, str]]) -> pa.Schema:
    """Arrow types that hold the canonical types of ``columns_of``: what to read a textual download with.

    Raises:
        DigestError: a type's name is none of the list above.

    >>> schema_of([{"name": "pay", "type": "decimal(2)"}]).field("pay").type
    Decimal128Type(decimal128(38, 2))
    """
    return pa.schema([(column["name"], _arrow_type(column["name"], column["type"])) for column in columns])


def table_digest(table: pa.Table) -> str:
    """``sha256:`` and 64 hexadecimal digits over the serialisation ``federation-table/1`` of ``table``.

    Raises:
        DigestError: a column's type is unsupported, or a value does not fit its canonical type.

    >>> one = pa.table({"n": pa.array([10, None], pa.int8())})
    >>> two = pa.table({"n": pa.chunked_array([[10], [None]], pa.int64())})
    >>> table_digest(one) == table_digest(two)
    True
    """
    header = {"format": FORMAT, "rows": table.num_rows, "columns": columns_of(table)}
    digest = hashlib.sha256(canonical_json(header) + b"\n")
    for index, field in enumerate(table.schema):
        try:
            _update(digest, _canonical(_flat(table.column(index))))
        except pa.ArrowInvalid:
            raise DigestError(field.name, str(field.type)) from None
    return f"sha256:{digest.hexdigest()}"


def _flat(column: pa.ChunkedArray) -> pa.Array:
    """One plain array: chunks joined, dictionaries (which may differ from chunk to chunk) decoded."""
    chunks, kind = column.chunks, column.type
    if pa.types.is_dictionary(kind):
        chunks, kind = [chunk.dictionary_decode() for chunk in chunks], kind.value_type
    return pa.concat_arrays(chunks) if chunks else pa.array([], kind)


def _type_name(field: pa.Field) -> str:
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    for matches, name in _NAMES:
        if matches(kind):
            return name
    if pa.types.is_decimal(kind):
        return f"decimal({kind.scale})"
    if pa.types.is_timestamp(kind):
        return "timestamp" if kind.tz is None else "instant"
    raise DigestError(field.name, str(field.type))


_NAMES = (
    (pa.types.is_null, "null"),
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_integer, "integer"),
    (pa.types.is_floating, "float"),
    (pa.types.is_date, "date"),
    (pa.types.is_time, "time"),
    (pa.types.is_string, "string"),
    (pa.types.is_large_string, "string"),
    (pa.types.is_string_view, "string"),
)


_TYPES = {
    "null": pa.null(),
    "boolean": pa.bool_(),
    "integer": pa.int64(),
    "float": pa.float64(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timestamp": pa.timestamp("us"),
    "instant": pa.timestamp("us", "UTC"),
    "string": pa.string(),
}


def _arrow_type(column: str, name: str) -> pa.DataType:
    decimal = re.fullmatch(r"decimal\((-?\d{1,2})\)", name)
    if decimal:
        return pa.decimal128(38, int(decimal[1]))
    if name not in _TYPES:
        raise DigestError(column, name)
    return _TYPES[name]


def _canonical(values: pa.Array) -> pa.Array:
    """The values in the one Arrow type of each canonical type; casts are safe, so a loss raises ArrowInvalid."""
    kind = values.type
    if pa.types.is_boolean(kind):
        return values.cast(pa.uint8())
    if pa.types.is_integer(kind):
        return values.cast(pa.int64())
    if pa.types.is_floating(kind):
        # Adding zero turns -0.0 into 0.0; the payload of a NaN means nothing and differs between engines.
        wide = pc.add(values.cast(pa.float64()), 0.0)
        return pc.if_else(pc.is_nan(wide), pa.scalar(math.nan), wide)
    if pa.types.is_decimal(kind):
        return values.cast(pa.decimal128(38, kind.scale))
    if pa.types.is_date(kind):
        return values.cast(pa.date32()).cast(pa.int32()).cast(pa.int64())
    if pa.types.is_time(kind):
        return values.cast(pa.time64("us")).cast(pa.int64())
    if pa.types.is_timestamp(kind):
        return values.cast(pa.timestamp("us", kind.tz)).cast(pa.int64())
    return values if pa.types.is_null(kind) else values.cast(pa.large_string())


def _update(digest: _Hash, values: pa.Array) -> None:
    digest.update(_fixed_width(values.is_valid().cast(pa.uint8())))
    if pa.types.is_null(values.type):
        return
    if pa.types.is_large_string(values.type):
        filled = values.fill_null("")
        digest.update(_fixed_width(pc.binary_length(filled).cast(pa.int64())))
        for part in _text(filled):
            digest.update(part)
    else:
        digest.update(_fixed_width(values.fill_null(pa.scalar(0).cast(values.type))))


def _fixed_width(values: pa.Array) -> memoryview | bytes:
    buffer = values.buffers()[1]
    if buffer is None or len(values) == 0:
        return b""
    width = values.type.bit_width // 8
    return memoryview(buffer)[values.offset * width : (values.offset + len(values)) * width]


def _text(values: pa.Array) -> Iterator[memoryview]:
    _, offsets, data = values.buffers()
    if len(values) == 0 or data is None:
        return
    starts = memoryview(offsets).cast("q")
    yield memoryview(data)[starts[values.offset] : starts[values.offset + len(values)]]
