"""A small labour market of random rows, its columns as a fragment may ask for them, and its storage formats."""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.feather as feather
import pyarrow.parquet as pq

from catalogue.fragment import Column, Field, Grid, Join, Measure, Table
from connectors.duckdb import DuckDBConnector
from connectors.protocol import Capability, Connector
from connectors.sources import DatabaseSource, FileSource, SqliteSource
from connectors.sqlite import SqliteConnector

T = TypeVar("T")

DOUBLE_PAY = "TRY_CAST(pay AS DECIMAL(10, 2)) * 2"
MATCHED = '"emp_id" IS NOT NULL'

EXPRESSIONS: dict[str, Callable[[Any], Any]] = {
    **{name: (lambda row, name=name: row[name]) for name in (
        "id", "rkey", "area", "sex", "band", "age", "pay", "hours", "posts", "employer", "holding", "weight",
        "sic", "size", "level",
    )},
    DOUBLE_PAY: lambda row: None if row["pay"] is None else row["pay"] * 2,
    MATCHED: lambda row: row["emp_id"] is not None,
}  # fmt: skip

PEOPLE = pa.schema([
    ("id", pa.int64()), ("rkey", pa.int32()), ("area", pa.string()), ("sex", pa.string()), ("band", pa.int16()),
    ("age", pa.int32()), ("pay", pa.decimal128(10, 2)), ("hours", pa.float64()), ("posts", pa.int32()),
    ("employer", pa.int64()), ("holding", pa.string()), ("weight", pa.float64()),
])  # fmt: skip
EMPLOYERS = pa.schema([("emp_id", pa.int64()), ("sic", pa.string()), ("size", pa.int32())])
LEARNERS = pa.schema([("pid", pa.int64()), ("level", pa.int32())])


def _some(rng: np.random.Generator, value: T, missing: float) -> T | None:
    return None if rng.random() < missing else value


def make_people(seed: int, units: int, rows_per_unit: int) -> list[dict[str, Any]]:
    """Random people: nulls, negatives, zeros, codes outside the lists; key and weight constant per unit."""
    rng = np.random.default_rng(seed)
    people = []
    for unit in range(units):
        key, weight = int(rng.integers(0, 10**8)), float(rng.integers(1, 200_000)) / 1000
        for _ in range(int(rng.integers(1, rows_per_unit + 1))):
            people.append({
                "id": unit, "rkey": key, "weight": weight,
                "area": _some(rng, f"E0{rng.integers(0, 7)}", 0.1),
                "sex": "FM"[rng.integers(0, 2)],
                "band": _some(rng, int(rng.integers(0, 6)), 0.1),
                "age": _some(rng, int(rng.integers(10, 80)), 0.1),
                "pay": _some(rng, Decimal(int(rng.integers(-300, 3000) * rng.integers(0, 2))) / 100, 0.2),
                "hours": _some(rng, float(rng.integers(0, 240)) / 4, 0.1),
                "posts": int(rng.integers(1, 9)),
                "employer": _some(rng, int(rng.integers(0, 6)), 0.2),
                "holding": _some(rng, "gh"[rng.integers(0, 2)], 0.3),
            })  # fmt: skip
    return people


def make_employers(seed: int) -> list[dict[str, Any]]:
    """Employers 0 to 3: two that people name are not there."""
    rng = np.random.default_rng(seed)
    return [
        {"emp_id": i, "sic": _some(rng, "AB"[rng.integers(0, 2)], 0.2), "size": int(rng.integers(1, 500))}
        for i in range(4)
    ]


