"""The labour market on the test cluster: Parquet files below a root, or tables of the catalog."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql.connect.session import SparkSession

from connectors.spark import SparkConnector
from connectors.spark_tables import CatalogTables, ParquetRoot
from tests.connectors.labour import Market
from tests.support.spark import TOKEN, Cluster

SMALL = {
    "spark.sql.shuffle.partitions": "2",
    # A statement over a hundred rows is mostly the compilation of its code; with a few of them it is compiled.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}


def url(cluster: Cluster, token: str = TOKEN) -> str:
    return f"{cluster.remote}/;token={token}"


class SparkMarket(Market):
    examples: ClassVar[int] = (
        4  # of each storage, whose plans are the same: a thousand lines, made anew each time
    )
    seconds: ClassVar[float] = 240

    def __init__(self, storage: str, cluster: Cluster) -> None:
        self.storage, self.cluster = storage, cluster
        self.folder = Path(tempfile.mkdtemp(prefix="market", dir=cluster.folder))
        tables = ParquetRoot(str(self.folder)) if storage == "parquet" else CatalogTables()
        self.connector = SparkConnector(url(cluster), tables, SMALL)
        self.made: set[str] = set()

    def location(self, name: str) -> str:
        return f"{name}.parquet" if self.storage == "parquet" else f"{self.folder.name}_{name}"

    def store(self, name: str, table: pa.Table) -> None:
        path = self.folder / f"{name}.parquet"
        if self.storage == "parquet":
            pq.write_table(table, path, row_group_size=7)
            return
        shutil.rmtree(self.folder / name, ignore_errors=True)
        (self.folder / name).mkdir()
        pq.write_table(table, self.folder / name / "part.parquet")
        self._say(f"DROP TABLE IF EXISTS {self.location(name)}")
        self._say(f"CREATE TABLE {self.location(name)} USING parquet LOCATION '{self.folder / name}'")
        self.made.add(self.location(name))

    def _say(self, *statements: str) -> None:
        session = SparkSession(url(self.cluster))
        try:
            for statement in statements:
                session.sql(statement).collect()
        finally:
            session.stop()

    def close(self) -> None:
        super().close()
        if self.made:
            self._say(*(f"DROP TABLE {name}" for name in self.made))
