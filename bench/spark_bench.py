"""What instrumentation costs on Spark: each fragment beside the plain question, on one cluster.

Starts a master, two workers and a Connect server on loopback, makes synthetic people as Parquet, and runs plain
question and fragment in turn. Both sides are warm. Every worker compiles a session's statements anew, so the plain
question is asked twice: in a session that is kept, and in one of its own as a run has. Ours is all that a run does,
both snapshots included; ``overhead`` shows a session with one alone. The ratio is to the session of its own.
"""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pyspark.sql.connect.session import SparkSession

from bench.connector_bench import (
    AGE,
    AREA,
    BAND,
    INDUSTRY,
    MEAN,
    PAY,
    PAY_GRID,
    REGION,
    SEX,
    TALLY,
    Case,
    Condition,
    ask,
    leaves,
    make_people,
)
from catalogue.fragment import Block, Histogram, Table
from catalogue.leaves import LeafSet
from connectors.spark import SparkConnector
from connectors.spark_tables import ParquetRoot
from tests.support.spark import SWITCH, TOKEN, Cluster, cluster

SETTINGS = {"spark.sql.shuffle.partitions": "4"}


def cases(table: Table) -> Iterator[Case]:
    by_area = (Block((leaves(AREA),)),)
    working_age = Condition(AGE, LeafSet.of(range(0, 49), len(AGE.values)))
    yield Case(
        "count by area", "SELECT area, count(*) FROM people GROUP BY area", ask(table, by_area, TALLY), 1.75
    )
    yield Case(
        "count by region and age band, working age",
        "SELECT area, age DIV 10, count(*) FROM people WHERE age BETWEEN 16 AND 64 GROUP BY ALL",
        ask(table, (Block((REGION, BAND)),), TALLY, where=(working_age,)),
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
        "SELECT area, percentile_approx(pay, 0.5) FROM people GROUP BY area",
        ask(table, by_area, TALLY, Histogram("h", PAY, PAY_GRID)),
    )


def measure(running: Cluster, people: int, repeat: int) -> list[dict[str, object]]:
    folder = running.folder / "bench"
    folder.mkdir(exist_ok=True)
    if not (folder / "people.parquet").exists():
        make_people(people, folder / "people.parquet")
    address = f"{running.remote}/;token={TOKEN}"
    connector = SparkConnector(address, ParquetRoot(str(folder)), SETTINGS)
    kept = _plain_session(address, folder)
    table = Table("bench", "people.parquet", "people")
    overhead = statistics.median(_timed(lambda: connector.snapshot(table)) for _ in range(repeat + 1))
    print(
        f"\nspark, {people:,} people, median of {repeat}; a session with one snapshot alone {overhead:.2f} s"
    )
    print(f"{'':46}{'kept s':>9}{'plain s':>9}{'ours s':>9}{'ratio':>7}{'limit':>7}")
    found: list[dict[str, object]] = []
    for case in cases(table):
        sides = (
            lambda: kept.sql(case.plain).toArrow(),  # noqa: B023 - called at once
            lambda: _ask_plainly(address, folder, case),  # noqa: B023
            lambda: _run(connector, case),  # noqa: B023
        )
        rounds = [[_timed(side) for side in sides] for _ in range(repeat + 1)][1:]
        before, plain, ours = (statistics.median(side) for side in zip(*rounds, strict=True))
        limit = f"{case.limit:.2f}" if case.limit else "-"
        line = f"{case.name:46}{before:9.3f}{plain:9.3f}{ours:9.3f}{ours / plain:7.2f}{limit:>7}"
        print(line, flush=True)
        found.append({"case": case.name, "kept": before, "plain": plain, "ours": ours})
    kept.stop()
    connector.close()
    return found


def _plain_session(address: str, folder: Path) -> SparkSession:
    session = SparkSession(address)
    for key, value in SETTINGS.items():
        session.conf.set(key, value)
    session.read.parquet(str(folder / "people.parquet")).createTempView("people")
    return session


def _ask_plainly(address: str, folder: Path, case: Case) -> None:
    session = _plain_session(address, folder)
    session.sql(case.plain).toArrow()
    session.stop()


def _run(connector: SparkConnector, case: Case) -> None:
    connector.run((case.fragment,), deadline=time.monotonic() + 900, cancel=threading.Event())


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def bench_spark(people: int, repeat: int) -> list[dict[str, object]]:
    """Measure on a cluster that is started for it."""
    os.environ[SWITCH] = "1"
    with cluster() as running:
        return measure(running, people, repeat)
