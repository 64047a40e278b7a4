"""Files and DuckDB databases as a source."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from connectors.duckdb import DuckDBConnector
from connectors.key_table import Loading, key_table_sql
from connectors.protocol import Connector
from connectors.registry import ConnectorKind, SourceSettings, Surroundings
from connectors.sources import DatabaseSource, FileSource


class DuckDBSettings(SourceSettings):
    """Parquet, CSV and Arrow files in a folder, or a DuckDB database file."""

    kind: Literal["duckdb"] = Field("duckdb", description="The engine that reads the source.")
    directory: Path = Field(
        Path("data"), description="The folder that file locations of datasets are relative to."
    )
    database: Path | None = Field(None, description="A DuckDB database file, opened read-only.")
    threads: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Threads of the engine; all cores where none is given."
    )
    memory_limit: Annotated[str, StringConstraints(pattern=r"^[0-9]+(MB|GB)$")] = Field(
        "4GB", description="Memory of the engine for all runs together, such as 4GB."
    )


def open_duckdb(settings: DuckDBSettings, surroundings: Surroundings) -> Connector:
    """A connector that spills to a folder of its own in the node's state."""
    source = (
        FileSource(surroundings.configuration / settings.directory)
        if settings.database is None
        else DatabaseSource(surroundings.configuration / settings.database)
    )
    spill = surroundings.state / "spill"
    spill.mkdir(mode=0o700, exist_ok=True)
    return DuckDBConnector(
        source, memory_limit=settings.memory_limit, threads=settings.threads, temp_directory=spill
    )


LOADING = Loading(
    "COPY ({query}) TO '{file}' (HEADER);",
    "COPY {table} FROM '{file}' (HEADER);",
    home="main",
    copy="COPY (\n{query}\n) TO '{file}' (FORMAT parquet);",
)

KIND = ConnectorKind(DuckDBSettings, open_duckdb, lambda _, table: key_table_sql(table, LOADING))
