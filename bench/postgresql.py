"""Push-down on PostgreSQL beside the same plain aggregate there: a server of its own, its data made in it."""

from __future__ import annotations

import adbc_driver_postgresql.dbapi as driver
from rich.table import Table

from bench.connector_bench import (
    AREA,
    AREAS,
    EMPLOYER,
    MEAN,
    SEX,
    TALLY,
    Case,
    ask,
    cube,
    leaves,
    measured,
    shown,
)
from catalogue.fragment import Block
from catalogue.fragment import Table as Source
from connectors.postgresql import PostgreSQLConnector
from connectors.postgresql_session import Limits
from tests.support.postgresql import server

PEOPLE = """
CREATE TABLE people AS
SELECT person_id, record_key, 'E' || lpad(area::text, 8, '0') AS area, sex, pay,
  (CASE WHEN elsewhere < 0.8 THEN area ELSE floor(331 * random()) END * {local} + rank)::integer AS employer
FROM (
  SELECT i AS person_id, floor(random() * 100000000)::integer AS record_key,
    floor(331 * random() * random())::integer AS area, (1 + floor(random() * 2))::smallint AS sex,
    round(exp(6.3 + 0.6 * (random() + random() + random() - 1.5) * 2)::numeric, 2)::numeric(9, 2) AS pay,
    random() AS elsewhere, floor({local} * random() * random() * random()) AS rank
  FROM generate_series(1, {count}) AS i
) AS drawn
"""
"""Four in five work for an employer of their own area, few of which are large: as in ``make_people``."""


def cases(table: Source) -> list[Case]:
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
        Case(
            "count by area, second unit employer",
            "SELECT area, count(*) FROM people GROUP BY area",
            ask(table, by_area, TALLY, second=EMPLOYER),
            4,
        ),
        Case(
            "mean by area, p% by holding",
            "SELECT area, count(*), avg(pay) FROM people GROUP BY area",
            ask(table, by_area, TALLY, MEAN, holding=EMPLOYER),
            4,
        ),
    ]


def measure(count: int, repeat: int) -> Table:
    """The figures, on a server that is started for them."""
    with server() as url:
        conninfo = f"host='{url.partition('?host=')[2]}' user='federation' dbname='postgres'"
        connector = PostgreSQLConnector(conninfo, ("public",), Limits())
        with driver.connect(conninfo, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute(PEOPLE.format(count=count, local=max(1, count // 15 // AREAS)))
            cursor.execute("VACUUM ANALYZE people")
            cursor.execute("SET work_mem = '64MB'")
            cursor.execute("SET jit = off")

            def plain(sql: str) -> object:
                cursor.execute(sql)
                return cursor.fetch_arrow_table()

            asked = measured(cases(Source("bench", "people", "people")), plain, connector, repeat)
            found = shown(f"PostgreSQL, {count:,} people, median of {repeat}", asked)
        connector.close()
    return found
