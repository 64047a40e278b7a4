"""A Spark cluster as a source. Its client is the optional extra ``spark``, loaded only when a source is opened."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated, Literal
from urllib.parse import quote

from pydantic import Field, StringConstraints

from connectors.protocol import Connector
from connectors.registry import ConnectorKind, KindUnusable, SourceSettings, Surroundings
from connectors.spark_key_table import spark_key_table_sql


class SparkSettings(SourceSettings):
    """Parquet files or catalog tables of a Spark cluster, through its Connect server."""

    kind: Literal["spark"] = Field("spark", description="The engine that reads the source.")
    url: Annotated[str, StringConstraints(pattern=r"^sc://[A-Za-z0-9.\[\]:_-]+$")] = Field(
        description="The Connect server, such as sc://spark.example.org:15002, without parameters."
    )
    token: str | None = Field(None, description="Name of the secret that holds the server's bearer token.")
    use_ssl: bool = Field(
        True, description="Whether to connect with TLS. Without it a token is sent to localhost alone."
    )
    root: str | None = Field(
        None,
        description="Folder or URL of Parquet files, as the cluster reads it, that locations of datasets are "
        "relative to. Without it a location is a table of Spark's catalog.",
    )
    shuffle_partitions: Annotated[int, Field(ge=1)] | None = Field(
        None, description="In how many parts Spark groups; the cluster's own number where none is given."
    )
    partition_size: Annotated[str, StringConstraints(pattern=r"^[0-9]+(MB|GB)$")] | None = Field(
        None, description="The most that one task reads at a time, such as 128MB: less needs less memory."
    )


def open_spark(settings: SparkSettings, surroundings: Surroundings) -> Connector:
    """A connector that has not connected yet.

    Raises KindUnusable where the extra ``spark`` is not installed.
    """
    if find_spec("pyspark") is None:
        raise KindUnusable("it needs the extra 'spark', which is not installed")
    from connectors.spark import SparkConnector
    from connectors.spark_tables import CatalogTables, ParquetRoot

    parameters = [f"use_ssl={str(settings.use_ssl).lower()}"]
    if settings.token is not None:
        parameters.append(f"token={quote(surroundings.secret(settings.token), safe='')}")
    session = {
        "spark.sql.shuffle.partitions": settings.shuffle_partitions,
        "spark.sql.files.maxPartitionBytes": settings.partition_size,
    }
    return SparkConnector(
        f"{settings.url}/;{';'.join(parameters)}",
        CatalogTables() if settings.root is None else ParquetRoot(settings.root),
        {key: str(value) for key, value in session.items() if value is not None},
    )


KIND = ConnectorKind(
    SparkSettings, open_spark, lambda settings, table: spark_key_table_sql(table, settings.root)
)
