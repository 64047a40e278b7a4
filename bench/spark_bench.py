"""What instrumentation costs on Spark: each fragment beside the plain question, on one cluster.

Starts a master, two workers and a Connect server on loopback, makes synthetic people as Parquet, and runs plain
question and fragment in turn. Each question has a session of its own, as a run has, for which every worker compiles
its statement anew. Ours is all that a run does, both snapshots included.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from pyspark.sql.connect.session import SparkSession
from rich.table import Table

from bench.connector_bench import (
    AGE,
    AREA,
    BAND,
    EMPLOYER,
    INDUSTRY,
    MEAN,
    REGION,
    SEX,
    TALLY,
    Case,
    ask,
    leaves,
    make_people,
    measured,
    shown,
)
from catalogue.fragment import Block, Condition
from catalogue.fragment import Table as Source
from catalogue.leaves import LeafSet
from connectors.spark import SparkConnector
from connectors.spark_tables import ParquetRoot
from tests.support.spark import SWITCH, TOKEN, cluster

SETTINGS = {"spark.sql.shuffle.partitions": "4"}


def cases(table: Source) -> Iterator[Case]:
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
        "count by area, second unit employer",
        "SELECT area, count(*) FROM people GROUP BY area",
        ask(table, by_area, TALLY, second=EMPLOYER),
        4,
    )


def measure(people: int, repeat: int) -> Table:
    """The figures, on a cluster that is started for them."""
    os.environ[SWITCH] = "1"
    with cluster() as running:
        folder = running.folder / "bench"
        folder.mkdir(exist_ok=True)
        make_people(people, folder / "people.parquet")
        address = f"{running.remote}/;token={TOKEN}"
        connector = SparkConnector(address, ParquetRoot(str(folder)), SETTINGS)

        def plain(sql: str) -> object:
            session = SparkSession(address)
            for key, value in SETTINGS.items():
                session.conf.set(key, value)
            session.read.parquet(str(folder / "people.parquet")).createTempView("people")
            found = session.sql(sql).toArrow()
            session.stop()
            return found

        asked = measured(cases(Source("bench", "people.parquet", "people")), plain, connector, repeat)
        found = shown(f"Spark, {people:,} people, a session for each question, median of {repeat}", asked)
        connector.close()
    return found
