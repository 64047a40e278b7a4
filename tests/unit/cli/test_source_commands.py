"""federation sources: what is wrong with a source is told with its mend, and keys go into a private file."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from federation.cli.main import run
from tests.support.node import write_node


def test_a_source_without_its_files_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_node(tmp_path)
    for path in (tmp_path / "data").glob("people*"):
        path.unlink()
    assert run(["sources", "check", "--config", str(tmp_path), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [advice["error"] for advice in found["duckdb"]] == [True]
    assert "people" in found["duckdb"][0]["what"]
    assert run(["sources", "check", "lake", "--config", str(tmp_path)]) == 1
    assert "Known are: duckdb." in capsys.readouterr().err


def test_a_database_that_is_away_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = write_node(tmp_path)
    text = (directory / "node.yaml").read_text()
    lake = f"lake: {{kind: postgresql, host: {tmp_path}, database: d, user: u, password: lake_password}}"
    (directory / "node.yaml").write_text(text.replace("sources: {", f"sources: {{{lake}, "))
    assert run(["sources", "check", "lake", "--config", str(directory)]) == 1
    assert "FEDERATION_SECRET_LAKE_PASSWORD" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("keys", "rows", "made"),
    [
        ("", "FROM people.parquet AS t", "CREATE TABLE federation.people_with_keys USING parquet AS"),
        (
            ', root: "s3a://lake/x/"',
            "FROM parquet.`s3a://lake/x/people.parquet` AS t",
            "DIRECTORY 's3a://lake/x/people_with_keys' USING parquet",
        ),
    ],
)
def test_keys_on_spark(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], keys: str, rows: str, made: str
) -> None:
    directory = write_node(tmp_path)
    text = (directory / "node.yaml").read_text()
    spark = f'duckdb: {{kind: spark, url: "sc://x:1"{keys}}}'
    (directory / "node.yaml").write_text(re.sub(r"duckdb: \{[^}]*\}", spark, text))
    assert run(["sources", "keys", "people", "--config", str(directory)]) == 0
    said = capsys.readouterr().out
    assert rows in said
    assert made in said


def test_keys_are_made_for_the_units_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = write_node(tmp_path)
    assert run(["sources", "keys", "people", "--config", str(directory)]) == 0
    assert "TO 'people_with_keys.parquet'" in capsys.readouterr().out
    (tmp_path / "units.csv").write_text('person\n17\n"a ""b"""\n')
    made = ["sources", "keys", "people", "--config", str(directory), "--units", str(tmp_path / "units.csv")]
    assert run([*made, "--out", str(tmp_path / "keys.csv")]) == 0
    lines = (tmp_path / "keys.csv").read_text().splitlines()
    assert lines[0] == "unit,record_key"
    assert lines[2].startswith('"a ""b""",')
    assert (tmp_path / "keys.csv").stat().st_mode & 0o077 == 0
    assert run(made) == 2
