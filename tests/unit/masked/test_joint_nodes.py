"""Joint counts by real nodes: each compiles, decides, runs and records by itself; the hub learns the totals alone."""

from __future__ import annotations

import base64
import copy
import json
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from catalogue.held import Parted
from federation.audit.records import AuditRecord
from federation.holders.masked import roster_of
from federation.holders.messages import CellsQuestion
from federation.holders.protocol import Asker
from federation.service import decisions, requests
from federation.service.errors import ServiceError
from federation.service.questions import Ask, compile_question, question_of
from federation.state.lifecycle import RunState
from federation.state.releases import ledger
from federation.wire.channel import MessageKind, NodeUnavailable, Unavailability
from policies.cell_question import CellQuestion
from policies.cell_sql import cell_sql
from tests.support.nations import NATIONS, OLU, PAT, SAM, TODAY, Nations, nations
from tests.support.node import FILES, PURPOSE, people

NODES = tuple(sorted(NATIONS))
SQL = "SELECT sex, area, count(*) AS n FROM together GROUP BY GROUPING SETS ((sex), (area), ()) ORDER BY 1, 2"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nations]:
    with nations(tmp_path_factory.mktemp("joint"), started=(*NATIONS, "whole")) as found:
        yield found


@pytest.fixture
def four(shared: Nations) -> Iterator[Nations]:
    yield shared
    shared.away.clear()


class Hub:
    """A hub that does what it likes: the rounds one by one, with whatever messages."""

    def __init__(
        self, four: Nations, sql: str, nodes: tuple[str, ...] = NODES, body: str = "greater_ay"
    ) -> None:
        hub = four.hub
        question = question_of(hub, PAT.body, Ask(sql, "planning", PURPOSE), TODAY)
        (query,) = compile_question(hub, question).queries
        dataset = hub.catalogue.datasets[query.dataset]
        assert isinstance(dataset.held, Parted)
        asker = Asker("pat", body, "planning", PURPOSE, "req_1", f"sha256:{'0' * 64}")
        cells = CellQuestion.of(query)
        message = CellsQuestion.of(
            asker, nodes[0], cell_sql(cells, dataset, dataset.held.location).sql, cells.digest(dataset)
        )
        self.four, self.nodes = four, nodes
        self.body: dict[str, Any] = message.model_dump(mode="json") | {
            "roster": roster_of(nodes, hub.settings.federation.peers).model_dump(mode="json")
        }

    def ask(self, node: str, kind: MessageKind, **changes: object) -> Mapping[str, Any]:
        soon = time.monotonic() + 120
        return self.four.ask(node, kind, self.body | changes, deadline=soon, cancel=threading.Event())

    def first_round(self) -> list[str]:
        return [self.ask(node, MessageKind.ELIGIBILITY)["answer"] for node in self.nodes]

    def refused(self, node: str, kind: MessageKind, **changes: object) -> str:
        with pytest.raises(NodeUnavailable) as refused:
            self.ask(node, kind, **changes)
        assert refused.value.reason is Unavailability.REFUSED
        return refused.value.detail


def rows(four: Nations, sql: str) -> list[dict[str, Any]]:
    return four.table(four.answer(sql)).to_pylist()


def of_whole(four: Nations, sql: str) -> list[dict[str, Any]]:
    """What the node that holds everybody answers to the same question."""
    whole = four.nodes["whole"]
    question = question_of(whole, PAT.body, Ask(sql, "planning", PURPOSE), TODAY)
    (query,) = compile_question(whole, question).queries
    answer = whole.answering.holder.answer(query, deadline=time.monotonic() + 60, cancel=threading.Event())
    return answer.table.to_pylist()  # type: ignore[union-attr]


