"""From the catalogue to a verified answer, as its users go: planner, custodian, analyst, auditor."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest

from federation.client import NotPermitted, NotUsable, QueryRefused, VerificationError, connect
from federation.client.verify import embedded_statement, verify_statement
from tests.support.node import (
    BOTH_SQL,
    CUSTODIAN_SQL,
    PURPOSE,
    SECRET,
    STANDING_SQL,
    Running,
    people,
    running,
    write_node,
)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(write_node(tmp_path_factory.mktemp("node"))) as found:
        yield found


def test_a_planner_reads_asks_and_is_told_what_is_missing(node: Running) -> None:
    planner = node.session("pat")
    (dataset,) = planner.catalogue("working age")
    assert dataset["dataset"] == "people"
    assert [code["code"] for code in planner.codes("geography", "north")] == ["N"]
    assert planner.agreements()[0]["purposes"] == [PURPOSE]
    check = planner.check("SELECT regoin, count(*) FROM people GROUP BY regoin")
    assert not check
    assert "Did you mean region?" in str(check)
    with pytest.raises(QueryRefused, match="unknown_column"):
        planner.request("SELECT regoin FROM people", purpose=PURPOSE, agreement="planning")


def test_a_question_under_a_standing_rule_is_answered_at_once(node: Running) -> None:
    answer = node.session("pat").request(STANDING_SQL, purpose=PURPOSE, agreement="planning").fetch()
    shown = str(answer)
    assert shown.splitlines()[0].split() == ["region", "people"]
    assert "Source: Office of example statistics: People, 2025." in shown
    truth = dict(people().group_by("area").aggregate([("area", "count")]).to_pydict())
    north = sum(n for a, n in zip(truth["area"], truth["area_count"], strict=True) if a in "A0A1A2A3")
    published = dict(zip(*answer.to_arrow().select(["region", "people"]).to_pydict().values(), strict=True))
    assert abs(published["N"] - north) <= 2


def test_a_custodian_reviews_and_approves_and_the_planner_runs(node: Running) -> None:
    planner, custodian = node.session("pat"), node.session("olu")
    request = planner.request(CUSTODIAN_SQL, purpose=PURPOSE, agreement="planning")
    assert request.state == "submitted"
    with pytest.raises(NotUsable, match="awaits the decision of: office"):
        request.wait(progress=False)
    (waiting,) = [r for r in custodian.requests("submitted") if r.id == request.id]
    assert waiting.explain()["explanation"]["question"].startswith("The number of people")
    with pytest.raises(NotPermitted):
        planner.approve(request.id, reason="me", plan_digest=request.plan_digest)
    custodian.approve(request.id, reason="within the agreement", plan_digest=waiting.plan_digest)
    seen: list[tuple[int, str]] = []
    answer = request.fetch(progress=lambda percent, state: seen.append((percent, state)))
    assert seen[-1] == (100, "done")
    assert len(answer) == 4
    authority = answer.statement["authority"]
    assert authority["recipient"]["id"] == "greater_ay"
    assert [(d["kind"], d["decided_by"]) for d in authority["decisions"]] == [("person", "olu")]
    assert answer.statement["context"]["purpose"] == PURPOSE


def test_small_counts_are_withheld_and_explained(node: Running) -> None:
    sql = "SELECT area, count(*) AS people FROM people GROUP BY area ORDER BY people DESC"
    answer = node.session("pat").request(sql, purpose=PURPOSE, agreement="planning").fetch()
    row = {name: column[-1] for name, column in answer.to_arrow().to_pydict().items()}
    assert (row["area"], row["people"], row["people__status"]) == ("A7", None, "[c]")
    assert "[c] confidential" in str(answer)
    assert "[c]" in answer._repr_html_()


def test_the_answer_verifies_and_a_changed_one_does_not(node: Running) -> None:
    answer = node.session("pat").request(STANDING_SQL, purpose=PURPOSE, agreement="planning").fetch()
    assert answer.verify().table_checked
    column = answer.table.schema.get_field_index("people")
    field = answer.table.schema.field(column)
    changed = answer.table.set_column(column, field, pa.array([1, 2], field.type))
    with pytest.raises(VerificationError, match="not the one that the statement is about"):
        verify_statement(embedded_statement(changed), node.session("pat").keys(), changed)


def test_an_analyst_takes_data_frames_over_two_custodians(node: Running) -> None:
    pytest.importorskip("pandas")
    with connect(node.url, client_id="dashboard", client_secret=SECRET) as analyst:
        request = analyst.request(BOTH_SQL, purpose=PURPOSE, agreement="planning")
        for person in ("olu", "sam"):
            node.session(person).approve(request.id, reason="fine", plan_digest=request.plan_digest)
        frame = request.refresh().fetch().to_pandas()
    assert list(frame.columns) == [
        *("region", "region__status", "n", "n__status", "vacancies", "vacancies__status")
    ]
    assert frame["vacancies"].sum() > 400


def test_the_same_question_has_the_same_answer_whoever_asks_it(node: Running) -> None:
    with connect(node.url, client_id="dashboard", client_secret=SECRET) as analyst:
        first = analyst.request(STANDING_SQL, purpose=PURPOSE, agreement="planning").fetch()
    worded = "SELECT p.region, count(p.sex) AS people FROM people AS p WHERE 1 = 1 GROUP BY 1 ORDER BY 1"
    second = node.session("pat").request(worded, purpose=PURPOSE, agreement="planning").fetch()
    assert first.to_arrow().column("people") == second.to_arrow().column("people")
