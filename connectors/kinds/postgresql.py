"""A PostgreSQL database as a source."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from connectors.key_table import Loading, key_table_sql
from connectors.postgresql import PostgreSQLConnector
from connectors.postgresql_session import Limits
from connectors.protocol import Connector
from connectors.registry import ConnectorKind, SourceSettings, Surroundings

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=63)]
SecretName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]


class TLS(StrEnum):
    """libpq's ``sslmode``: only the last two say who the server is."""

    DISABLE = "disable"
    REQUIRE = "require"
    VERIFY_CA = "verify-ca"
    VERIFY_FULL = "verify-full"


class PostgreSQLSettings(SourceSettings):
    """Where the database is and how its role logs in."""

    kind: Literal["postgresql"] = Field("postgresql", description="The engine that reads the source.")
    host: Annotated[str, StringConstraints(min_length=1)] = Field(
        description="The server's name or address, or the folder of its Unix socket."
    )
    port: Annotated[int, Field(ge=1, le=65535)] = Field(5432, description="The server's port.")
    database: Identifier = Field(description="The database.")
    user: Identifier = Field(description="The role that the node logs in as; it should only read.")
    password: SecretName | None = Field(None, description="The name of the secret that holds the password.")
    sslmode: TLS = Field(
        TLS.VERIFY_FULL, description="How the connection is encrypted; ignored on a Unix socket."
    )
    root_certificate: Path | None = Field(
        None, description="The certificates that the server's own is held against."
    )
    schemas: Annotated[tuple[Identifier, ...], Field(min_length=1)] = Field(
        ("public",), description="The schemas that may be read; a location without one means the first."
    )
    statement_timeout: Annotated[float, Field(ge=1)] = Field(
        600.0, description="Seconds after which the server itself ends a statement."
    )
    connect_timeout: Annotated[int, Field(ge=2, le=60)] = Field(
        10, description="Seconds that a connection may take to open."
    )
    pool_size: Annotated[int, Field(ge=1, le=64)] = Field(
        4, description="Connections that the node opens at most."
    )
    work_mem: Annotated[str, StringConstraints(pattern=r"^[0-9]+(kB|MB|GB)$")] = Field(
        "64MB", description="Memory that the server may use for one sort or hash."
    )


def conninfo(settings: PostgreSQLSettings, surroundings: Surroundings) -> str:
    """What libpq is told; a server that does not answer is given up by the network's own signs too."""
    told: dict[str, object] = {
        "host": settings.host,
        "port": settings.port,
        "dbname": settings.database,
        "user": settings.user,
        "connect_timeout": settings.connect_timeout,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 60_000,
        "client_encoding": "UTF8",
        "application_name": "devolved-federation",
        "gssencmode": "disable",
    }
    if not settings.host.startswith("/"):
        told["sslmode"] = settings.sslmode.value
    if settings.root_certificate is not None:
        told["sslrootcert"] = surroundings.configuration / settings.root_certificate
    if settings.password is not None:
        told["password"] = surroundings.secret(settings.password)
    return " ".join(f"{name}={_value(value)}" for name, value in told.items())


def _value(value: object) -> str:
    escaped = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def open_postgresql(settings: PostgreSQLSettings, surroundings: Surroundings) -> Connector:
    limits = Limits(settings.pool_size, settings.statement_timeout, settings.work_mem)
    return PostgreSQLConnector(conninfo(settings, surroundings), settings.schemas, limits)


LOADING = Loading(
    "\\copy ({query}) TO '{file}' WITH (FORMAT csv, HEADER)",
    "\\copy {table} FROM '{file}' WITH (FORMAT csv, HEADER)",
    note="Grant the node's role USAGE on schema {schema} and SELECT on {view}; add {schema} to the source's `schemas`.",
)

KIND = ConnectorKind(PostgreSQLSettings, open_postgresql, lambda _, table: key_table_sql(table, LOADING))
