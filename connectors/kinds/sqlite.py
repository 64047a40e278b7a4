"""SQLite database files as a source."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from connectors.key_table import Loading, key_table_sql
from connectors.protocol import Connector
from connectors.registry import ConnectorKind, SourceSettings, Surroundings
from connectors.sources import SqliteSource
from connectors.sqlite import SqliteConnector


class SqliteSettings(SourceSettings):
    """Tables and views of a SQLite database file."""

    kind: Literal["sqlite"] = Field("sqlite", description="The engine that reads the source.")
    database: Path = Field(description="A SQLite database file, opened read-only.")
    threads: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Threads of the engine; all cores where none is given."
    )
    memory_limit: Annotated[str, StringConstraints(pattern=r"^[0-9]+(MB|GB)$")] = Field(
        "4GB", description="Memory of the engine for all runs together, such as 4GB."
    )


def open_sqlite(settings: SqliteSettings, surroundings: Surroundings) -> Connector:
    """A connector that spills to a folder of its own in the node's state."""
    spill = surroundings.state / "spill"
    spill.mkdir(mode=0o700, exist_ok=True)
    return SqliteConnector(
        SqliteSource(surroundings.configuration / settings.database),
        memory_limit=settings.memory_limit,
        threads=settings.threads,
        temp_directory=spill,
    )


# Commands of SQLite's own shell, which is what its databases are altered with.
LOADING = Loading(
    ".headers on\n.mode csv\n.once '{file}'\n{query};",
    ".mode csv\n.import --skip 1 '{file}' {table}",
    schemas=False,
)

KIND = ConnectorKind(SqliteSettings, open_sqlite, lambda _, table: key_table_sql(table, LOADING))
