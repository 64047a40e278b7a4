"""Real input: the 2011 Census teaching sample goes through the import into a catalogue that loads."""

from __future__ import annotations

import csv
import os
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from catalogue.loader import load_catalogue
from catalogue.models import Role
from federation.importing.importer import ImportOptions, draft_dataset
from federation.importing.record_keys import record_key

REFERENCE = Path(
    os.environ.get("FEDERATION_REFERENCE_DATA", Path(__file__).resolve().parents[4] / "shared" / "data")
)
SAMPLE = REFERENCE / "census-2011-teaching-sample.csv"
SECRET = bytes(range(32))


@pytest.mark.reference
@pytest.mark.skipif(not SAMPLE.is_file(), reason="the reference data directory is not there")
def test_the_teaching_sample_imports_and_loads(tmp_path: Path) -> None:
    done = draft_dataset(SAMPLE, tmp_path, SECRET, ImportOptions(unit="Person ID", name="census"))
    assert (done.rows, done.units) == (10_000, 10_000)
    assert done.notes == ("Columns without a name were left out: 1.",)

    catalogue = load_catalogue(tmp_path)
    census = catalogue.datasets["census"]
    assert census.document.unit.row_is_unit
    assert census.document.variables["person_id"].role is Role.IDENTIFIER
    assert set(census.dimensions) == set(done.roles) - {"person_id"}
    assert census.dimensions["hours_worked_per_week"].expression == '"Hours worked per week"'

    with SAMPLE.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    stored = pq.read_table(tmp_path / "data" / "census.parquet")
    for variable, dimension in census.dimensions.items():
        column = dimension.expression.strip('"')
        counts = Counter(row[column] for row in rows)
        assert Counter(stored[column].to_pylist()) == counts, variable
        assert set(dimension.stored_values()) == set(counts), variable
    keys = dict(zip(stored["Person ID"].to_pylist(), stored["record_key"].to_pylist(), strict=True))
    assert all(keys[row["Person ID"]] == record_key(row["Person ID"], SECRET) for row in rows[:100])
