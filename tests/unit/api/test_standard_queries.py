"""Standard queries: published in YAML with the domains of their parameters, run without a further hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from catalogue.faults import CatalogueError
from federation.configuration import read_configuration
from tests.support.node import BOTH_SQL, Running, running, write_node

QUERY = """\
query: by_sex
title: People of a region by sex
sql: SELECT sex, count(*) AS people FROM people WHERE region = $region AND age >= $from GROUP BY sex ORDER BY sex
agreement: planning
purpose: skills planning
parameters:
  region: {title: Region, type: text, codelist: geography, level: region}
  from: {title: From what age, type: integer, minimum: 16, maximum: 20}
decided_by: {office: olu}
decided_on: 2025-02-01
until: 2090-01-01
"""
BOTH = f"""\
query: both
title: People and vacancies
sql: >-
  {BOTH_SQL}
agreement: planning
purpose: skills planning
decided_by: {{skills_board: sam}}
decided_on: 2025-02-01
until: 2090-01-01
"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_node(tmp_path_factory.mktemp("node"), {"queries/all.yaml": f"{QUERY}---\n{BOTH}"})


@pytest.fixture(scope="module")
def node(directory: Path) -> Iterator[Running]:
    with running(directory) as found:
        yield found


def test_who_may_run_them_sees_them_with_every_value(node: Running) -> None:
    seen = {}
    for person in ("pat", "eve", "olu", "sam", "ada"):
        with node.session(person) as session:
            seen[person] = {each["query"] for each in session.standard_queries()}
    assert seen == {
        "pat": {"both", "by_sex"},
        "eve": set(),
        "olu": {"by_sex"},
        "sam": {"both"},
        "ada": {"both", "by_sex"},
    }
    with node.session("pat") as pat:
        (shown,) = [each for each in pat.standard_queries() if each["query"] == "by_sex"]
    assert {each["name"]: each["values"] for each in shown["parameters"]} == {
        "region": ["N", "S"],
        "from": [16, 17, 18, 19, 20],
    }


def test_it_is_run_without_a_further_hand_and_named_as_what_decided(node: Running) -> None:
    with node.session("pat") as pat:
        request = pat.ask("by_sex")
        assert request.state == "approved"
        (decision,) = request.fields["decisions"]
        assert (decision["kind"], decision["decided_by"]) == ("standard_query", "by_sex")
        answer = request.run({"region": "N", "from": 18}).fetch()
        statement = answer.verify(pat.keys()).payload
        assert statement["authority"]["decisions"][0]["kind"] == "standard_query"
        assert statement["context"]["parameters"] == {"region": "N", "from": 18}
    with node.http("pat") as http:
        beyond = http.post(
            f"/v1/requests/{request.id}/runs", json={"parameters": {"region": "N", "from": 21}}
        )
        assert [fault["code"] for fault in beyond.json()["errors"]] == ["parameter_invalid"]
        provenance = http.get(f"/v1/releases/{request.release}/provenance").json()
    kinds = [each["@id"].split(":")[3] for each in provenance["@graph"]]
    assert "standard-query" in kinds


def test_whose_it_is_not_does_not_run_it(node: Running) -> None:
    for person, name in (("eve", "by_sex"), ("pat", "none"), ("olu", "by_sex")):
        with node.http(person) as http:
            answer = http.post(f"/v1/standard-queries/{name}/requests")
            assert answer.json()["code"] == ("not_permitted" if person == "olu" else "not_found")


def test_custodians_who_did_not_publish_it_decide_on_their_data(node: Running) -> None:
    with node.session("pat") as pat:
        request = pat.ask("both")
    assert (request.state, request.fields["waiting_for"]) == ("submitted", ["office"])
    with node.session("olu") as olu:
        assert olu.approve(request.id, reason="fine", plan_digest=request.plan_digest).state == "approved"


@pytest.mark.parametrize("change", [("maximum: 20", "maximum: 19"), ("until: 2090-01", "until: 2025-06")])
def test_what_it_decided_ends_when_it_says_something_else(tmp_path: Path, change: tuple[str, str]) -> None:
    directory = write_node(tmp_path, {"queries/all.yaml": QUERY})
    with running(directory) as node, node.session("pat") as pat:
        request = pat.ask("by_sex").id
    (directory / "queries/all.yaml").write_text(QUERY.replace(*change))
    with running(directory) as node, node.session("pat") as pat:
        found = pat.get_request(request)
        assert (found.state, found.fields["usable"]) == ("expired", False)
        assert "by_sex" in found.fields["reason"]
        left = [each["query"] for each in pat.standard_queries()]
        assert left == ["by_sex"] * (change[0] == "maximum: 20")
        assert all(pat.ask(query).fields["usable"] for query in left)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("agreement: planning", "agreement: plannin"), "there is no agreement `plannin`"),
        (("skills planning", "anything"), "does not permit this purpose"),
        (("{office: olu}", "{ofice: olu}"), "there is no body `ofice`"),
        (("level: region", "level: county"), "has no level `county`"),
        (("minimum: 16, maximum: 20", "minimum: 16"), "go together"),
        (("minimum: 16, maximum: 20", "minimum: 0, maximum: 5000"), "at most 1,000"),
        (("minimum: 16, maximum: 20", "values: [a, b]"), "not every value is of the type `integer`"),
        (("minimum: 16, maximum: 20", "minimum: 16, maximum: 20, values: [1]"), "give one of them"),
        (("count(*)", "pay"), "is refused"),
        (("$region", "$area"), "is refused"),
        (("until: 2090-01-01", "until: 2024-01-01"), "nobody can ever run it"),
    ],
)
def test_a_mistake_is_found_before_the_node_starts(
    tmp_path: Path, change: tuple[str, str], says: str
) -> None:
    directory = write_node(tmp_path, {"queries/all.yaml": QUERY.replace(*change)})
    with pytest.raises(CatalogueError) as found:
        read_configuration(directory)
    assert says in " ".join(f"{fault.message}; {fault.mend}" for fault in found.value.faults)
