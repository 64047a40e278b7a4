"""Anybody reads in the public register who had which question answered, and never what the answer was."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.node import FILES, PURPOSE, STANDING_SQL, Running, running, write_node

ONE_SQL = "SELECT count(*) AS people FROM people"
QUIET = {
    "agreements/quiet.yaml": FILES["agreements/planning.yaml"]
    .split("- agreement: finished")[0]
    .replace("agreement: planning", "agreement: quiet")
    .replace("[greater_ay]", "[effshire]")
    .replace("[people, vacancies]", "[people]")
    + "  public_register: false\n",
    "rules/quiet.yaml": FILES["rules/regions.yaml"]
    .replace("people_by_region", "quiet_by_region")
    .replace("greater_ay", "effshire"),
}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(write_node(tmp_path_factory.mktemp("node"), QUIET)) as found:
        for person, agreement, sql in (
            ("pat", "planning", STANDING_SQL),
            ("pat", "planning", ONE_SQL),
            ("eve", "quiet", STANDING_SQL),
        ):
            with found.session(person) as session:
                session.request(sql, agreement=agreement, purpose=PURPOSE).wait(progress=False)
        yield found


def test_it_is_paged_and_searched_as_the_page_is(node: Running) -> None:
    with node.http() as anybody:

        def questions(query: str) -> list[str]:
            return [each["question"] for each in anybody.get(f"/v1/register?{query}").json()["entries"]]

        last, first = questions("")
        assert "by region" in first
        assert "by region" not in last
        assert (questions("limit=1"), questions("limit=1&offset=1")) == ([last], [first])
        assert questions("search=SKILLS+region&body=greater_ay&dataset=people") == [first]
        assert [questions(none) for none in ("search=by%25region", "body=effshire", "dataset=vacancies")] == [
            [],
            [],
            [],
        ]
        page = anybody.get("/register").text
        assert page.index(last) < page.index(first)
        for wrong in ("limit=0", "limit=501", "offset=-1", f"search={'x' * 201}"):
            assert anybody.get(f"/v1/register?{wrong}").status_code == 422


def test_it_names_bodies_data_and_authority_and_neither_people_nor_results(node: Running) -> None:
    with node.http() as anybody:
        answer = anybody.get("/v1/register?search=region")
    (entry,) = answer.json()["entries"]
    assert entry.pop("answered_at")
    question = entry.pop("question")
    assert question.startswith("The number of people")
    assert entry == {
        "body": "greater_ay",
        "body_title": "Greater Ay Combined Authority",
        "purpose": PURPOSE,
        "agreement": "Skills planning",
        "legal_gateway": "Digital Economy Act 2017, Part 5",
        "datasets": [
            {
                "dataset": "people",
                "title": "People",
                "custodian": "office",
                "custodian_title": "Office of example statistics",
                "decided": ["standing_rule"],
            }
        ],
        "answers": 1,
    }
    for hidden in ("pat", "olu", "rel_", "req_", "effshire"):
        assert hidden not in answer.text


def test_clients_and_the_command_line_read_it(node: Running) -> None:
    with node.session("olu") as olu:
        (found,) = olu.register("region", dataset="people")
        assert olu.register(body="effshire") == []
    command = [sys.executable, "-m", "federation", "register", "--url", node.url]
    as_json, shown = (
        subprocess.run(
            [*command, *options], capture_output=True, text=True, timeout=60, check=True, env={"HOME": "/"}
        ).stdout
        for options in (["region", "--dataset", "people", "--json"], ["--limit", "1", "--offset", "1"])
    )
    assert json.loads(as_json) == [found]
    assert "Greater Ay Combined Authority" in shown
    assert "people (Office of example statistics)" in shown
    assert "standing rule" in shown
