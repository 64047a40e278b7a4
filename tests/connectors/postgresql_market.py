"""The small labour market in a PostgreSQL server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import adbc_driver_postgresql.dbapi as driver
import pyarrow as pa

from connectors.postgresql import PostgreSQLConnector
from connectors.postgresql_session import Limits
from tests.connectors.labour import Market

TYPES = {
    pa.int16(): "smallint", pa.int32(): "integer", pa.int64(): "bigint", pa.string(): "text",
    pa.float64(): "double precision",
}  # fmt: skip


def stored_type(type_: pa.DataType) -> str:
    return f"numeric({type_.precision}, {type_.scale})" if pa.types.is_decimal(type_) else TYPES[type_]


@dataclass(frozen=True)
class Server:
    """How to reach a server as its owner."""

    host: str

    @property
    def conninfo(self) -> str:
        return f"host='{self.host}' user='federation' dbname='postgres'"

    def execute(self, *statements: str) -> None:
        with driver.connect(self.conninfo, autocommit=True) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def value(self, query: str) -> Any:
        """The one value of a query."""
        with driver.connect(self.conninfo, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetch_arrow_table()[0][0].as_py()

    def store(self, schema: str, name: str, table: pa.Table) -> None:
        """Replace a table; decimals go in as text, which the driver can carry exactly."""
        carried = pa.table({
            column: values.cast(pa.string()) if pa.types.is_decimal(values.type) else values
            for column, values in zip(table.column_names, table.columns, strict=True)
        })  # fmt: skip
        columns = ", ".join(f'"{field.name}" {stored_type(field.type)}' for field in table.schema)
        casts = ", ".join(f'"{field.name}"::{stored_type(field.type)}' for field in table.schema)
        with driver.connect(self.conninfo, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS {schema}.{name} CASCADE")
            cursor.execute(f"CREATE TABLE {schema}.{name} ({columns})")
            cursor.execute("DROP TABLE IF EXISTS public.carried")
            cursor.adbc_ingest("carried", carried, mode="create", db_schema_name="public")
            cursor.execute(f"INSERT INTO {schema}.{name} SELECT {casts} FROM public.carried")
            cursor.execute("DROP TABLE public.carried")


class PostgreSQLMarket(Market):
    """Tables in a schema of the server."""

    def __init__(self, server: Server, schema: str = "market") -> None:
        self.server, self.schema = server, schema
        server.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE", f"CREATE SCHEMA {schema}")
        self.connector = PostgreSQLConnector(server.conninfo, (schema,), Limits(pool_size=2))

    def store(self, name: str, table: pa.Table) -> None:
        self.server.store(self.schema, name, table)
