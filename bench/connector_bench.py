"""What instrumentation costs at the source: each fragment beside the plain question that an analyst would ask.

    python bench/connector_bench.py [PEOPLE] [--repeat N] [--json FILE]

Makes PEOPLE synthetic people (20 million if not told) as Parquet and as a native DuckDB table in a temporary
folder, then runs plain question and fragment in turn and prints the medians, and the ratio of the medians.
The plain question runs on a DuckDB of the same settings. Both sides are warm: the first pair is not counted.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

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
    Table,
    Tally,
)
from catalogue.leaves import LeafSet
from connectors.duckdb import DuckDBConnector
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


def ask(
    table: Table,
    blocks: tuple[Block, ...],
    *asked: Statistic,
    second: Field | None = None,
    holding: Field | None = None,
    unit: Field | None = None,
    where: tuple[Condition, ...] = (),
) -> Fragment:
    return Fragment(table, (), unit, Field("record_key"), second, holding, None, where, blocks, asked)


@dataclass(frozen=True)
class Case:
    name: str
    plain: str
    fragment: Fragment
    limit: float | None = None


def cases(table: Table) -> Iterator[Case]:
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
    )
    yield Case(
        "mean by area, p% by holding",
        "SELECT area, avg(pay) FROM people GROUP BY area",
        ask(table, by_area, TALLY, MEAN, holding=EMPLOYER),
    )
    yield Case(
        "mean by area, second unit and holding",
        "SELECT area, avg(pay) FROM people GROUP BY area",
        ask(table, by_area, TALLY, MEAN, second=EMPLOYER, holding=EMPLOYER),
    )
    yield Case(
        "distinct employers by area (a row is no unit)",
        "SELECT area, count(DISTINCT employer) FROM people GROUP BY area",
        ask(table, by_area, TALLY, unit=EMPLOYER),
    )


def seconds(connector: DuckDBConnector, plain: duckdb.DuckDBPyConnection, case: Case) -> tuple[float, float]:
    started = time.perf_counter()
    plain.sql(case.plain).to_arrow_table()
    between = time.perf_counter()
    connector.run((case.fragment,), deadline=time.monotonic() + 600, cancel=threading.Event())
    return between - started, time.perf_counter() - between


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("people", type=int, nargs="?", default=20_000_000)
    arguments.add_argument("--repeat", type=int, default=5)
    arguments.add_argument("--json", type=Path)
    arguments.add_argument("--engine", choices=("duckdb", "postgresql"), default="duckdb")
    given = arguments.parse_args()
    if given.engine == "postgresql":
        from bench.postgresql import measure  # which takes its questions from here

        _write(given.json, given.people, measure(given.people, given.repeat))
        return
    found: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        parquet, database = Path(folder) / "people.parquet", Path(folder) / "people.duckdb"
        make_people(given.people, parquet)
        with duckdb.connect(str(database)) as making:
            making.execute(f"CREATE TABLE people AS FROM '{parquet}'")
        for storage, source, table in (
            ("parquet", FileSource(Path(folder)), Table("bench", parquet.name, "people")),
            ("native", DatabaseSource(database), Table("bench", "people", "people")),
        ):
            connector = DuckDBConnector(source, memory_limit="8GB")
            plain = duckdb.connect(config={"memory_limit": "8GB", "preserve_insertion_order": False})
            if storage == "parquet":
                plain.execute(f"CREATE VIEW people AS FROM '{parquet}'")
            else:
                plain.execute(f"ATTACH '{database}' AS source (READ_ONLY); USE source")
            print(f"\n{storage}, {given.people:,} people, median of {given.repeat}")
            print(f"{'':46}{'plain s':>9}{'ours s':>9}{'ratio':>7}{'limit':>7}")
            for case in cases(table):
                pairs = [seconds(connector, plain, case) for _ in range(given.repeat + 1)][1:]
                before, ours = (statistics.median(side) for side in zip(*pairs, strict=True))
                limit = f"{case.limit:.2f}" if case.limit else "-"
                print(f"{case.name:46}{before:9.3f}{ours:9.3f}{ours / before:7.2f}{limit:>7}")
                found.append({"storage": storage, "case": case.name, "plain": before, "ours": ours})
            connector.close()
            plain.close()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"\npeak memory of this process, making the data included: {peak:,.0f} MiB")
    _write(given.json, given.people, found)


def _write(path: Path | None, people: int, found: list[dict[str, object]]) -> None:
    if path is not None:
        path.write_text(json.dumps({"people": people, "cases": found}, indent=2))


if __name__ == "__main__":
    main()
