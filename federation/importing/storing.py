"""Writes a staged file as typed Parquet with the record keys of its units."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from catalogue.models import Role
from federation.importing.columns import RECORD_KEY_COLUMN, Candidate, Holds
from federation.importing.record_keys import record_keys
from federation.importing.staging import Staged, literal, quoted

DECIMAL_DIGITS = 18
_KEY_BATCH = 100_000


def write_keys(staged: Staged, unit: str, key_secret: bytes) -> None:
    """A table ``keys`` with the record key of every distinct unit, made batch by batch."""
    staged.connection.execute("CREATE TABLE keys (unit VARCHAR, record_key INTEGER)")
    cursor = staged.connection.cursor()
    reader = cursor.sql(f"SELECT DISTINCT {quoted(unit)} AS unit FROM staged").to_arrow_reader(_KEY_BATCH)
    for batch in reader:
        units = batch.column("unit")
        keyed = pa.table({"unit": units, "record_key": record_keys(units.to_pylist(), key_secret)})
        staged.connection.register("keyed", keyed)
        staged.connection.execute("INSERT INTO keys SELECT unit, record_key FROM keyed")
        staged.connection.unregister("keyed")


def write_data(
    staged: Staged, candidates: tuple[Candidate, ...], unit: str, target: Path, order: str | None = None
) -> None:
    """Writes every column that has a role, and the keys that ``write_keys`` made; in the ``order`` of a column, if
    one is named."""
    columns = ", ".join(
        f"{_stored(item)} AS {quoted(item.column.name)}" for item in candidates if item.role is not None
    )
    ordered = f" ORDER BY staged.{quoted(order)}" if order is not None else ""
    staged.connection.execute(
        f"COPY (SELECT {columns}, keys.record_key AS {RECORD_KEY_COLUMN} FROM staged "
        f"JOIN keys ON keys.unit = staged.{quoted(unit)}{ordered}) "
        f"TO {literal(str(target))} (FORMAT parquet, COMPRESSION zstd)"
    )


def _stored(item: Candidate) -> str:
    """A staged column as it is stored: codes as text, ages as integers, dates as dates, measures as decimals."""
    column = f"staged.{quoted(item.column.name)}"
    if item.integers:
        return f"CAST(CAST({column} AS DECIMAL(38, 0)) AS INTEGER)"
    if item.role in (Role.MEASURE, Role.WEIGHT):
        return f"CAST({column} AS DECIMAL({DECIMAL_DIGITS}, {item.column.decimals}))"
    if item.column.holds is Holds.DATES:
        return f"CAST(CAST({column} AS TIMESTAMP) AS DATE)"
    if item.column.holds is Holds.WHOLE_NUMBERS and item.column.pointed:
        # Whole numbers that some tool wrote as 5.0 because the column has gaps.
        return f"CAST(CAST({column} AS DECIMAL(38, 0)) AS VARCHAR)"
    return column


def codes_of(staged: Staged, item: Candidate) -> list[str]:
    """The codes of a dimension that occur in the data, in their order."""
    code = f"CAST({_stored(item)} AS VARCHAR)"
    order = "code"
    if item.column.holds is Holds.DATES:
        code = f"strftime({_stored(item)}, '%Y-%m')"
    elif item.column.holds is Holds.WHOLE_NUMBERS:
        order = "CAST(code AS BIGINT)"
    found = staged.connection.execute(
        f"SELECT code FROM (SELECT DISTINCT {code} AS code FROM staged) WHERE code IS NOT NULL ORDER BY {order}"
    ).fetchall()
    return [str(value) for (value,) in found]
