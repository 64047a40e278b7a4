"""Record keys for a source that its custodian cannot alter: a table of keys beside it, and a view that joins them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from connectors.sources import SUFFIXES

KEYS = "record_keys"
NAME = "federation"
WITH_KEYS = "_with_keys"
"""Ends the name of what has them: a view of its table's own name would read itself where its schema comes first."""


@dataclass(frozen=True, slots=True)
class KeyTable:
    """A dataset whose units get keys: its table, and the column that tells units apart."""

    dataset: str
    location: str
    unit: str


@dataclass(frozen=True, slots=True)
class Loading:
    """How an engine's own client writes a query to a CSV file and reads one into a table: ``{query}``, ``{table}``
    and ``{file}`` stand for what is meant.

    ``schemas`` says that tables stand in schemas, ``home`` in which one a location without one is, where views need to
    be told. ``copy`` writes a query to a Parquet file, for an engine whose
    locations may be files, which have no views. ``note`` is a comment on what the node's role needs.
    """

    write: str
    read: str
    schemas: bool = True
    home: str = ""
    copy: str | None = None
    note: str = ""


def key_table_sql(table: KeyTable, loading: Loading) -> str:
    """The statements, with comments that say what to run between them.

    Where the dataset's location is the view already, they are those for units that came since.

    >>> "CREATE VIEW" in key_table_sql(KeyTable("people", "hr.staff", "staff_no"), Loading("{query}", "{table}"))
    True
    >>> again = KeyTable("people", "federation.people_with_keys", "staff_no")
    >>> "CREATE VIEW" in key_table_sql(again, Loading("{query}", "{table}"))
    False
    """
    before = f"{NAME}." if loading.schemas else f"{NAME}_"
    view, keys = f"{before}{table.dataset}{WITH_KEYS}", f"{before}{table.dataset}_{KEYS}"
    unit = '"' + table.unit.replace('"', '""') + '"'
    text = f"CAST(t.{unit} AS VARCHAR(200))"
    if table.location.lower() == view.lower():
        missing = f"SELECT DISTINCT {text} AS unit FROM {view} AS t WHERE t.{unit} IS NOT NULL AND t.record_key IS NULL"
        return f"""-- {view} is the view already: what follows is for units that it has no keys for.
{keys_of(missing, keys, table.dataset, loading, 1)}"""
    path = PurePosixPath(table.location)
    is_file = path.suffix in SUFFIXES
    stored = path.with_name(path.stem.removesuffix(WITH_KEYS) + path.suffix)
    located = f"{loading.home}." if loading.home and "." not in table.location else ""
    place = f"'{stored}'" if is_file else located + table.location
    known = f"SELECT 1 FROM {keys} AS k WHERE k.unit = {text}"
    units = f"SELECT DISTINCT {text} AS unit FROM {place} AS t WHERE t.{unit} IS NOT NULL AND NOT EXISTS ({known})"
    joined = f"SELECT t.*, k.record_key\nFROM {place} AS t\nLEFT JOIN {keys} AS k ON k.unit = {text}"
    schema = f"CREATE SCHEMA IF NOT EXISTS {NAME};\n" if loading.schemas else ""
    if is_file and loading.copy is not None:
        copied = stored.with_name(f"{stored.stem}{WITH_KEYS}.parquet")
        last = f"""-- 5. The copy that the dataset's `location` names from now on, with `record_key: record_key`.
--    Files have no views: write it anew whenever the file changes.
{loading.copy.format(query=joined, file=copied)}"""
        again = "New units need keys of their own: repeat 1 to 5, in the same database."
    else:
        note = f"\n-- {loading.note.format(schema=NAME, view=view)}" if loading.note else ""
        last = f"""-- 5. The view that the dataset's `location` names from now on, with `record_key: record_key`.
CREATE VIEW {view} AS
{joined};{note}"""
        again = (
            "New units need keys of their own: once `location` names the view, print the statements again."
        )
    return f"""-- 1. A place beside the data, for keys and views alone.
{schema}CREATE TABLE IF NOT EXISTS {keys} (
  unit VARCHAR(200) PRIMARY KEY,
  record_key INTEGER NOT NULL CHECK (record_key >= 0 AND record_key < 100000000)
);

{keys_of(units, keys, table.dataset, loading, 2)}
{last}

-- {again}
"""


def keys_of(units: str, keys: str, dataset: str, loading: Loading, first: int) -> str:
    """The steps from a query for units to their keys in the table, numbered from ``first``."""
    return f"""-- {first}. Write the units to a file of your own.
{loading.write.format(query=units, file="units.csv")}

-- {first + 1}. Make their keys, with the node's key secret; without it nobody can make or test one.
--    federation sources keys {dataset} --config DIR --units units.csv --out keys.csv

-- {first + 2}. Load them, then destroy both files.
{loading.read.format(table=keys, file="keys.csv")}
"""
