"""From a query over protected cells to the presented table, through the child process that a node uses."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pyarrow as pa
import pytest

from federation.sandbox.model import Fault, Limits, PresentationError
from federation.sandbox.pool import Sandbox
from tests.support.presentations import planned, table

LEARNERS = table(
    "cells_0",
    """
    region | area     | starts*
    North  | Leeds    | 100
    North  | York     | [c]
    South  | Brighton | 40 [u]
    South  | Dover    | 60
    """,
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(size=1) as sandbox:
        yield sandbox


def test_a_result_has_a_value_and_a_status_for_every_column_and_its_notes(sandbox: Sandbox) -> None:
    presentation = planned(
        'SELECT area, starts / sum(starts) OVER () AS "Share" FROM cells_0 WHERE starts > 50 ORDER BY area',
        LEARNERS,
    )
    presented = sandbox.run_presentation(presentation, {"cells_0": LEARNERS.contents})
    assert presented.table.to_pydict() == {
        "area": ["Dover", "Leeds"],
        "Share": [0.375, 0.625],
        "__fed_status_area": [0, 0],
        "__fed_status_Share": [0, 0],
    }
    assert presented.table.schema.field("__fed_status_Share").type == pa.int8()
    assert [(note.kind, note.rows) for note in presented.notes] == [("filter", 1)]
    assert (
        presented.notes[0].text
        == "rows have a withheld value in the WHERE condition, which treats it as unknown"
    )


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) AS n FROM range(100000000) AS a, range(1000000) AS b",
        "SELECT count(*) AS n FROM cells_0 a, cells_0 b, generate_series(1, 100000000) s(i), range(1000000) r(j)",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT count(*) AS n FROM r",
        "SELECT max(len(range(starts * 4000000))) AS n FROM cells_0",
        "SELECT max(length(lpad('x', (starts * 20000000)::INT, 'y'))) AS n FROM cells_0",
        "SELECT sum(len(list_transform(range(i * 1000), lambda x: x * i))) AS n FROM range(100000000) AS r(i)",
    ],
)
def test_what_the_allow_list_cannot_judge_the_process_contains(sandbox: Sandbox, sql: str) -> None:
    """Every one of these is an allowed query; how much it costs, no list can say."""
    presentation = planned(sql, LEARNERS)
    limits = Limits(deadline_seconds=3, cpu_seconds=2, memory_bytes=512 << 20)
    started = time.monotonic()
    with pytest.raises(PresentationError) as raised:
        sandbox.run_presentation(presentation, {"cells_0": LEARNERS.contents}, limits)
    assert raised.value.fault in {Fault.TIMEOUT, Fault.MEMORY}
    assert time.monotonic() - started < 15


def test_an_empty_grid_is_an_empty_table_with_its_columns(sandbox: Sandbox) -> None:
    presentation = planned("SELECT region, sum(starts) AS n FROM cells_0 GROUP BY region", LEARNERS)
    presented = sandbox.run_presentation(presentation, {"cells_0": LEARNERS.contents.slice(0, 0)})
    assert presented.table.num_rows == 0
    assert presented.table.column_names == ["region", "n", "__fed_status_region", "__fed_status_n"]
