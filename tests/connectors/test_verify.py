"""What a custodian is told where data is not what the catalogue says: one mistake, one finding, never a value."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalogue.catalogue import BoundDataset, bind_dataset
from catalogue.codelists import CodeList, CodeListKind, Level
from catalogue.fragment import SourceError, SourceFault
from catalogue.models import Dataset
from connectors.duckdb import DuckDBConnector
from connectors.protocol import Finding, FindingKind
from connectors.sources import FileSource

AREAS = CodeList(
    "areas", "Areas", "made up", "2025", CodeListKind.CODES,
    (
        Level("region", "Region", ("N", "N", "S"), ("North", "North", "South")),
        Level("area", "Area", ("E01", "E02", "E03"), ("One", "Two", "Three")),
    ),
)  # fmt: skip

SOUND: dict[str, list[Any]] = {
    "id": [1, 2, 3, 4],
    "rkey": [5, 0, 99_999_999, 7],
    "area": ["E01", "E02", "E03", None],
    "region": ["N", "N", "S", None],
    "pay": [0.0, 10.5, None, 3.25],
    "hours": [1, 2, 3, 4],
    "weight": [1.0, 2.5, 3.0, 4.0],
    "employer": [10, 10, 20, None],
}


def dataset(**unit: object) -> BoundDataset:
    common = {
        "publisher": "office", "custodian": "office", "population": "people", "series": "s",
        "reference_period": "2025", "licence": "OGL", "legal_basis": "statute", "profile": "p",
    }  # fmt: skip
    return bind_dataset(
        Dataset.model_validate({
            **common, "dataset": "people", "title": "People", "description": "People",
            "unit": {"name": "person", "plural": "people", "expression": "id", "row_is_unit": True, **unit},
            "source": {"connector": "files", "location": "people.parquet"},
            "record_key": "rkey", "weight": "weight",
            "variables": {
                "area": {"role": "dimension", "title": "Area", "codelist": "areas", "nullable": True},
                "region": {"role": "dimension", "title": "Region", "codelist": "areas", "level": "region",
                           "of": "area", "nullable": True},
                "pay": {"role": "measure", "title": "Pay", "decimals": 2, "minimum": 0, "nullable": True},
                "hours": {"role": "measure", "title": "Hours"},
                "weight": {"role": "weight", "title": "Weight"},
            },
            "relationships": {"employer": {"to": "employers", "from_column": "employer", "to_column": "emp"}},
        }),
        {"areas": AREAS},
    )  # fmt: skip


def employers() -> BoundDataset:
    document = dataset().document.model_dump()
    document |= {
        "dataset": "employers",
        "source": {"connector": "files", "location": "employers.parquet"},
        "relationships": {},
    }
    return bind_dataset(Dataset.model_validate(document), {"areas": AREAS})


def verify(folder: Path, columns: dict[str, list[Any]], **unit: object) -> tuple[Finding, ...]:
    pq.write_table(pa.table(columns), folder / "people.parquet")
    if not (folder / "employers.parquet").exists():
        pq.write_table(pa.table({"emp": [10, 20, None, None]}), folder / "employers.parquet")
    connector = DuckDBConnector(FileSource(folder))
    try:
        return connector.verify(
            dataset(**unit),
            {"employers": employers()},
            deadline=time.monotonic() + 30,
            cancel=threading.Event(),
        )
    finally:
        connector.close()


def test_sound_data_has_no_findings(tmp_path: Path) -> None:
    assert verify(tmp_path, SOUND) == ()


Change = Callable[[dict[str, list[Any]]], None]


def put(column: str, value: object, row: int = 1) -> Change:
    def change(columns: dict[str, list[Any]]) -> None:
        columns[column][row] = value

    return change


def replace(column: str, values: list[Any] | None) -> Change:
    def change(columns: dict[str, list[Any]]) -> None:
        if values is None:
            del columns[column]
        else:
            columns[column] = values

    return change


@pytest.mark.parametrize(
    ("change", "kind", "column"),
    [
        (replace("pay", None), FindingKind.MISSING_COLUMN, "pay"),
        (replace("pay", ["1", "2.5", None, "dear"]), FindingKind.WRONG_TYPE, "pay"),
        (replace("hours", [[1], [2], [3], [4]]), FindingKind.WRONG_TYPE, "hours"),
        (put("id", 1), FindingKind.DUPLICATE_UNIT, "person"),
        (put("id", None), FindingKind.NULL_UNIT, "person"),
        (put("rkey", None), FindingKind.RECORD_KEY_NULL, "record_key"),
        (put("rkey", 100_000_000), FindingKind.RECORD_KEY_RANGE, "record_key"),
        (put("rkey", -1), FindingKind.RECORD_KEY_RANGE, "record_key"),
        (put("rkey", 5.5), FindingKind.WRONG_TYPE, "record_key"),
        (put("area", "E99"), FindingKind.UNKNOWN_CODE, "area"),
        (put("region", "S"), FindingKind.LEVEL_DIFFERS, "region"),
        (put("region", None), FindingKind.LEVEL_DIFFERS, "region"),
        (put("hours", None), FindingKind.UNEXPECTED_NULL, "hours"),
        (put("pay", -0.01), FindingKind.OUT_OF_RANGE, "pay"),
        (put("pay", float("inf")), FindingKind.OUT_OF_RANGE, "pay"),
        (put("weight", -2.0), FindingKind.WEIGHT, "weight"),
        (put("weight", None), FindingKind.WEIGHT, "weight"),
    ],
)
def test_each_mistake_is_found(tmp_path: Path, change: Change, kind: FindingKind, column: str) -> None:
    columns = {name: list(values) for name, values in SOUND.items()}
    change(columns)
    found = verify(tmp_path, columns)
    assert (kind, column) in {(finding.kind, finding.column) for finding in found}
    if kind not in (FindingKind.UNKNOWN_CODE,):
        assert {finding.kind for finding in found} == {kind}
    for finding in found:
        assert kind.is_error
        assert "E99" not in finding.detail
        assert "dear" not in finding.detail


def test_a_record_key_that_varies_within_a_unit_is_found(tmp_path: Path) -> None:
    columns = {**SOUND, "id": [1, 1, 3, 4]}
    (finding,) = verify(tmp_path, columns, row_is_unit=False)
    assert finding.kind is FindingKind.RECORD_KEY_VARIES


def test_a_relationship_with_two_partners_is_found(tmp_path: Path) -> None:
    pq.write_table(pa.table({"emp": [10, 10, 20]}), tmp_path / "employers.parquet")
    (finding,) = verify(tmp_path, SOUND)
    assert (finding.kind, finding.column) == (FindingKind.DUPLICATE_KEY, "employer")


def test_an_empty_table_is_said_but_is_no_error(tmp_path: Path) -> None:
    schema = pa.table(SOUND).schema
    pq.write_table(schema.empty_table(), tmp_path / "people.parquet")
    empty = {name: pa.array([], schema.field(name).type) for name in schema.names}
    (finding,) = verify(tmp_path, empty)
    assert finding.kind is FindingKind.EMPTY
    assert not finding.kind.is_error


def test_a_missing_table_is_a_fault_of_the_source(tmp_path: Path) -> None:
    connector = DuckDBConnector(FileSource(tmp_path))
    with pytest.raises(SourceError) as caught:
        connector.verify(dataset(), {}, deadline=time.monotonic() + 30, cancel=threading.Event())
    assert caught.value.fault is SourceFault.MISSING


def test_duckdb_aggregates_rightly_over_joins() -> None:
    """Engine regression guard: partial aggregates pushed below an inner join gave a wrong MEDIAN once
    (duckdb issue 24806). The connector joins late, so a wrong push-down would show in its cells too."""
    connection = duckdb.connect()
    connection.execute("CREATE TABLE fact AS SELECT i % 10 AS k, i AS v FROM range(1000) r(i)")
    connection.execute("CREATE TABLE dim AS SELECT i AS k, i % 2 AS g FROM range(10) r(i)")
    joined = "SELECT g, median(v), sum(v), count(*) FROM fact JOIN dim USING (k) GROUP BY g ORDER BY g"
    plain = "SELECT v % 2 AS g, median(v), sum(v), count(*) FROM fact GROUP BY g ORDER BY g"
    assert connection.execute(joined).fetchall() == connection.execute(plain).fetchall()
