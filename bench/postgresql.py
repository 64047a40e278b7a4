"""Push-down on PostgreSQL beside the same plain aggregate there: a server of its own, its data made in it.

python -m bench.connector_bench 5000000 --engine postgresql
"""

from __future__ import annotations

import statistics
import threading
import time

import adbc_driver_postgresql.dbapi as driver

from bench.connector_bench import AREA, MEAN, SEX, TALLY, Case, ask, cube, leaves
from catalogue.fragment import Block, Table
from connectors.postgresql import PostgreSQLConnector
from connectors.postgresql_session import Limits
from tests.support.postgresql import server

PEOPLE = """
CREATE TABLE people AS
SELECT i AS person_id, floor(random() * 100000000)::integer AS record_key,
  'E' || lpad(floor(331 * random() * random())::text, 8, '0') AS area, (1 + floor(random() * 2))::smallint AS sex,
  round(exp(6.3 + 0.6 * (random() + random() + random() - 1.5) * 2)::numeric, 2)::numeric(9, 2) AS pay
FROM generate_series(1, {count}) AS i
"""


def cases(table: Table) -> list[Case]:
    area, sex = leaves(AREA), leaves(SEX)
    by_area = (Block((area,)),)
    return [
        Case(
            "count by area",
            "SELECT area, count(*) FROM people GROUP BY area",
            ask(table, by_area, TALLY),
            1.75,
        ),
        Case(
            "count by area and sex, with totals",
            "SELECT area, sex, count(*) FROM people GROUP BY CUBE (area, sex)",
            ask(table, cube(area, sex), TALLY),
            1.75,
        ),
        Case(
            "mean pay by area, with p%",
            "SELECT area, count(*), avg(pay) FROM people GROUP BY area",
            ask(table, by_area, TALLY, MEAN),
            2.2,
        ),
    ]


def measure(count: int, repeat: int) -> list[dict[str, object]]:
    """Medians in seconds of both sides, which take turns."""
    found: list[dict[str, object]] = []
    with server() as url:
        conninfo = f"host='{url.partition('?host=')[2]}' user='federation' dbname='postgres'"
        connector = PostgreSQLConnector(conninfo, ("public",), Limits())
        with driver.connect(conninfo, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute(PEOPLE.format(count=count))
            cursor.execute("VACUUM ANALYZE people")
            cursor.execute("SET work_mem = '64MB'")
            cursor.execute("SET jit = off")
            print(f"\npostgresql, {count:,} people, median of {repeat}")
            print(f"{'':46}{'plain s':>9}{'ours s':>9}{'ratio':>7}{'limit':>7}")
            for case in cases(Table("bench", "people", "people")):
                plain, ours = [], []
                for _ in range(repeat + 1):
                    started = time.perf_counter()
                    cursor.execute(case.plain)
                    cursor.fetch_arrow_table()
                    between = time.perf_counter()
                    connector.run((case.fragment,), deadline=time.monotonic() + 600, cancel=threading.Event())
                    plain.append(between - started)
                    ours.append(time.perf_counter() - between)
                before, after = statistics.median(plain[1:]), statistics.median(ours[1:])
                limit = f"{case.limit:.2f}" if case.limit else "-"
                print(f"{case.name:46}{before:9.3f}{after:9.3f}{after / before:7.2f}{limit:>7}")
                found.append({"storage": "postgresql", "case": case.name, "plain": before, "ours": after})
        connector.close()
    return found
