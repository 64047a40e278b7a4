"""What instrumentation costs at the source: each fragment beside the plain question that an analyst would ask.

    python -m bench.connector_bench [PEOPLE] [--repeat N] [--engine duckdb|postgresql|spark]

Makes PEOPLE synthetic people (20 million if not told), then runs plain question and fragment in turn and prints the
medians, the ratio of the medians, and how much comes from the source to the node. Both sides are warm: the first pair
is not counted.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Protocol

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from catalogue.fragment import (
    Axis,
    Block,
    Column,
    Condition,
    Field,
    Fragment,
    Grid,
    Histogram,
    Magnitude,
    Measure,
    Statistic,
    Tally,
)
from catalogue.fragment import Table as Source
from catalogue.leaves import LeafSet
from connectors.duckdb import DuckDBConnector
from connectors.protocol import Connector
from connectors.sources import DatabaseSource, FileSource

CHUNK = 1_000_000
AREAS, OCCUPATIONS, INDUSTRIES = 331, 412, 88


def make_people(count: int, path: Path) -> None:
    """People with area, sex, age, occupation, industry, pay and employer; four in five work for an employer of
    their own area, a few employers are very large."""
    rng = np.random.default_rng(1)
    areas = pa.array([f"E{i:08d}" for i in range(AREAS)])
    occupations = pa.array([str(1000 + i) for i in range(OCCUPATIONS)])
    share = rng.dirichlet(np.full(AREAS, 3.0))
    writer = None
    for start in range(0, count, CHUNK):
        n = min(CHUNK, count - start)
        area = rng.choice(AREAS, n, p=share)
        local = max(1, count // 15 // AREAS)
        size_rank = np.minimum((rng.pareto(0.8, n) * local / 20).astype(np.int64), local - 1)
        home = np.where(rng.random(n) < 0.8, area, rng.integers(0, AREAS, n))
        pay = np.round(np.exp(rng.normal(6.3, 0.6, n)) * 100).astype(np.int64)
        occupation = np.minimum(rng.exponential(90, n).astype(np.int32), OCCUPATIONS - 1)
        table = pa.table({
            "person_id": pa.array(start + np.arange(n)),
            "record_key": pa.array(rng.integers(0, 10**8, n).astype(np.int32)),
            "area": areas.take(pa.array(area)),
            "sex": pa.array(rng.integers(1, 3, n).astype(np.int8)),
            "age": pa.array(rng.integers(16, 90, n).astype(np.int16)),
            "occupation": occupations.take(pa.array(occupation)),
            "industry": pa.array(rng.integers(1, INDUSTRIES + 1, n).astype(np.int16)),
            "pay": pa.array(pay).cast(pa.decimal128(19, 0)).cast(pa.decimal128(38, 0)),
            "employer": pa.array(home * local + size_rank),
        })  # fmt: skip
        pence = table["pay"].combine_chunks()
        pounds = pa.Array.from_buffers(pa.decimal128(38, 2), len(pence), pence.buffers()).cast(
            pa.decimal128(9, 2)
        )
        table = table.set_column(table.schema.get_field_index("pay"), "pay", pounds)
        # Record keys are random: a dictionary of them only costs.
        writer = writer or pq.ParquetWriter(
            path, table.schema, use_dictionary=["area", "occupation"], store_decimal_as_integer=True
        )
        writer.write_table(table, row_group_size=122_880)
    assert writer is not None
    writer.close()


def leaves(column: Column) -> Axis:
    return Axis(column, tuple(range(len(column.values))), len(column.values))


AREA = Column(Field("area"), tuple(f"E{i:08d}" for i in range(AREAS)))
SEX = Column(Field("sex"), (1, 2))
INDUSTRY = Column(Field("industry"), tuple(range(1, INDUSTRIES + 1)))
OCCUPATION = Column(Field("occupation"), tuple(str(1000 + i) for i in range(OCCUPATIONS)))
AGE = Column(Field("age"), tuple(range(16, 90)))
REGION = Axis(AREA, tuple(i * 9 // AREAS for i in range(AREAS)), 9)
BAND = Axis(AGE, tuple(i // 10 for i in range(len(AGE.values))), 8)
PAY = Measure("pay", Field("pay"), 2, nullable=False, zeros=False)
PAY_GRID = Grid(Decimal(0), Decimal(5), 400)
TALLY = Tally("t")
MEAN = Magnitude("m", PAY)
EMPLOYER = Field("employer")


def cube(*axes: Axis) -> tuple[Block, ...]:
    return tuple(
        Block(tuple(axis for i, axis in enumerate(axes) if mask >> i & 1)) for mask in range(2 ** len(axes))
    )


ENOUGH = 5
"""Second units that a profile with a minimum of 3 and noise of at most 2 counts up to."""


def ask(
    table: Source,
    blocks: tuple[Block, ...],
    *asked: Statistic,
    second: Field | None = None,
    holding: Field | None = None,
    unit: Field | None = None,
    where: tuple[Condition, ...] = (),
) -> Fragment:
    return Fragment(
        table,
        (),
        unit,
        Field("record_key"),
        second,
        holding,
        None,
        where,
        blocks,
        asked,
        ENOUGH if second else None,
    )


@dataclass(frozen=True)
class Case:
    name: str
    plain: str
    fragment: Fragment
    limit: float | None = None


def cases(table: Source) -> Iterator[Case]:
    by_area = (Block((leaves(AREA),)),)
    working_age = Condition(AGE, LeafSet.of(range(0, 49), len(AGE.values)))
    yield Case(
        "count by area", "SELECT area, count(*) FROM people GROUP BY area", ask(table, by_area, TALLY), 1.75
    )
    yield Case(
        "count by region and age band, working age",
        "SELECT area, age // 10, count(*) FROM people WHERE age BETWEEN 16 AND 64 GROUP BY ALL",
        ask(table, (Block((REGION, BAND)),), TALLY, where=(working_age,)),
        1.75,
    )
    yield Case(
        "count by area and occupation",
        "SELECT area, occupation, count(*) FROM people GROUP BY ALL",
        ask(table, (Block((leaves(AREA), leaves(OCCUPATION))),), TALLY),
        1.75,
    )
    yield Case(
        "mean by area, with p%",
        "SELECT area, avg(pay) FROM people GROUP BY area",
        ask(table, by_area, TALLY, MEAN),
        2.2,
    )
    yield Case(
        "mean by industry and sex, with p%",
        "SELECT industry, sex, avg(pay) FROM people GROUP BY ALL",
        ask(table, (Block((leaves(INDUSTRY), leaves(SEX))),), TALLY, MEAN),
        2.2,
    )
    yield Case(
        "median by area",
        "SELECT area, median(pay) FROM people GROUP BY area",
        ask(table, by_area, TALLY, Histogram("h", PAY, PAY_GRID)),
        1.5,
    )
    yield Case(
        "cube of counts, area x sex x industry",
        "SELECT area, sex, industry, count(*) FROM people GROUP BY CUBE (area, sex, industry)",
        ask(table, cube(leaves(AREA), leaves(SEX), leaves(INDUSTRY)), TALLY),
        1.75,
    )
    yield Case(
        "count by area, occupation and age band (1.1M)",
        "SELECT area, occupation, age // 10, count(*) FROM people GROUP BY ALL",
        ask(table, (Block((leaves(AREA), leaves(OCCUPATION), BAND)),), TALLY),
        1.75,
    )
    yield Case(
        "count by area, second unit employer",
        "SELECT area, count(*) FROM people GROUP BY area",
        ask(table, by_area, TALLY, second=EMPLOYER),
        4,
    )
    yield Case(
        "mean by area, p% by holding",
        "SELECT area, avg(pay) FROM people GROUP BY area",
        ask(table, by_area, TALLY, MEAN, holding=EMPLOYER),
        4,
    )
    yield Case(
        "mean by area, second unit and holding",
        "SELECT area, avg(pay) FROM people GROUP BY area",
        ask(table, by_area, TALLY, MEAN, second=EMPLOYER, holding=EMPLOYER),
        4,
    )
    yield Case(
        "distinct employers by area (a row is no unit)",
        "SELECT area, count(DISTINCT employer) FROM people GROUP BY area",
        ask(table, by_area, TALLY, unit=EMPLOYER),
    )


class Ask(Protocol):
    """Asks a plain question and reads all of its answer."""

    def __call__(self, sql: str, /) -> object: ...


@dataclass(frozen=True)
class Measured:
    """Medians in seconds of the plain question and of the fragment, and the bytes of cells that came to the node."""

    case: Case
    plain: float
    ours: float
    bytes: int


def measured(cases: Iterable[Case], plain: Ask, connector: Connector, repeat: int) -> Iterator[Measured]:
    """Both sides once to warm up, then in turn."""
    for case in cases:
        before, ours, size = list[float](), list[float](), 0
        for _ in range(repeat + 1):
            started = time.perf_counter()
            plain(case.plain)
            between = time.perf_counter()
            (raw,) = connector.run(
                (case.fragment,), deadline=time.monotonic() + 900, cancel=threading.Event()
            )
            before.append(between - started)
            ours.append(time.perf_counter() - between)
            size = sum(table.nbytes for table in (raw.cells, *raw.histograms.values()))
        yield Measured(case, statistics.median(before[1:]), statistics.median(ours[1:]), size)


def shown(title: str, found: Iterable[Measured]) -> Table:
    """The figures as a table for the terminal."""
    table = Table(title=title)
    for heading in ("question", "fragment", "plain", "ratio", "aim", "cells to the node"):
        table.add_column(heading, justify="left" if heading == "question" else "right")
    for each in found:
        aim = f"≤ {each.case.limit}" if each.case.limit else "–"
        seconds = (f"{each.ours:.2f} s", f"{each.plain:.2f} s", f"{each.ours / each.plain:.2f}")
        table.add_row(each.case.name, *seconds, aim, f"{each.bytes / 1000:,.1f} kB")
    return table


def on_duckdb(count: int, repeat: int) -> Iterator[Table]:
    """The questions on Parquet, on Parquet in the order of employers, and on a native table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_people(count, folder / "people.parquet")
        with duckdb.connect(str(folder / "people.duckdb")) as making:
            making.execute(f"CREATE TABLE people AS FROM '{folder / 'people.parquet'}'")
            making.execute(f"COPY (FROM people ORDER BY employer) TO '{folder / 'ordered.parquet'}'")
        for title, source, location in (
            ("Parquet", FileSource(folder), "people.parquet"),
            ("Parquet in the order of employers", FileSource(folder), "ordered.parquet"),
            ("a native table", DatabaseSource(folder / "people.duckdb"), "people"),
        ):
            plain = duckdb.connect(config={"memory_limit": "8GB", "preserve_insertion_order": False})
            if isinstance(source, FileSource):
                plain.execute(f"CREATE VIEW people AS FROM '{folder / location}'")
            else:
                plain.execute(f"ATTACH '{folder / 'people.duckdb'}' AS source (READ_ONLY); USE source")
            connector = DuckDBConnector(source, memory_limit="8GB")
            asked = cases(Source("bench", location, "people"))
            yield shown(
                f"DuckDB, {title}, {count:,} people, median of {repeat}",
                measured(asked, lambda sql: plain.sql(sql).to_arrow_table(), connector, repeat),  # noqa: B023
            )
            connector.close()
            plain.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("people", type=int, nargs="?", default=20_000_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--engine", choices=("duckdb", "postgresql", "spark"), default="duckdb")
    given = parser.parse_args()
    console = Console()
    if given.engine == "duckdb":
        for table in on_duckdb(given.people, given.repeat):
            console.print(table)
        return
    # The others take their questions from here, and Spark's needs pyspark.
    module = import_module("bench.postgresql" if given.engine == "postgresql" else "bench.spark_bench")
    console.print(module.measure(given.people, given.repeat))


if __name__ == "__main__":
    main()
