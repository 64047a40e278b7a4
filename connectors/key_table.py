"""Record keys for a source that its custodian cannot alter: a table of keys beside it, and a view that joins them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from connectors.sources import SUFFIXES

KEYS = "record_keys"


@dataclass(frozen=True, slots=True)
class KeyTable:
    """A dataset whose units get keys: its table, and the column that tells units apart."""

    dataset: str
    location: str
    unit: str


@dataclass(frozen=True, slots=True)
class Loading:
    """How an engine's own client writes a query to a CSV file and reads one into a table: ``{query}``, ``{table}``
    and ``{file}`` stand for what is meant."""

    write: str
    read: str


def key_table_sql(table: KeyTable, loading: Loading, schema: str = "federation") -> str:
    """The statements, with comments that say what to run between them.

    >>> "CREATE VIEW" in key_table_sql(KeyTable("people", "hr.staff", "staff_no"), Loading("{query}", "{table}"))
    True
    """
    place = f"'{table.location}'" if PurePath(table.location).suffix in SUFFIXES else table.location
    unit = '"' + table.unit.replace('"', '""') + '"'
    keys = f"{schema}.{table.dataset}_{KEYS}"
    units = loading.write.format(query=f"SELECT DISTINCT {unit} FROM {place}", file="units.csv")
    load = loading.read.format(table=keys, file="keys.csv")
    return f"""-- 1. A schema beside the data, for keys and views alone.
CREATE SCHEMA IF NOT EXISTS {schema};
CREATE TABLE {keys} (
  unit VARCHAR(200) PRIMARY KEY,
  record_key INTEGER NOT NULL CHECK (record_key >= 0 AND record_key < 100000000)
);

-- 2. Write the units to a file of your own.
{units}

-- 3. Make their keys, with the node's key secret; without it nobody can make or test one.
--    federation sources keys {table.dataset} --config DIR --units units.csv --out keys.csv

-- 4. Load them, then destroy both files.
{load}

-- 5. The view that the dataset's `location` names from now on, with `record_key: record_key`.
CREATE VIEW {schema}.{table.dataset} AS
SELECT t.*, k.record_key
FROM {place} AS t
LEFT JOIN {keys} AS k ON k.unit = CAST(t.{unit} AS VARCHAR(200));

-- New units need keys of their own: repeat 2 to 4 for units that {keys} lacks.
"""
