"""Class disclosure end to end: that everybody in an area has the same status must not be told, however it is asked."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalogue.models import CellKeys, ClassDisclosure, Frequency, Profile, PTableSpec
from policies.cells import Status
from tests.support.answer import Answerer
from tests.support.labour import labour_market

PROFILE = Profile(
    profile="status_is_sensitive",
    title="Cell keys, ten people, no class disclosure by status",
    version="1",
    frequency=Frequency(minimum_frequency=10),
    cell_keys=CellKeys(counts=PTableSpec(maximum_noise=2, variance=1.05, smallest_published=1)),
    class_disclosure=ClassDisclosure(dimensions=("status",)),
)
ALL_ALIKE = "E0601"


@pytest.fixture(scope="module")
def answerer(tmp_path_factory: pytest.TempPathFactory) -> Answerer:
    """A labour market in one of whose areas everybody is employed."""
    folder: Path = tmp_path_factory.mktemp("labour")
    market = labour_market(folder, PROFILE)
    people = pq.read_table(folder / "people.parquet")
    status = [
        "EMP" if area == ALL_ALIKE else old
        for area, old in zip(people["area"].to_pylist(), people["status"].to_pylist(), strict=True)
    ]
    column = people.column_names.index("status")
    pq.write_table(people.set_column(column, "status", pa.array(status)), folder / "people.parquet")
    return Answerer(market)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT area, status, count(*) AS n FROM people GROUP BY area, status",
        "SELECT area, count(*) FILTER (WHERE status = 'EMP') AS n FROM people GROUP BY area",
        "SELECT area, count(*) AS n FROM people WHERE status = 'EMP' GROUP BY area",
    ],
    ids=["grouped", "filtered", "in WHERE"],
)
def test_a_status_that_everybody_has_is_not_told(answerer: Answerer, sql: str) -> None:
    table = answerer.answer(sql)
    (status_of_n,) = [name for name in table.column_names if name.endswith("status_n")]
    areas, marks = table["area"].to_pylist(), table[status_of_n].to_pylist()
    assert {mark for area, mark in zip(areas, marks, strict=True) if area == ALL_ALIKE} == {
        Status.CONFIDENTIAL
    }
    assert marks.count(Status.PUBLISHED) > 3