def test_the_joint_answer_is_that_of_one_node_digit_for_digit(four: Nations) -> None:
    found = rows(four, SQL)
    whole = {(row["k0"], row["k1"]): row["a0"] for row in of_whole(four, SQL.replace("together", "people"))}
    assert {(row["sex"], row["area"]) for row in found} == whole.keys()
    given = [row for row in found if row["n__status"] == ""]
    assert all(row["n"] == whole[row["sex"], row["area"]] for row in given)
    # Everybody and both sexes; and areas, of which one nation holds everybody and three hide that they hold nobody.
    assert {(row["sex"], row["area"]) for row in given} >= {
        (None, None),
        ("F", None),
        ("M", None),
        (None, "A5"),
    }
    assert all(row["n"] is None and row["n__status"] == "[c]" for row in found if row not in given)


def test_the_release_names_what_each_node_released_for_it(four: Nations) -> None:
    statement = four.statement(four.answer(SQL))
    parts = statement["parts"]
    assert isinstance(parts, list)
    assert sorted(part["node"] for part in parts) == list(NODES)
    assert any("counted jointly by" in note for note in statement["context"]["notes"])  # type: ignore[index]


def test_a_question_asked_again_has_the_same_digits(four: Nations) -> None:
    assert rows(four, SQL) == rows(four, SQL)


def test_no_cell_is_asked_with_other_nodes(four: Nations) -> None:
    """All four less three would be the fourth, also where three are asked for the parts that make up the whole."""
    rows(four, "SELECT sex, count(*) FROM together GROUP BY sex")
    three = tuple(node for node in NODES if node != "wales")
    for sql in (
        "SELECT sex, count(*) FROM together GROUP BY sex",
        "SELECT sex AS s, count(*) AS k FROM together WHERE 1 = 1 AND age >= 16 GROUP BY sex",
        "SELECT count(*) FROM together WHERE sex = 'F'",
        "SELECT count(*) FILTER (WHERE sex = 'F') FROM together",
        "SELECT sex, region, count(*) FROM together GROUP BY sex, region",
    ):
        hub = Hub(four, sql, three)
        answers = hub.first_round()
        for node in three:
            assert hub.refused(node, MessageKind.KEYS, answers=answers) == "joint_roster_taken"


def test_what_was_given_is_bound_even_if_the_hub_leaves_out_a_round(four: Nations) -> None:
    sql = "SELECT count(*) FROM together WHERE age = 40"
    hub = Hub(four, sql)
    hub.ask("wales", MessageKind.VALUES, answers=hub.first_round())
    three = Hub(four, sql, ("england", "scotland", "wales"))
    answers = three.first_round()
    assert three.refused("wales", MessageKind.KEYS, answers=answers) == "joint_roster_taken"


def test_answers_that_a_hub_altered_are_refused(four: Nations) -> None:
    hub = Hub(four, SQL)
    answers = hub.first_round()
    head, payload, signature = answers[1].split(".")
    content = json.loads(base64.urlsafe_b64decode(payload + "=="))
    content["publishes"] = base64.b64encode(bytes(len(base64.b64decode(content["publishes"])))).decode()
    forged = base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")
    altered = [answers[0], f"{head}.{forged}.{signature}", *answers[2:]]
    assert hub.refused("england", MessageKind.KEYS, answers=altered) == "joint_answer_not_signed"
    swapped = [answers[1], answers[0], *answers[2:]]
    assert hub.refused("england", MessageKind.KEYS, answers=swapped) == "joint_answer_not_signed"
    assert hub.refused("england", MessageKind.KEYS, answers=answers[:3]) == "joint_answers_missing"
    assert hub.refused("england", MessageKind.KEYS, answers=[1]) == "message_unreadable"


def test_answers_to_another_question_are_refused(four: Nations) -> None:
    other = Hub(four, "SELECT area, count(*) FROM together GROUP BY area").first_round()
    hub = Hub(four, "SELECT sex, count(*) FROM together GROUP BY sex")
    assert hub.refused("scotland", MessageKind.KEYS, answers=other) == "joint_terms_differ"


