"""Reads a CSV or Parquet file into a private database as text, row by row as it stands, or says what is wrong."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from federation.importing.problems import SHOWN_ROWS, ImportRefused, rows_text

MAXIMUM_COLUMNS = 2_000
MEMORY = "1GB"
# All that Python, and so the reader of code lists, takes for a blank.
_BLANKS = "".join(chr(code) for code in range(0x3001) if chr(code).isspace())
_DELIMITERS = ",;\t|"
_HEADER_BYTES = 1024 * 1024
_REASONS = {
    "MISSING COLUMNS": "too few columns",
    "TOO MANY COLUMNS": "too many columns",
    "UNQUOTED VALUE": "a quotation mark that is not closed",
    "LINE SIZE OVER MAXIMUM": "more text than a row may hold",
    "INVALID ENCODING": "text that is not UTF-8",
}


@dataclass(frozen=True)
class Staged:
    """The table ``staged`` of ``connection``: the file's named columns as VARCHAR, blanks as NULL, in file order.

    ``unnamed`` counts columns without a name and ``nested`` names those that hold lists or structures: both were
    left behind. Row i of the table (from 0) is row i + 2 of a CSV file, whose header is row 1.
    """

    connection: duckdb.DuckDBPyConnection
    columns: tuple[str, ...]
    rows: int
    unnamed: int
    nested: tuple[str, ...]


@contextmanager
def stage(path: Path, workspace: Path, null_values: tuple[str, ...] = ()) -> Iterator[Staged]:
    """Stages a file in a database under ``workspace``, which the caller removes. ``null_values`` mean no value.

    Raises ImportRefused for whatever keeps the file from being read whole.
    """
    read = {".csv": _stage_csv, ".tsv": _stage_csv, ".txt": _stage_csv, ".parquet": _stage_parquet}
    suffix = path.suffix.lower()
    if not path.exists():
        raise ImportRefused(f"There is no file `{path.name}`.")
    if not path.is_file():
        raise ImportRefused(f"`{path.name}` is not a file.")
    if suffix not in read:
        raise ImportRefused(f"`{path.name}` is neither CSV nor Parquet: save it as .csv or .parquet.")
    try:
        if path.stat().st_size == 0:
            raise ImportRefused(f"`{path.name}` is empty.")
        with duckdb.connect(str(workspace / "staging.duckdb")) as connection:
            connection.execute("SET temp_directory = ?", [str(workspace)])
            connection.execute(f"SET memory_limit = '{MEMORY}'")
            yield read[suffix](connection, path, null_values)
    except duckdb.Error as error:
        # The engine's own text may quote rows of the file.
        raise ImportRefused(f"`{path.name}` could not be read or written ({type(error).__name__}).") from None
    except OSError as error:
        raise ImportRefused(f"`{path.name}` could not be read or written ({error.strerror}).") from None


def quoted(name: str) -> str:
    """A column name as an SQL identifier.

    >>> print(quoted('The "usual" hours'))
    "The ""usual"" hours"
    """
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _stage_csv(connection: duckdb.DuckDBPyConnection, path: Path, null_values: tuple[str, ...]) -> Staged:
    _check_encoding(path)
    delimiter, header = _header(path)
    kept = [name for name in header if name]
    _check_names(kept)
    # A column without a name still takes its place in every row.
    names = [name or f"unnamed column {index} of {path.name}" for index, name in enumerate(header)]
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
    nulls = ", ".join(literal(text) for text in ("", *null_values))
    selected = ", ".join(f"nullif({_clean(quoted(name))}, '') AS {quoted(name)}" for name in kept)
    connection.execute(
        f"CREATE TABLE staged AS SELECT {selected} "
        f"FROM read_csv(?, auto_detect = false, header = true, columns = {{{columns}}}, delim = {literal(delimiter)}, "
        f"quote = '\"', escape = '\"', nullstr = [{nulls}], store_rejects = true)",
        [str(path)],
    )
    _refuse_bad_rows(connection)
    return _staged(connection, kept, len(header) - len(kept), ())


def _refuse_bad_rows(connection: duckdb.DuckDBPyConnection) -> None:
    found = connection.execute(
        "SELECT error_type, count(DISTINCT line), list_slice(list_sort(list(DISTINCT line)), 1, ?) "
        "FROM reject_errors GROUP BY error_type ORDER BY error_type",
        [SHOWN_ROWS],
    ).fetchall()
    if found:
        raise ImportRefused(
            *(
                f"{rows_text(rows, total).capitalize()}: {_REASONS.get(kind, 'not valid CSV')}."
                for kind, total, rows in found
            )
        )


def _stage_parquet(connection: duckdb.DuckDBPyConnection, path: Path, null_values: tuple[str, ...]) -> Staged:
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError):
        raise ImportRefused(f"`{path.name}` is not a readable Parquet file.") from None
    named = [field.name for field in schema if field.name.strip()]
    _check_names(named)
    nested = tuple(
        field.name
        for field in schema
        if field.name in named and (pa.types.is_nested(field.type) or pa.types.is_binary(field.type))
    )
    kept = [name for name in named if name not in nested]
    if not kept:
        raise ImportRefused(f"`{path.name}` has no column that can be read.")
    nulls = ", ".join(literal(text) for text in ("", *null_values))
    selected = (
        f"CASE WHEN {_clean(text)} NOT IN ({nulls}) THEN {_clean(text)} END AS {quoted(name)}"
        for name, text in ((name, f"CAST({quoted(name)} AS VARCHAR)") for name in kept)
    )
    connection.execute(
        f"CREATE TABLE staged AS SELECT {', '.join(selected)} FROM read_parquet(?)", [str(path)]
    )
    return _staged(connection, kept, len(schema) - len(named), nested)


def _clean(text: str) -> str:
    """SQL for a text without surrounding blanks, its other blanks (line breaks too) as single-width spaces."""
    return f"trim(translate({text}, {literal(_BLANKS)}, {literal(' ' * len(_BLANKS))}))"


def _staged(
    connection: duckdb.DuckDBPyConnection, kept: list[str], unnamed: int, nested: tuple[str, ...]
) -> Staged:
    counted = connection.execute("SELECT count(*) FROM staged").fetchone()
    rows = int(counted[0]) if counted else 0
    if not rows:
        raise ImportRefused("The file has columns but no rows.")
    return Staged(connection, tuple(kept), rows, unnamed, nested)


def _check_names(names: list[str]) -> None:
    if not names:
        raise ImportRefused("The first row names no column.")
    if len(names) > MAXIMUM_COLUMNS:
        raise ImportRefused(f"The file has more than {MAXIMUM_COLUMNS:,} columns.")
    strange = sum(not name.isprintable() for name in names)
    if strange:
        raise ImportRefused(
            f"Column names hold line breaks or control characters, in {strange}: rename them."
        )
    folded = [name.casefold() for name in names]
    if "rowid" in folded:
        # The engine numbers the rows of a table under this name, and messages name rows by it.
        raise ImportRefused("A column can't be called `rowid`: rename it.")
    twice = sorted({name for name in names if folded.count(name.casefold()) > 1}, key=names.index)
    if twice:
        listed = ", ".join(f"`{name}`" for name in twice)
        raise ImportRefused(
            f"Column names stand twice (upper and lower case are the same): {listed}. Rename them."
        )


def _header(path: Path) -> tuple[str, list[str]]:
    """The delimiter that splits the first row into the most columns, and the names in that row."""
    with path.open("rb") as stream:
        start = stream.read(_HEADER_BYTES)
    text = start.decode("utf-8-sig", errors="ignore")
    rows: dict[str, list[str]] = {}
    for delimiter in _DELIMITERS:
        try:
            rows[delimiter] = next(csv.reader(text.splitlines(keepends=True), delimiter=delimiter), [])
        except csv.Error:
            raise ImportRefused("The first row is not valid CSV.") from None
    delimiter = max(rows, key=lambda candidate: len(rows[candidate]))
    names = [name.strip() for name in rows[delimiter]]
    if any(names) and all(name.lstrip("-").replace(".", "", 1).isdigit() for name in names if name):
        raise ImportRefused("The first row holds numbers, not column names: add a row of names.")
    return delimiter, names


def _check_encoding(path: Path) -> None:
    """Decodes the whole file once, in pieces, to name the line of the first byte that is not UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    line = 1
    with path.open("rb") as stream:
        while True:
            piece = stream.read(1 << 20)
            try:
                text = decoder.decode(piece, final=not piece)
            except UnicodeDecodeError as error:
                line += piece.count(b"\n", 0, error.start)
                raise ImportRefused(f"Line {line} is not UTF-8: save the file in UTF-8.") from None
            if "\x00" in text:
                raise ImportRefused("The file holds zero bytes: it is not a text file in UTF-8.")
            line += piece.count(b"\n")
            if not piece:
                return
