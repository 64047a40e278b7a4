"""Where a source's data stands, and how to tell that it is still the same.

A snapshot identity covers, for every file, its path, size, modification time and edges: a Parquet file's footer
(which holds the statistics of every column), else the first and last 64 KiB. That is read in milliseconds before
and after each run. ``content_digest`` reads everything, for the record that an import makes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from catalogue.fragment import SourceError, SourceFault, Table

EDGE_BYTES = 64 * 1024


class Format(StrEnum):
    PARQUET = "parquet"
    CSV = "csv"
    ARROW = "arrow"


SUFFIXES = {
    ".parquet": Format.PARQUET,
    ".csv": Format.CSV,
    ".arrow": Format.ARROW,
    ".feather": Format.ARROW,
    ".ipc": Format.ARROW,
}


def _missing(table: Table) -> SourceError:
    return SourceError(SourceFault.MISSING, f"dataset {table.dataset}: its source is not there")


def _is_passed_over(path: Path) -> bool:
    """What engines leave in a directory beside its data, and pass over themselves: temporary and hidden files.

    >>> _is_passed_over(Path("_temporary/0/part.parquet")), _is_passed_over(Path("_year=2025/part.parquet"))
    (True, False)
    """
    return any(part[0] == "." or (part[0] == "_" and "=" not in part) for part in path.parts)


@dataclass(frozen=True, slots=True)
class FileSource:
    """Files below ``root``. A location is a path, a glob, or a directory of files of one format, whose folders
    ``name=value`` are columns, as text: a condition on such a column leaves the other folders unread."""

    root: Path

    def paths(self, table: Table) -> tuple[Path, ...]:
        """The table's files in order. Raises SourceError MISSING for none, or for a location outside the root."""
        root = self.root.resolve()
        try:
            if (root / table.location).is_dir():
                folder = root / table.location
                inside = (path for path in folder.rglob("*") if not _is_passed_over(path.relative_to(folder)))
                found = sorted(path for path in inside if path.suffix.lower() in SUFFIXES and path.is_file())
            elif any(sign in table.location for sign in "*?["):
                found = sorted(root.glob(table.location))
            else:
                found = [root / table.location]
        except (OSError, ValueError, NotImplementedError):
            found = []
        if not found or not all(p.is_file() and p.resolve().is_relative_to(root) for p in found):
            raise _missing(table)
        return tuple(found)

    def partitions(self, table: Table) -> tuple[str, ...]:
        """The columns that folders below a directory name, outermost first."""
        base = self.root.resolve() / table.location
        folders = (path.relative_to(base).parts[:-1] for path in self.paths(table)) if base.is_dir() else ()
        names = (part.partition("=")[0] for parts in folders for part in parts if "=" in part)
        return tuple(dict.fromkeys(names))

    def format(self, table: Table) -> Format:
        """By file name. Raises SourceError SCHEMA where files have none of the known suffixes, or several."""
        formats = {SUFFIXES.get(path.suffix.lower()) for path in self.paths(table)}
        found = formats.pop()
        if found is None or formats:
            raise SourceError(
                SourceFault.SCHEMA, f"dataset {table.dataset}: files are neither Parquet, CSV nor Arrow IPC"
            )
        return found

    def identity(self, table: Table) -> bytes:
        return _identity(self.root.resolve(), self.paths(table), table)


@dataclass(frozen=True, slots=True)
class DatabaseSource:
    """Tables of one DuckDB database file, opened read-only. A location is a table name, with schema if need be."""

    path: Path

    def identity(self, table: Table) -> bytes:
        """The identity of the whole file: any committed change to the database is a change of all its tables."""
        wal = self.path.with_name(self.path.name + ".wal")
        files = [self.path, wal] if wal.exists() else [self.path]
        if not self.path.is_file():
            raise SourceError(SourceFault.UNREACHABLE, f"dataset {table.dataset}: its database is not there")
        digest = hashlib.sha256(_identity(self.path.parent, files, table))
        digest.update(table.location.encode())
        return digest.digest()


@dataclass(frozen=True, slots=True)
class SqliteSource:
    """Tables and views of one SQLite database file. A location is a table's or a view's name."""

    path: Path

    def identity(self, table: Table) -> bytes:
        """The identity of the whole file with its journals. Its first page counts the transactions; those that are
        in a write-ahead log alone have changed the log.

        Reading the file here makes the system forget the locks that connections of this process hold on it. So a
        writer may step between reads of one transaction: it then has changed this identity, and the cells are dropped.
        """
        if not self.path.is_file():
            raise SourceError(SourceFault.UNREACHABLE, f"dataset {table.dataset}: its database is not there")
        logs = [self.path.with_name(self.path.name + suffix) for suffix in ("-wal", "-journal")]
        files = [self.path, *(log for log in logs if log.is_file() and log.stat().st_size)]
        digest = hashlib.sha256(_identity(self.path.parent, files, table))
        digest.update(table.location.encode())
        return digest.digest()


Source = FileSource | DatabaseSource | SqliteSource


def _identity(root: Path, paths: Iterable[Path], table: Table) -> bytes:
    digest, gone = hashlib.sha256(), False
    try:
        for path in paths:
            status = path.stat()
            digest.update(f"{path.relative_to(root)}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
            digest.update(hashlib.sha256(_edges(path, status.st_size)).digest())
    except OSError:
        gone = True  # raised outside, so that the system's own text is not chained
    if gone:
        raise _missing(table)
    return digest.digest()


def _edges(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        if path.suffix.lower() == ".parquet" and size >= 12:
            file.seek(size - 8)
            length = int.from_bytes(file.read(4), "little")
            file.seek(max(0, size - 8 - length))
            return file.read(length + 8)
        head = file.read(EDGE_BYTES)
        file.seek(max(0, size - EDGE_BYTES))
        return head + file.read(EDGE_BYTES)


def snapshot_of(source: Source, tables: Iterable[Table]) -> str:
    """One identity for all that the tables hold, whatever their order."""
    digest = hashlib.sha256()
    for part in sorted({source.identity(table) for table in tables}):
        digest.update(part)
    return f"sha256:{digest.hexdigest()}"


def content_digest(paths: Iterable[Path]) -> str:
    """SHA-256 over every byte of the files, in order: what an import records."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return f"sha256:{digest.hexdigest()}"