def test_keys_that_a_hub_exchanged_are_unreadable(four: Nations) -> None:
    hub = Hub(four, SQL)
    answers = hub.first_round()
    sealed = [hub.ask(node, MessageKind.KEYS, answers=answers)["sealed"] for node in NODES]
    for wrong in ([sealed[1], sealed[0], *sealed[2:]], sealed[:3], ["", *sealed[1:]]):
        found = hub.refused("england", MessageKind.VALUES, answers=answers, sealed=wrong)
        assert found == "joint_keys_unreadable"
    assert "masked" in hub.ask("england", MessageKind.VALUES, answers=answers, sealed=sealed)


def test_no_wording_gets_other_numbers_under_the_same_masks(four: Nations) -> None:
    """The order of groups is no part of a question: whoever could change it would read differences of one node's."""
    words = []
    for keys in ("sex, area", "area, sex"):
        hub = Hub(four, f"SELECT {keys}, count(*) FROM together GROUP BY {keys}")
        words.append(hub.ask("wales", MessageKind.VALUES, answers=hub.first_round())["masked"])
    assert words[0] == words[1]


def test_other_numbers_of_the_same_snapshot_make_another_session(four: Nations) -> None:
    """A file changed without a trace, a new key secret, another expression in the catalogue: the masks are others."""
    hub = Hub(four, "SELECT sex, count(*) FROM together WHERE region = 'N' GROUP BY sex")
    answers = hub.first_round()
    joint = four.nodes["england"].joint
    kept = dict(joint._kept)
    try:
        for key, share in kept.items():
            joint._kept[key] = replace(share, keys=share.keys + 1)
        with pytest.raises(NodeUnavailable) as changed:
            hub.ask("england", MessageKind.KEYS, answers=answers)
    finally:
        joint.forget()
    assert changed.value.reason is Unavailability.CHANGED


def test_a_hub_is_no_node_of_a_roster(four: Nations) -> None:
    hub = Hub(four, SQL)
    seat = {"node": "hub"}
    wire = four.hub.wire
    seat |= {"signing_key": four.hub.signing_key.public_x, "exchange_key": wire.exchange_key.public}
    seats = sorted([*hub.body["roster"]["seats"], seat], key=lambda each: each["node"])
    found = hub.refused("england", MessageKind.ELIGIBILITY, roster={"seats": seats})
    assert found == "joint_roster_has_hub"


def test_a_roster_is_of_nodes_that_know_each_other(four: Nations) -> None:
    hub = Hub(four, SQL)
    stranger = copy.deepcopy(hub.body["roster"])
    stranger["seats"][1]["exchange_key"] = four.hub.wire.exchange_key.public
    assert hub.refused("england", MessageKind.ELIGIBILITY, roster=stranger) == "joint_roster_unknown"
    stranger["seats"][1]["exchange_key"] = stranger["seats"][2]["exchange_key"]
    assert hub.refused("england", MessageKind.ELIGIBILITY, roster=stranger) == "joint_roster_invalid"
    seats = hub.body["roster"]["seats"]
    for wrong, code in (
        (seats[:2], "joint_roster_invalid"),
        (seats[::-1], "joint_roster_invalid"),
        (seats[1:], "joint_roster_lacks_node"),
    ):
        assert hub.refused("england", MessageKind.ELIGIBILITY, roster={"seats": wrong}) == code


def test_what_is_not_counted_jointly_is_refused_before_anybody_is_asked(four: Nations) -> None:
    for sql, word in (
        ("SELECT avg(pay) FROM together", "counts of units"),
        ("SELECT count(*) FROM together WHERE age BETWEEN 20 AND 33", "sets of one's own"),
    ):
        with pytest.raises(ServiceError) as refused:
            four.request(sql)
        (fault,) = refused.value.faults
        assert (fault.code, word in fault.message) == ("not_counted_jointly", True)


def test_a_node_refuses_by_itself_what_is_not_counted_jointly(four: Nations) -> None:
    for sql in ("SELECT avg(pay) FROM people", "SELECT count(*) FROM people WHERE age BETWEEN 20 AND 33"):
        assert Hub(four, sql).refused("wales", MessageKind.ELIGIBILITY) == "joint_not_possible"


