"""Where tables stand for Spark, and how to tell that they are still the same.

An identity covers the path, size and modification time of every file of a table, as the cluster sees them: the
files may be where only it can reach. Spark is asked to list them and reads none of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from pyspark.sql.connect.dataframe import DataFrame
from sqlglot import exp

from catalogue.fragment import SourceError, SourceFault, Table
from connectors.spark_session import Session

FORBIDDEN_PARTS = ("", ".", "..")


@dataclass(frozen=True, slots=True)
class ParquetRoot:
    """Parquet files below ``root``, a URL or path that the cluster can read. A location is a file, a directory
    (Hive partitions are columns, as text) or a glob, relative to it."""

    root: str

    def path(self, table: Table) -> str:
        """Raises SourceError MISSING for a location that leads out of the root."""
        parts = table.location.rstrip("/").split("/")
        if any(part in FORBIDDEN_PARTS for part in parts) or any(sign in table.location for sign in ":\\{}"):
            raise SourceError(SourceFault.MISSING, f"dataset {table.dataset}: its source is not there")
        return f"{self.root.rstrip('/')}/{table.location.rstrip('/')}"

    def read(self, session: Session, table: Table) -> DataFrame:
        return session.spark.read.parquet(self.path(table))


@dataclass(frozen=True, slots=True)
class CatalogTables:
    """Tables of Spark's catalog that are kept as Parquet files. A location is a name, with schema if need be."""

    def name(self, table: Table) -> str:
        parts = [exp.to_identifier(part, quoted=True) for part in table.location.split(".")]
        return ".".join(part.sql(dialect="spark") for part in parts)

    def path(self, session: Session, table: Table) -> str:
        """The folder of the table's files.

        Raises SourceError SCHEMA for a view or another format: what those hold cannot be watched.
        """
        rows = session.fetch(f"DESCRIBE TABLE EXTENDED {self.name(table)}").to_pylist()
        said = {row["col_name"]: row["data_type"] for row in rows}
        if said.get("Provider", "").lower() != "parquet" or not said.get("Location"):
            detail = f"dataset {table.dataset}: its source is no table of Parquet files"
            raise SourceError(SourceFault.SCHEMA, detail)
        return str(said["Location"])

    def read(self, session: Session, table: Table) -> DataFrame:
        """Raises SourceError SCHEMA where a partition stands outside the table's folder."""
        frame = session.spark.table(self.name(table))
        folder = _plain(self.path(session, table)).rstrip("/") + "/"
        if not all(_plain(path).startswith(folder) for path in frame.inputFiles()):
            detail = f"dataset {table.dataset}: some of its files are not in its folder"
            raise SourceError(SourceFault.SCHEMA, detail)
        return frame


Tables = ParquetRoot | CatalogTables


def _plain(url: str) -> str:
    """A URL without an empty authority: file:/a and file:///a are one place."""
    scheme, colon, rest = url.partition(":")
    return f"{scheme}{colon}/{rest.lstrip('/')}" if rest.startswith("///") else url


def snapshot_of(session: Session, tables: Tables, wanted: Iterable[Table]) -> str:
    """One identity for all that the tables hold, whatever their order.

    Raises SourceError MISSING where there are no files.
    """
    digest = hashlib.sha256()
    for part in sorted({_identity(session, tables, table) for table in wanted}):
        digest.update(part)
    return f"sha256:{digest.hexdigest()}"


def _identity(session: Session, tables: Tables, table: Table) -> bytes:
    path = tables.path(table) if isinstance(tables, ParquetRoot) else tables.path(session, table)
    listing = session.spark.read.format("binaryFile").option("recursiveFileLookup", "true").load(path)
    files = session.fetch(listing.select("path", "length", "modificationTime"))
    if files.num_rows == 0:
        raise SourceError(SourceFault.MISSING, f"dataset {table.dataset}: its source is not there")
    digest = hashlib.sha256(table.location.encode())
    for name, size, changed in sorted(zip(*(column.to_pylist() for column in files.columns), strict=True)):
        digest.update(f"{name}\0{size}\0{changed.isoformat()}\0".encode())
    return digest.digest()
