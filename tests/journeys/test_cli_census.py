"""A real file through the command line alone: imported, checked, asked about, and counted again independently."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from federation.cli.main import run
from tests.support.node import Running, running

EXAMPLE = Path(__file__).parents[2] / "examples" / "census"
COLUMNS = {
    "region": "Region",
    "occupation": "Occupation",
    "industry": "Industry",
    "hours_worked_per_week": "Hours worked per week",
    "economic_activity": "Economic Activity",
}
MINIMUM, NOISE = 10, 2
"""Those of the policy pack that the example's profile rests on."""

pytestmark = [pytest.mark.reference, pytest.mark.slow]


@pytest.fixture(scope="module")
def sample(reference_data: Path) -> Path:
    return reference_data / "census-2011-teaching-sample.csv"


@pytest.fixture(scope="module")
def node(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory = tmp_path_factory.mktemp("census") / "node"
    shutil.copytree(EXAMPLE, directory)
    imported = [
        "import",
        str(sample),
        "--unit",
        "Person ID",
        "--into",
        str(directory),
        "--name",
        "census",
        "--keep",
    ]
    assert run(imported) == 0
    assert run(["check", str(directory), "--data"]) == 0
    with running(directory) as found:
        yield found


def test_an_import_without_documents_drafts_them(
    sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["import", str(sample), "--unit", "Person ID", "--into", str(tmp_path), "--name", "census"]
    assert run([*words, "--json"]) == 0
    imported = json.loads(capsys.readouterr().out)
    assert (imported["rows"], imported["units"]) == (10_000, 10_000)
    assert {name for name, role in imported["roles"].items() if role == "dimension"} >= set(COLUMNS)
    assert imported["roles"]["person_id"] == "identifier"
    shutil.copy(EXAMPLE / "node.yaml", tmp_path)
    text = (tmp_path / "node.yaml").read_text().replace("body: north_west_planners", "body: custodian")
    (tmp_path / "node.yaml").write_text(text.replace("body: census_custodian", "body: custodian"))
    assert run(["check", str(tmp_path), "--data"]) == 0
    assert "still to be completed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("keys", "where"),
    [
        (["region", "occupation"], {}),
        (["occupation", "hours_worked_per_week"], {"economic_activity": "1"}),
        (["region", "hours_worked_per_week", "economic_activity"], {}),
        (["occupation", "industry"], {"region": "E12000002"}),
    ],
)
def test_every_cell_of_the_domain_is_answered_within_the_noise(
    node: Running,
    sample: Path,
    keys: list[str],
    where: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    condition = "".join(f"WHERE {name} = '{code}' " for name, code in where.items())
    sql = f"SELECT {', '.join(keys)}, count(*) AS people FROM census {condition}GROUP BY ALL"
    capsys.readouterr()
    assert run(["query", sql, "--json", "--person", "priya", "--url", node.url]) == 0
    answer = json.loads(capsys.readouterr().out)

    people = pd.read_csv(sample, dtype=str)
    for name, code in where.items():
        people = people[people[COLUMNS[name]] == code]
    truth = people.groupby([COLUMNS[key] for key in keys]).size()
    domain = set(itertools.product(*(codes_of(key) for key in keys)))
    found = {tuple(row[key] for key in keys): row for row in answer["data"]}
    assert len(found) == len(answer["data"]), "a cell stands twice"
    assert set(found) == domain, "rows come from the code lists, not from the data"
    for cell, row in found.items():
        true = int(truth.get(cell, 0))
        if row["people"] is None:
            assert row["people__status"] == "[c]"
            assert true - NOISE < MINIMUM, cell
        else:
            assert row["people__status"] in ("", None)
            assert row["people"] >= MINIMUM, cell
            assert abs(row["people"] - true) <= NOISE, cell


def codes_of(variable: str) -> list[str]:
    """The codes of a variable's list, read from its file."""
    name = {"hours_worked_per_week": "hours_worked"}.get(variable, variable)
    table = pd.read_csv(EXAMPLE / "codelists" / f"{name}.csv", dtype=str, keep_default_na=False)
    return list(table[name].unique())