def make_learners(seed: int, units: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    return [
        {"pid": _some(rng, int(rng.integers(0, units + 3)), 0.1), "level": int(rng.integers(1, 4))}
        for _ in range(units)
    ]


FORMATS = ("parquet", "partitioned", "csv", "arrow", "database")

# Every column on which rows may be cut, over leaves of which some do not occur and some values are no leaf.
AREA = Column(Field("area"), ("E00", "E01", "E02", "E03", "E04", "E05", None))
SEX = Column(Field("sex"), ("F", "M"))
BAND = Column(Field("band"), (0, 1, 2, 3, None))
AGE = Column(Field("age"), tuple(range(16, 70)))
AGE_GRID = Column(Field("age"), (*range(6), None), Grid(Decimal(16), Decimal(10), 6))
PAY_GRID = Column(Field("pay"), tuple(range(8)), Grid(Decimal("-1.5"), Decimal("2.5"), 8))
HOURS_GRID = Column(Field("hours"), (*range(5), None), Grid(Decimal(0), Decimal("12.5"), 5))
SIC = Column(Field("sic", ("employer",)), ("A", "B", None))
SIZE = Column(Field("size", ("employer",)), tuple(range(4)), Grid(Decimal(0), Decimal(100), 4))
MATCH = Column(Field(MATCHED, ("employer",)), (False, True))
COLUMNS = (AREA, SEX, BAND, AGE, AGE_GRID, PAY_GRID, HOURS_GRID, SIC, SIZE, MATCH)
LEVEL = Column(Field("level"), (1, 2, 3))

MEASURES = (
    Measure("pay", Field("pay"), 2, signed=True),
    Measure("pay_rounded", Field("pay"), 1, signed=True),
    Measure("double_pay", Field(DOUBLE_PAY), 2, signed=True),
    Measure("age", Field("age"), 0),
    Measure("hours", Field("hours"), 2),
    Measure("posts", Field("posts"), 0, nullable=False, zeros=False),
    Measure("size", Field("size", ("employer",)), 0),
    Measure("rows", None, 0),
)


class Market(ABC):
    """The tables in one engine, with a connector on them.

    ``exceptions`` are the expressions of EXPRESSIONS that the engine declines, each with its reason: fragments for
    it do without them, and a test holds that they are refused. ``grids`` are columns cut by a grid, ``examples`` is how
    many fragments a test generates, ``seconds`` how long the run of one may take.
    """

    exceptions: ClassVar[Mapping[str, str]] = {}
    grids: ClassVar[bool] = True
    examples: ClassVar[int] = 15
    seconds: ClassVar[float] = 60
    connector: Connector

    @property
    def columns(self) -> tuple[Column, ...]:
        found = (column for column in COLUMNS if column.field.expression not in self.exceptions)
        return tuple(c for c in found if self._has(c.field) and (self.grids or c.grid is None))

    @property
    def measures(self) -> tuple[Measure, ...]:
        found = (m for m in MEASURES if m.field is None or m.field.expression not in self.exceptions)
        return tuple(m for m in found if m.field is None or self._has(m.field))

    def offers(self, capability: Capability) -> bool:
        return capability in self.connector.capabilities

    def _has(self, field: Field) -> bool:
        return not field.path or self.offers(Capability.JOIN)

    def location(self, name: str) -> str:
        """Where a table stands in the source."""
        return name

    def table(self, name: str) -> Table:
        return Table("data", self.location(name), name)

    def employer_join(self) -> Join:
        return Join(("employer",), self.table("employers"), "employer", "emp_id")

    def write(self, **tables: tuple[pa.Schema, list[dict[str, Any]]]) -> None:
        for name, (schema, rows) in tables.items():
            self.store(name, pa.Table.from_pylist(rows, schema))

    @abstractmethod
    def store(self, name: str, table: pa.Table) -> None:
        """Put a table there, in the place of what bears its name."""

    def close(self) -> None:
        self.connector.close()


class DuckDBMarket(Market):
    """Files of one format in a folder, or a DuckDB database."""

    examples: ClassVar[int] = 12  # of each format: the plans are the same

    def __init__(self, format_: str, folder: Path) -> None:
        self.format, self.folder = format_, folder
        self.connector = DuckDBConnector(
            DatabaseSource(folder / "market.duckdb") if format_ == "database" else FileSource(folder),
            threads=2,
        )

    def location(self, name: str) -> str:
        return name + {"parquet": ".parquet", "csv": ".csv", "arrow": ".arrow"}.get(self.format, "")

    def store(self, name: str, table: pa.Table) -> None:
        path = self.folder / self.table(name).location
        match self.format:
            case "parquet":
                pq.write_table(table, path, row_group_size=7)
            case "partitioned":
                pq.write_to_dataset(
                    table, path, partition_cols=["sex"] if "sex" in table.column_names else None,
                    existing_data_behavior="delete_matching",
                )  # fmt: skip
            case "csv":
                pacsv.write_csv(table, path)
            case "arrow":
                feather.write_feather(table, path)
            case _:
                with duckdb.connect(str(self.folder / "market.duckdb")) as connection:
                    connection.register("given", table)
                    connection.execute(f"CREATE OR REPLACE TABLE {name} AS FROM given")


SQLITE_TYPES = {"int": "INTEGER", "string": "TEXT", "double": "REAL", "decimal": "DECIMAL(10, 2)"}


class SqliteMarket(Market):
    """One SQLite database file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "market.sqlite"
        self.connector = SqliteConnector(SqliteSource(self.path), threads=2)

    def store(self, name: str, table: pa.Table) -> None:
        declared = [
            next(sql for kind, sql in SQLITE_TYPES.items() if str(field.type).startswith(kind))
            for field in table.schema
        ]
        columns = ", ".join(f"{c} {t}" for c, t in zip(table.column_names, declared, strict=True))
        rows = [
            tuple(str(v) if isinstance(v, Decimal) else v for v in row.values()) for row in table.to_pylist()
        ]
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(f"DROP TABLE IF EXISTS {name}")
            connection.execute(f"CREATE TABLE {name} ({columns})")
            places = ", ".join("?" * len(declared))
            connection.executemany(f"INSERT INTO {name} VALUES ({places})", rows)
