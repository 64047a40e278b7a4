"""Real input: the 2011 Census teaching sample goes through the import into a catalogue that loads."""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from catalogue.loader import load_catalogue
from catalogue.models import Role
from federation.configuration import policy_packs
from federation.importing.existing import Existing
from federation.importing.importer import ImportOptions, draft_dataset
from federation.importing.record_keys import record_key

SAMPLE = "census-2011-teaching-sample.csv"
EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "census"
SECRET = bytes(range(32))


@pytest.mark.reference
def test_the_teaching_sample_imports_and_loads(reference_data: Path, tmp_path: Path) -> None:
    done = draft_dataset(
        reference_data / SAMPLE, tmp_path, SECRET, ImportOptions(unit="Person ID", name="census")
    )
    assert (done.rows, done.units) == (10_000, 10_000)
    assert done.notes == ("Columns without a name were left out: 1.",)

    catalogue = load_catalogue(tmp_path)
    census = catalogue.datasets["census"]
    assert census.document.unit.row_is_unit
    assert census.document.variables["person_id"].role is Role.IDENTIFIER
    assert set(census.dimensions) == set(done.roles) - {"person_id"}
    assert census.dimensions["hours_worked_per_week"].expression == '"Hours worked per week"'

    with (reference_data / SAMPLE).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    stored = pq.read_table(tmp_path / "data" / "census.parquet")
    for variable, dimension in census.dimensions.items():
        column = dimension.expression.strip('"')
        counts = Counter(row[column] for row in rows)
        assert Counter(stored[column].to_pylist()) == counts, variable
        assert set(dimension.stored_values()) == set(counts), variable
    keys = dict(zip(stored["Person ID"].to_pylist(), stored["record_key"].to_pylist(), strict=True))
    assert all(keys[row["Person ID"]] == record_key(row["Person ID"], SECRET) for row in rows[:100])


@pytest.mark.reference
def test_the_teaching_sample_goes_under_the_documents_of_the_example(
    reference_data: Path, tmp_path: Path
) -> None:
    """New data under documents that a custodian completed: they stay, and every code is one of theirs."""
    node = tmp_path / "census"
    shutil.copytree(EXAMPLE, node)
    before = {path: path.read_bytes() for path in node.rglob("*") if path.is_file()}
    options = ImportOptions(unit="Person ID", name="census", existing=Existing.KEEP)
    done = draft_dataset(reference_data / SAMPLE, node, SECRET, options)
    assert done.written == ("data/census.parquet",)
    assert {path: path.read_bytes() for path in before} == before

    census = load_catalogue(node, policy_packs()).datasets["census"]
    data = node / "data" / "census.parquet"
    for name, dimension in census.dimensions.items():
        found = duckdb.sql(f"SELECT DISTINCT {dimension.expression} FROM read_parquet('{data}')").fetchall()
        assert {value for (value,) in found} <= set(dimension.stored_values()), name
    keys = duckdb.sql(f"SELECT count({census.document.record_key}) FROM read_parquet('{data}')").fetchall()
    assert keys == [(10_000,)]