def test_a_hub_asks_only_for_bodies_that_the_node_lets_it_speak_for(four: Nations) -> None:
    hub = Hub(four, SQL, body="effshire")
    assert hub.refused("wales", MessageKind.ELIGIBILITY) == "asks_for_no_such_body"
    assert hub.refused("wales", MessageKind.CELLS) == "message_unreadable"
    del hub.body["roster"]
    assert hub.refused("wales", MessageKind.CELLS) == "asks_for_no_such_body"


def test_without_a_standing_rule_a_person_decides_and_is_told_who_counts_together(four: Nations) -> None:
    hub = Hub(four, "SELECT count(*) FROM posts")
    for _ in range(2):
        with pytest.raises(NodeUnavailable) as waits:
            hub.ask("wales", MessageKind.ELIGIBILITY)
        assert waits.value.reason is Unavailability.NEEDS_A_PERSON
    (view,) = requests.listing(four.nodes["wales"], SAM)
    assert (view.request, view.jointly_with) == (waits.value.detail, list(NODES))
    assert "england" in view.question


def test_each_node_records_what_it_gives_before_it_gives_it(four: Nations) -> None:
    rows(four, "SELECT sex, count(*) FROM together WHERE region = 'N' GROUP BY sex")
    for name in NODES:
        with four.nodes[name].database.read() as session:
            events = session.scalars(select(AuditRecord).order_by(AuditRecord.sequence)).all()
            entries = list(ledger(session, "people", "2025"))
        actions = [event.action for event in events]
        last = len(actions) - 1 - actions[::-1].index("joint.keys_given")
        assert "release.issued" in actions[:last]
        assert "joint.values_given" in actions[last:]
        assert entries


def test_one_node_that_is_away_voids_the_whole(four: Nations) -> None:
    four.away.add("scotland")
    run = four.answer("SELECT sex, count(*) FROM together GROUP BY sex")
    assert run.state is RunState.FAILED
    assert "scotland" in run.message


def test_data_that_changes_between_the_rounds_voids_the_session(four: Nations) -> None:
    hub = Hub(four, "SELECT area, count(*) AS n FROM together GROUP BY area")
    answers = hub.first_round()
    file = four.directory / "wales" / "data" / "people.parquet"
    content = file.read_bytes()
    try:
        pq.write_table(people(40), file)
        four.nodes["wales"].joint.forget()
        with pytest.raises(NodeUnavailable) as changed:
            hub.ask("wales", MessageKind.KEYS, answers=answers)
    finally:
        file.write_bytes(content)
    assert changed.value.reason is Unavailability.CHANGED


def test_a_custodian_who_revokes_ends_what_is_under_way(four: Nations) -> None:
    hub = Hub(four, "SELECT sex, count(*) FROM together WHERE region = 'S' GROUP BY sex")
    answers = hub.first_round()
    scotland = four.nodes["scotland"]
    request = requests.listing(scotland, OLU)[0]
    decisions.revoke(scotland, OLU, request.request, decisions.Ruling("a mistake"))
    assert hub.refused("scotland", MessageKind.KEYS, answers=answers) == request.request


def test_a_node_that_differs_is_found_out(tmp_path: Path) -> None:
    changes = {
        "northern_ireland": {"noise": "11" * 32},
        "scotland": {
            "profiles/counts.yaml": FILES["profiles/counts.yaml"].replace("variance: 1.05", "variance: 1.2")
        },
    }
    with nations(tmp_path, changes, ("england", "northern_ireland", "scotland")) as four:
        answers = Hub(
            four, "SELECT count(*) FROM together", ("england", "northern_ireland", "scotland")
        ).first_round()
    first, *others = (json.loads(base64.urlsafe_b64decode(a.split(".")[1] + "=="))["terms"] for a in answers)
    assert [{name for name in first if first[name] != terms[name]} for terms in others] == [
        {"noise"},
        {"profile"},
    ]
