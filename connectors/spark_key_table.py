"""Record keys for a table of Spark's that its custodian cannot alter: rows and keys are written together as Parquet.

What a view holds cannot be watched for changes, so that there is none. Spark's tables have no primary keys: the table
of keys is written whole each time, since a unit that stood in it twice would be counted twice.
"""

from __future__ import annotations

from dataclasses import replace

from connectors.key_table import KEYS, NAME, WITH_KEYS, KeyTable, Loading, keys_of

CSV = "header 'true', escape '\"', multiLine 'true'"
"""A file as others write and read it: Spark would escape quotes with backslashes, and cut a text at its line ends."""

CODES = "SET spark.sql.sources.partitionColumnTypeInference.enabled = false;\n"
"""Folders that are columns are texts, as the node reads them: codes keep their zeros."""

LOADING = Loading(
    f"INSERT OVERWRITE DIRECTORY '{{file}}' USING csv\n"
    f"OPTIONS ({CSV}, ignoreLeadingWhiteSpace 'false', ignoreTrailingWhiteSpace 'false')\n"
    "SELECT /*+ COALESCE(1) */ * FROM ({query});\n"
    "-- The cluster writes a folder; its one part is the file of units.",
    f"CREATE OR REPLACE TEMPORARY VIEW keys_file USING csv OPTIONS (path '{{file}}', {CSV});\n"
    "INSERT OVERWRITE {table} SELECT unit, CAST(record_key AS INT) FROM keys_file;",
)


def spark_key_table_sql(table: KeyTable, root: str | None) -> str:
    """The statements, with comments that say what to run between them; ``root`` is that of the source's files.

    Where the dataset's location is what they write, only a comment: it does not tell where the rows stand.

    >>> "USING parquet AS" in spark_key_table_sql(KeyTable("people", "hr.staff", "staff_no"), None)
    True
    >>> "FROM parquet.`s3a://lake/staff/*`" in spark_key_table_sql(KeyTable("people", "staff/*", "no"), "s3a://lake")
    True
    """
    keys = f"{NAME}.{table.dataset}_{KEYS}"
    written = f"{table.dataset}{WITH_KEYS}" if root is not None else f"{NAME}.{table.dataset}{WITH_KEYS}"
    if table.location.rstrip("/").lower() == written.lower():
        return f"""-- {table.location} has keys already. The statements that made it write it anew whenever rows change:
-- let `location` name the table without keys to see them again.
"""
    unit = f"t.{_quoted(table.unit)}"
    text = f"CAST({unit} AS STRING)"
    if root is None:
        place, loading = table.location, LOADING
        write = f"DROP TABLE IF EXISTS {written};\nCREATE TABLE {written} USING parquet AS"
    else:
        folder = root.rstrip("/")
        place, loading = (
            f"parquet.{_quoted(f'{folder}/{table.location}')}",
            replace(LOADING, write=CODES + LOADING.write),
        )
        write = f"{CODES}INSERT OVERWRITE DIRECTORY '{_escaped(f'{folder}/{written}')}' USING parquet"
    units = f"SELECT DISTINCT {text} AS unit FROM {place} AS t WHERE {unit} IS NOT NULL"
    return f"""-- 1. A place beside the data, for keys and rows with keys alone.
CREATE SCHEMA IF NOT EXISTS {NAME};
CREATE TABLE IF NOT EXISTS {keys} (unit STRING, record_key INT) USING parquet;

{keys_of(units, keys, table.dataset, loading, 2)}
-- 5. What the dataset's `location` names from now on, `{written}`, with `record_key: record_key`.
{write}
SELECT t.*, k.record_key
FROM {place} AS t
LEFT JOIN {keys} AS k ON k.unit = {text};

-- Keep these statements: repeat 5 whenever rows change, and 2 to 5 where units came.
"""


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
