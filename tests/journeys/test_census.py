"""Ten thousand real people of the 2011 census: imported, asked about, and held against an independent count."""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow.compute as pc
import pytest

from federation.client import Result
from federation.importing.existing import Existing
from federation.importing.importer import ImportOptions, draft_dataset
from federation.state.secrets import load_secrets
from tests.support.node import Running, running

EXAMPLE = Path(__file__).parents[2] / "examples" / "census"
SAMPLE = "census-2011-teaching-sample.csv"
COLUMNS = {
    "region": "Region",
    "occupation": "Occupation",
    "industry": "Industry",
    "hours_worked_per_week": "Hours worked per week",
    "economic_activity": "Economic Activity",
    "sex": "Sex",
}
MINIMUM, NOISE = 10, 2
"""Those of the policy pack that the example's profile rests on."""

pytestmark = [pytest.mark.reference, pytest.mark.slow]


@pytest.fixture(scope="module")
def node(reference_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory = tmp_path_factory.mktemp("census") / "node"
    shutil.copytree(EXAMPLE, directory)
    secret = load_secrets(directory / "secrets", {}, first_start=True).key_secret.reveal()
    options = ImportOptions(unit="Person ID", name="census", existing=Existing.KEEP)
    draft_dataset(reference_data / SAMPLE, directory, secret, options)
    with running(directory) as found:
        yield found


@pytest.fixture(scope="module")
def rows(reference_data: Path) -> list[dict[str, str]]:
    with (reference_data / SAMPLE).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def ask(node: Running, sql: str) -> Result:
    planner = node.session("priya")
    (agreement,) = planner.agreements()
    purpose, name = agreement["purposes"][0], agreement["agreement"]
    request = planner.request(sql, purpose=purpose, agreement=name)
    if request.state != "approved":
        node.session("owen").approve(request.id, reason="fine", plan_digest=request.plan_digest)
    answer = request.refresh().fetch()
    assert answer.verify().table_checked
    return answer


def compare(answer: Result, keys: list[str], truth: Counter[tuple[str, ...]]) -> int:
    """Hold every row against the true count; returns how many were published.

    The count that would be shown decides: whatever the noise does, 13 people are shown and 7 are not.
    """
    table = answer.to_arrow().to_pydict()
    found = list(zip(*(map(str, table[key]) for key in keys), strict=True))
    assert len(found) == len(set(found)), "a cell stands twice"
    assert set(truth) <= set(found), "an absent row would tell that nobody is there"
    published = 0
    for cell, shown, status in zip(found, table["people"], table["people__status"], strict=True):
        true = truth[cell]
        if status == "[c]":
            assert shown is None
            assert true < MINIMUM + NOISE + 1, cell
        else:
            published += 1
            assert status == ""
            assert abs(shown - true) <= NOISE, cell
            assert shown >= MINIMUM, cell
    return published


@pytest.mark.parametrize(
    ("keys", "where"),
    [
        (["region"], {}),
        (["region", "occupation"], {}),
        (["industry", "hours_worked_per_week"], {}),
        (["region", "economic_activity"], {}),
        (["region", "occupation", "industry"], {}),
        (["occupation", "industry", "hours_worked_per_week", "economic_activity"], {"region": "E12000002"}),
        (["sex", "occupation"], {"region": "E12000007"}),
    ],
)
def test_counts_are_those_of_the_file_within_the_noise(
    node: Running, rows: list[dict[str, str]], keys: list[str], where: dict[str, str]
) -> None:
    listed = ", ".join(keys)
    condition = " AND ".join(f"{name} = '{code}'" for name, code in where.items())
    sql = f"SELECT {listed}, count(*) AS people FROM census {'WHERE ' + condition if where else ''} GROUP BY ALL"
    truth = Counter(
        tuple(row[COLUMNS[key]] for key in keys)
        for row in rows
        if all(row[COLUMNS[name]] == code for name, code in where.items())
    )
    published = compare(ask(node, sql), keys, truth)
    assert published >= sum(count > MINIMUM + NOISE for count in truth.values())


def test_a_share_is_computed_from_what_is_published(node: Running) -> None:
    sql = """
        SELECT region, count(*) FILTER (WHERE hours_worked_per_week IN ('1', '2')) AS part_time, count(*) AS people,
               round(100.0 * part_time / people, 1) AS percent
        FROM census WHERE economic_activity IN ('1', '2') GROUP BY region ORDER BY percent DESC
    """
    table = ask(node, sql).to_arrow()
    shown = table.filter(pc.is_valid(table.column("percent"))).to_pydict()
    assert len(shown["region"]) >= 8
    for part, whole, percent in zip(shown["part_time"], shown["people"], shown["percent"], strict=True):
        assert float(percent) == pytest.approx(100 * part / whole, abs=0.051)
    assert shown["percent"] == sorted(shown["percent"], reverse=True)
    for part, percent in zip(*(table.column(f"{n}__status") for n in ("part_time", "percent")), strict=True):
        assert part.as_py() == percent.as_py(), "what is computed from a withheld figure is withheld"


def test_a_question_of_one_person_is_refused_or_withheld(node: Running, rows: list[dict[str, str]]) -> None:
    combinations = Counter(tuple(row[column] for column in COLUMNS.values()) for row in rows)
    single = next(values for values, count in combinations.items() if count == 1)
    condition = " AND ".join(f"{name} = '{code}'" for name, code in zip(COLUMNS, single, strict=True))
    planner = node.session("priya")
    check = planner.check(f"SELECT count(*) AS people FROM census WHERE {condition}")
    if check.accepted:
        (status,) = ask(node, check.sql).to_arrow().column("people__status").to_pylist()
        assert status == "[c]"
    else:
        assert check.refusals[0].code == "too_many_dimensions"
