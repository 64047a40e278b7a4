"""A released table as bytes in each offered format. Statuses stand in columns of their own everywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from federation.api.negotiation import MediaType
from federation.client.display import MEANINGS
from federation.client.verify import with_statement


def encode(table: pa.Table, statement: str, about: Mapping[str, Any], media_type: MediaType) -> bytes:
    """``table`` in the format. The statement travels inside Arrow and Parquet; CSV and JSON have it beside them.

    Args:
        about: what is said beside the table in JSON: release, source and notes.
    """
    match media_type:
        case MediaType.JSON:
            return _json(table, about)
        case MediaType.CSV:
            return _csv(table)
        case MediaType.ARROW:
            return _arrow(with_statement(table, statement))
        case MediaType.PARQUET:
            return _parquet(with_statement(table, statement))


def _json(table: pa.Table, about: Mapping[str, Any]) -> bytes:
    fields = [{"name": field.name, "type": str(field.type)} for field in table.schema]
    document = {
        **about,
        "columns": fields,
        "data": _plain(table).to_pylist(),
        "legend": {mark: MEANINGS[mark] for mark in _marks(table)},
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False, default=_iso).encode()


def _plain(table: pa.Table) -> pa.Table:
    """Numbers as JSON has them: decimals as doubles, and no NaN or infinity."""
    columns = []
    for column in table.columns:
        if pa.types.is_decimal(column.type):
            column = column.cast(pa.float64())
        if pa.types.is_floating(column.type):
            column = pc.if_else(pc.is_finite(column), column, pa.scalar(None, column.type))
        columns.append(column)
    return pa.table(columns, names=table.column_names)


def _marks(table: pa.Table) -> list[str]:
    names = [name for name in table.column_names if name.endswith("__status")]
    found = {mark for name in names for mark in table.column(name).unique().to_pylist()}
    return sorted(mark for mark in found if mark in MEANINGS)


def _iso(value: object) -> str:
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    raise TypeError(f"a release holds no {type(value).__name__}")


def _csv(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pyarrow.csv.write_csv(table, sink, pyarrow.csv.WriteOptions(quoting_style="needed"))
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _arrow(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pyarrow.parquet.write_table(table, sink, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    return content
