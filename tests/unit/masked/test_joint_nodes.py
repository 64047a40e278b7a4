"""Joint counts by real nodes: each compiles, decides, runs and records by itself; the hub learns the totals alone."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from federation.audit.records import AuditRecord
from federation.identity.principal import NodeRole, Principal
from federation.masked.hub import joint_count, roster_of
from federation.service import requests
from federation.service.questions import Ask, compile_question, question_of
from federation.state.releases import ledger
from federation.wire.channel import MessageKind, NodeUnavailable, Unavailability
from policies.cells import ProtectedCells
from policies.plan import CellQuery
from tests.support.joint import NODES, Four, asked, four_nodes, soon
from tests.support.node import FILES, PURPOSE, people

SQL = "SELECT sex, area, count(*) AS n FROM people GROUP BY GROUPING SETS ((sex), (area), ())"


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Four]:
    with four_nodes(tmp_path_factory.mktemp("four")) as nodes:
        yield nodes


def query_of(four: Four, sql: str) -> CellQuery:
    node = four.nodes["whole"]
    question = question_of(node, "greater_ay", Ask(sql, "planning", PURPOSE), node.clock().date())
    return compile_question(node, question).queries[0]


def jointly(four: Four, sql: str, nodes: tuple[str, ...] = NODES, **changes: object) -> ProtectedCells:
    whole = four.nodes["whole"]
    roster = roster_of(nodes, whole.settings.federation.peers)
    profile = whole.catalogue.profiles["counts"]
    channel = four.federation.channel("hub")
    return joint_count(channel, roster, asked(sql, **changes), query_of(four, sql), profile, **soon()).cells


class Hub:
    """A hub that does what it likes: the rounds one by one, with whatever messages."""

    def __init__(self, four: Four, sql: str, nodes: tuple[str, ...] = NODES, **changes: object) -> None:
        self.nodes = nodes
        self.channel = four.federation.channel("hub")
        roster = roster_of(nodes, four.nodes["whole"].settings.federation.peers).model_dump(mode="json")
        self.body: dict[str, Any] = {
            **asked(sql, **changes),
            "roster": roster,
            "jointly_with": [seat["node"] for seat in roster["seats"]],
        }

    def ask(self, node: str, kind: MessageKind, **changes: object) -> Mapping[str, Any]:
        return self.channel.ask(node, kind, self.body | changes, **soon())

    def first_round(self) -> list[str]:
        return [self.ask(node, MessageKind.ELIGIBILITY)["answer"] for node in self.nodes]

    def refused(self, node: str, kind: MessageKind, **changes: object) -> tuple[Unavailability, str]:
        with pytest.raises(NodeUnavailable) as refused:
            self.ask(node, kind, **changes)
        return refused.value.reason, refused.value.detail


def test_the_joint_answer_is_that_of_one_node_digit_for_digit(four: Four) -> None:
    answer = jointly(four, SQL).table
    whole = four.nodes["whole"].answering.holder.answer(query_of(four, SQL), **soon())
    assert isinstance(whole, ProtectedCells)
    assert answer.schema == whole.table.schema
    rows = list(zip(answer.to_pylist(), whole.table.to_pylist(), strict=True))
    given = [(mine, theirs) for mine, theirs in rows if mine["a0"] is not None]
    assert all(mine == theirs for mine, theirs in given)
    # Everybody, both sexes, and areas: where one nation holds everybody, three hide that they hold nobody.
    assert len(given) >= 10


def test_a_question_asked_again_is_the_same_session_with_the_same_digits(four: Four) -> None:
    once, again = jointly(four, SQL), jointly(four, SQL)
    assert once.snapshot == again.snapshot
    assert once.table == again.table


def test_a_cell_is_never_asked_with_other_nodes(four: Four) -> None:
    """All four less three would be the fourth. The same cell in other words, or beside others, is the same cell."""
    jointly(four, "SELECT sex, count(*) FROM people GROUP BY sex")
    three = tuple(node for node in NODES if node != "wales")
    for sql in (
        "SELECT sex, count(*) FROM people GROUP BY sex",
        "SELECT sex AS s, count(*) FROM people WHERE 1 = 1 AND age >= 16 GROUP BY sex",
        "SELECT count(*) FROM people WHERE sex = 'F'",
        "SELECT count(*) FILTER (WHERE sex = 'F') FROM people",
    ):
        with pytest.raises(NodeUnavailable) as refused:
            jointly(four, sql, three)
        assert (refused.value.reason, refused.value.detail) == (Unavailability.REFUSED, "joint_roster_taken")


def test_a_cell_that_was_given_is_bound_even_if_the_hub_leaves_out_a_round(four: Four) -> None:
    sql = "SELECT count(*) FROM people WHERE age = 40"
    hub = Hub(four, sql)
    answers = hub.first_round()
    hub.ask("wales", MessageKind.VALUES, answers=answers)
    with pytest.raises(NodeUnavailable) as refused:
        jointly(four, sql, ("england", "scotland", "wales"))
    assert (refused.value.node, refused.value.detail) == ("wales", "joint_roster_taken")


def test_answers_that_a_hub_altered_are_refused(four: Four) -> None:
    hub = Hub(four, SQL)
    answers = hub.first_round()
    head, payload, signature = answers[1].split(".")
    content = json.loads(base64.urlsafe_b64decode(payload + "=="))
    content["publishes"] = base64.b64encode(bytes(len(base64.b64decode(content["publishes"])))).decode()
    forged = base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")
    altered = [answers[0], f"{head}.{forged}.{signature}", *answers[2:]]
    assert hub.refused("england", MessageKind.KEYS, answers=altered)[1] == "joint_answer_not_signed"
    swapped = [answers[1], answers[0], *answers[2:]]
    assert hub.refused("england", MessageKind.KEYS, answers=swapped)[1] == "joint_answer_not_signed"
    assert hub.refused("england", MessageKind.KEYS, answers=answers[:3])[1] == "joint_answers_missing"
    assert hub.refused("england", MessageKind.KEYS, answers=None)[1] == "message_malformed"


def test_answers_to_another_question_are_refused(four: Four) -> None:
    other = Hub(four, "SELECT area, count(*) FROM people GROUP BY area").first_round()
    hub = Hub(four, "SELECT sex, count(*) FROM people GROUP BY sex")
    assert hub.refused("scotland", MessageKind.KEYS, answers=other)[1] == "joint_terms_differ"


def test_keys_that_a_hub_exchanged_are_unreadable(four: Four) -> None:
    hub = Hub(four, SQL)
    answers = hub.first_round()
    sealed = [hub.ask(node, MessageKind.KEYS, answers=answers)["sealed"] for node in NODES]
    swapped = [sealed[1], sealed[0], *sealed[2:]]
    for wrong in (swapped, sealed[:3], ["", *sealed[1:]], [7, *sealed[1:]], None):
        found = hub.refused("england", MessageKind.VALUES, answers=answers, sealed=wrong)[1]
        assert found in ("joint_keys_unreadable", "message_malformed")


def test_a_roster_is_of_nodes_that_know_each_other(four: Four) -> None:
    hub = Hub(four, SQL)
    stranger = copy.deepcopy(hub.body["roster"])
    stranger["seats"][1]["exchange_key"] = stranger["seats"][2]["exchange_key"]
    assert hub.refused("england", MessageKind.ELIGIBILITY, roster=stranger)[1] == "joint_roster_unknown"
    two = {"seats": hub.body["roster"]["seats"][:2]}
    assert hub.refused("england", MessageKind.ELIGIBILITY, roster=two)[1] == "joint_roster_invalid"
    others = {"seats": hub.body["roster"]["seats"][1:]}
    names = [seat["node"] for seat in others["seats"]]
    found = hub.refused("england", MessageKind.ELIGIBILITY, roster=others, jointly_with=names)
    assert found[1] == "joint_roster_lacks_node"
    backwards = {"seats": hub.body["roster"]["seats"][::-1]}
    assert hub.refused("england", MessageKind.ELIGIBILITY, roster=backwards)[1] == "joint_roster_invalid"


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT avg(pay) FROM people", "joint_not_possible"),
        ("SELECT count(*) FROM people WHERE age BETWEEN 20 AND 33", "joint_not_possible"),
        ("SELECT count(*) FROM nobody", "unknown_table"),
        ("SELECT (SELECT count(*) FROM people) + count(*) FROM vacancies", "not_one_cell_query"),
    ],
)
def test_what_is_not_counted_jointly_is_refused_before_anything_runs(four: Four, sql: str, code: str) -> None:
    assert Hub(four, sql).refused("wales", MessageKind.ELIGIBILITY) == (Unavailability.REFUSED, code)


def test_a_hub_asks_only_for_bodies_that_the_node_lets_it_speak_for(four: Four) -> None:
    hub = Hub(four, SQL, body="effshire")
    assert hub.refused("wales", MessageKind.ELIGIBILITY)[1] == "asks_for_no_such_body"


def test_without_a_standing_rule_a_person_decides_and_is_told_who_counts_together(four: Four) -> None:
    sql = "SELECT count(*) FROM vacancies"
    hub = Hub(four, sql)
    reason, request = hub.refused("wales", MessageKind.ELIGIBILITY)
    assert reason is Unavailability.NEEDS_A_PERSON
    custodian = Principal("sam", "Sam Skills", "skills_board", frozenset({NodeRole.CUSTODIAN}))
    view = requests.get(four.nodes["wales"], custodian, request)
    assert view.jointly_with == list(NODES)
    assert "england" in view.question
    assert hub.refused("wales", MessageKind.ELIGIBILITY) == (reason, request), (
        "asked again it is the same request"
    )


def test_each_node_records_what_it_gives_before_it_gives_it(four: Four) -> None:
    sql = "SELECT sex, count(*) FROM people WHERE area IN ('A0', 'A1', 'A2', 'A3') GROUP BY sex"
    jointly(four, sql)
    for name in NODES:
        with four.nodes[name].database.read() as session:
            events = session.scalars(select(AuditRecord).order_by(AuditRecord.sequence)).all()
            actions = [event.action for event in events]
            entries = list(ledger(session, "people", "2025"))
        last = len(actions) - 1 - actions[::-1].index("joint.keys_given")
        assert "release.issued" in actions[:last]
        assert "joint.values_given" in actions[last:]
        assert entries


def test_one_node_that_is_away_voids_the_whole(four: Four) -> None:
    four.federation.away.add("scotland")
    try:
        with pytest.raises(NodeUnavailable) as away:
            jointly(four, SQL)
    finally:
        four.federation.away.clear()
    assert (away.value.node, away.value.reason) == ("scotland", Unavailability.AWAY)


def test_data_that_changes_between_the_rounds_voids_the_session(four: Four) -> None:
    hub = Hub(four, "SELECT area, count(*) AS n FROM people GROUP BY area")
    answers = hub.first_round()
    node = four.nodes["wales"]
    file = next(four.folder.glob("wales/data/people.parquet"))
    content = file.read_bytes()
    try:
        pq.write_table(people(40), file)
        node.joint.forget()
        assert hub.refused("wales", MessageKind.KEYS, answers=answers)[0] is Unavailability.CHANGED
    finally:
        file.write_bytes(content)


def test_a_node_that_differs_is_found_out(tmp_path: Path) -> None:
    changes = {
        "northern_ireland": {"noise": "11" * 32},
        "scotland": {
            "profiles/counts.yaml": FILES["profiles/counts.yaml"].replace("variance: 1.05", "variance: 1.2")
        },
        "wales": {"codelists/sex.csv": "sex,sex_name\nF,Women\nM,Men\n"},
    }
    sql = "SELECT count(*) FROM people"
    with four_nodes(tmp_path, 300, changes) as four:
        answers = Hub(four, sql).first_round()
        with pytest.raises(NodeUnavailable) as found:
            jointly(four, sql)
    assert (found.value.node, found.value.detail) == ("northern_ireland", "joint_terms_differ")
    first, *others = (json.loads(base64.urlsafe_b64decode(a.split(".")[1] + "=="))["terms"] for a in answers)
    assert [{name for name in first if first[name] != terms[name]} for terms in others] == [
        {"noise"},
        {"profile"},
        {"question"},
    ]
