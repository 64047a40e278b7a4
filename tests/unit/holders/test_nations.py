"""One question over several nodes: what each decides and protects by itself, and what the hub makes of it."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pyarrow.compute as pc
import pytest

from federation.api.app import create_app
from federation.audit.chain import events
from federation.audit.events import text_digest
from federation.cli import main as cli
from federation.client import RunFailed
from federation.holders.messages import Accepted, CellsQuestion, MessageUnreadable, read_question
from federation.holders.protocol import Agreed, Asker
from federation.identity.principal import Delegation, Principal
from federation.service import (
    accepted_elsewhere,
    conditions_elsewhere,
    decisions,
    notices,
    recalls,
    releases,
    requests,
)
from federation.service.decisions import Ruling
from federation.service.errors import ServiceError
from federation.service.node import Node
from federation.service.questions import Ask
from federation.service.told_recalls import RecallMessage, RecallTeller, learn_of_recall
from federation.service.views import RequestView, RunView
from federation.state import recalls as store
from federation.state.errors import DecisionNotAllowed, TransitionNotAllowed
from federation.state.lifecycle import RunState
from federation.wire.channel import Declined, MessageKind, NodeUnavailable, Sender
from federation.wire.tables import decode_table, encode_table
from tests.support.nations import NATIONS, OLU, PAT, SAM, Nations, nations
from tests.support.node import FILES, PURPOSE, served


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nations]:
    with nations(tmp_path_factory.mktemp("nations")) as found:
        yield found


@pytest.fixture
def four(shared: Nations) -> Iterator[Nations]:
    shared.away.clear()
    shared.asked.clear()
    yield shared
    shared.away.clear()
    shared.tamper = lambda _, token: token
    shared.lie = lambda _, body: body


BY_SEX = (
    "SELECT sex, count(*) AS people, avg(pay) AS pay, sum(pay) AS total FROM people GROUP BY sex ORDER BY sex"
)
BOUND = 8
"""Four parts, each with noise of at most 2."""


def rows(nations_: Nations, sql: str) -> list[dict[str, Any]]:
    return nations_.table(nations_.answer(sql)).to_pylist()


def test_parts_add_up_to_the_truth_within_the_bound(four: Nations) -> None:
    run = four.answer(BY_SEX)
    truth = four.truth().group_by("sex").aggregate([("pay", "mean"), ("pay", "count"), ("pay", "sum")])
    true = {row["sex"]: row for row in truth.to_pylist()}
    found = four.table(run).to_pylist()
    assert [row["sex"] for row in found] == ["F", "M"]
    for row in found:
        assert row["people__status"] == row["pay__status"] == row["total__status"] == ""
        assert abs(row["people"] - true[row["sex"]]["pay_count"]) <= BOUND
        assert abs(float(row["pay"]) / true[row["sex"]]["pay_mean"] - 1) < 0.02
        assert row["total"] == row["pay"] * row["people"]
    notes = four.notes(run)
    assert any(
        "within 8 of the true one; the standard deviation of its noise is 2.05" in note for note in notes
    )
    assert any(
        "put together from the parts of: england, northern_ireland, scotland, wales" in n for n in notes
    )


def test_the_statement_lists_the_parts(four: Nations) -> None:
    statement = four.statement(four.answer(BY_SEX))
    parts = statement["parts"]
    assert isinstance(parts, list)
    assert [part["node"] for part in parts] == sorted(NATIONS)
    assert {part["decisions"][0]["decided_by"] for part in parts} == {"anything_of_people"}
    authority = statement["authority"]
    assert isinstance(authority, dict)
    (decision,) = authority["decisions"]
    assert decision["kind"] == "holder"
    assert decision["decided_by"] == "england, northern_ireland, scotland, wales"


def test_a_delegation_at_the_hub_is_named_in_the_hubs_statement_and_in_those_of_the_nodes(
    four: Nations,
) -> None:
    """The hub vouches for who asks, and so for what lets them; nodes keep its word with the request."""
    given = Delegation("pat_for_ay", "Deed of 1 March", date(2090, 12, 31))
    named = {
        "delegation": "pat_for_ay",
        "body": "greater_ay",
        "instrument": given.instrument,
        "until": "2090-12-31",
    }
    pat = replace(PAT, delegation=given)
    sql = "SELECT age, count(*) AS delegated FROM earnings WHERE sex = 'F' GROUP BY age"
    asked = requests.submit(four.hub, pat, Ask(sql, "planning", PURPOSE))
    statement = four.statement(four.run(asked.request))
    assert statement["authority"]["delegation"] == named  # type: ignore[index]
    (part,) = statement["parts"]  # type: ignore[misc]
    theirs = releases.find(four.nodes["england"], OLU, part["release"]).payload["authority"]
    assert (theirs["requester"], theirs["delegation"]) == ("hub hub for pat", named)


def test_the_same_question_has_the_same_digits(four: Nations) -> None:
    """Whatever order the nodes answer in, and however often they are asked."""
    first = four.table(four.answer(BY_SEX))
    assert four.table(four.answer(BY_SEX)).equals(first)


def test_only_nodes_that_the_question_touches_are_asked(four: Nations) -> None:
    found = rows(
        four, "SELECT nation, count(*) AS n FROM people WHERE nation IN ('S', 'W') GROUP BY nation ORDER BY 1"
    )
    assert sorted(four.asked) == ["scotland", "wales"]
    assert [row["nation"] for row in found] == ["S", "W"]


def test_grouping_sets_spreads_and_quantiles(four: Nations) -> None:
    sql = (
        "SELECT nation, GROUPING(nation) AS g, count(*) AS n, stddev_samp(pay) AS spread, median(pay) AS middle "
        "FROM people GROUP BY ROLLUP (nation) ORDER BY g, nation"
    )
    run = four.answer(sql)
    *single, total = four.table(run).to_pylist()
    assert all(row["middle__status"] == "" for row in single)
    assert total["middle__status"] == "[x]"
    assert total["n"] == sum(row["n"] for row in single)
    true = four.truth()["pay"].to_numpy().std(ddof=1)
    assert abs(float(total["spread"]) / true - 1) < 0.05
    assert any("one node alone" in note for note in four.notes(run))


def test_a_withheld_part_withholds_the_total(four: Nations) -> None:
    """Three people live in A7: at their node that is [c], so whatever they are part of is."""
    found = rows(four, "SELECT sex, count(*) AS n FROM people WHERE area IN ('A4', 'A7') GROUP BY sex")
    assert {row["n__status"] for row in found} == {"[c]"}


def test_a_nation_that_is_away_is_named_and_its_absence_marked(four: Nations) -> None:
    whole = {row["sex"]: row["people"] for row in rows(four, BY_SEX)}
    four.away.add("wales")
    run = four.answer(BY_SEX)
    for row in four.table(run).to_pylist():
        assert row["people__status"] == row["pay__status"] == "[part]"
        assert 0 < row["people"] < whole[row["sex"]]
    assert any("Missing: wales: it could not be reached" in note for note in four.notes(run))
    alone = rows(four, "SELECT nation, count(*) AS n FROM people GROUP BY nation ORDER BY nation")
    assert [row["n__status"] for row in alone] == ["", "", "", "[x]"]


def test_with_nobody_there_the_run_says_who_was_asked(four: Nations) -> None:
    four.away |= set(NATIONS)
    run = four.answer(BY_SEX)
    assert run.state is RunState.FAILED
    assert run.error == "holders_unavailable"
    assert "wales: it could not be reached" in run.message


def test_a_person_decides_where_the_data_is(four: Nations) -> None:
    """Vacancies by area are covered by a rule of the board; the hub has no say in it, and its custodian none here."""
    sql = "SELECT region, count(*) AS n FROM earnings WHERE pay >= 1000 GROUP BY region"
    asked = four.request(sql)
    assert asked.usable
    first = four.run(asked.request)
    assert first.error == "holders_unavailable"
    assert "its custodian has to decide first" in first.message
    england = four.nodes["england"]
    (waiting,) = [view for view in requests.listing(england, OLU) if view.state == "submitted"]
    assert waiting.requester == "hub hub for pat"
    decisions.approve(england, OLU, waiting.request, Ruling("fine", waiting.plan_digest))
    second = four.run(asked.request)
    found = four.table(second).to_pylist()
    assert {row["region"]: row["n__status"] for row in found} == {"N": "", "S": "[c]"}


def test_a_refusal_there_is_named(four: Nations) -> None:
    sql = "SELECT sex, count(*) AS n FROM earnings WHERE pay < 500 GROUP BY sex"
    four.answer(sql)
    england = four.nodes["england"]
    (waiting,) = [view for view in requests.listing(england, OLU) if view.state == "submitted"]
    decisions.refuse(england, OLU, waiting.request, Ruling("no", waiting.plan_digest))
    run = four.answer(sql)
    assert run.error == "holders_unavailable"
    assert f"england: it refused ({waiting.request})" in run.message


SHOW_NOBODY = "Show it to nobody\nbefore <b>March</b>"


def approved_on(four: Nations, node: str, text: str, custodian: Principal = OLU) -> str:
    """The custodian of a nation approves what waits there, on a condition."""
    there = four.nodes[node]
    (waiting,) = [view for view in requests.listing(there, custodian) if view.state == "submitted"]
    decisions.approve(there, custodian, waiting.request, Ruling("fine", waiting.plan_digest, conditions=text))
    return waiting.request


def accept(four: Nations, request: str, node: str, who: Principal = PAT, digest: str = "") -> RequestView:
    (found,) = [each for each in requests.get(four.hub, PAT, request).node_conditions if each.node == node]
    return conditions_elsewhere.accept(four.hub, who, request, node, digest or found.digest)


def test_conditions_of_a_node_are_accepted_at_the_hub_and_then_it_answers(four: Nations) -> None:
    asked = four.request("SELECT region, count(*) AS n FROM earnings WHERE pay >= 900 GROUP BY region")
    assert "its custodian has to decide first" in four.run(asked.request).message
    assert requests.get(four.hub, PAT, asked.request).node_conditions == []
    there = approved_on(four, "england", SHOW_NOBODY)
    for _ in range(2):
        ended = four.run(asked.request)
        assert ended.error == "holders_unavailable"
        assert (
            f"england: it approves on conditions that whoever asked has to accept first ({there})"
            in ended.message
        )
        assert SHOW_NOBODY not in ended.message, "a custodian's words are with the request alone"
    (known,) = requests.get(four.hub, PAT, asked.request).node_conditions
    assert (known.node, known.request, known.accepted_by) == ("england", there, None)
    assert [(each.body, each.text) for each in known.conditions] == [("office", SHOW_NOBODY)]

    for who, digest, error in (
        (replace(PAT, subject="quinn"), "", DecisionNotAllowed),
        (replace(PAT, body="effshire"), "", ServiceError),
        (PAT, text_digest("others"), TransitionNotAllowed),
    ):
        with pytest.raises(error):
            accept(four, asked.request, "england", who, digest)
    (known,) = accept(four, asked.request, "england").node_conditions
    assert known.accepted_by == "pat"
    with pytest.raises(TransitionNotAllowed, match="accepted before"):
        accept(four, asked.request, "england")
    assert requests.get(four.nodes["england"], OLU, there).state == "approved", "it is told with the question"

    first = four.run(asked.request)
    assert four.table(first).to_pylist()[0]["n__status"] == ""
    assert four.table(four.run(asked.request)).equals(four.table(first))
    acts = [act for act in four.acts("england", there) if act[1] == "request.accepted"]
    assert acts == [("hub hub for pat", "request.accepted")]
    with four.nodes["england"].database.read() as session:
        details = [e.details for e in events(session, subject=there) if e.action == "request.accepted"]
    assert known.digest in details[0]
    assert '"peer":"hub"' in details[0]
    about = [
        act for act in four.acts("hub", asked.request) if act[1] in ("conditions.learned", "request.accepted")
    ]
    assert [act for _, act in about] == ["conditions.learned", "request.accepted"]
    assert about[1][0] == "pat"


def test_nodes_that_count_jointly_all_say_at_once_what_they_ask_for(four: Nations) -> None:
    asked = four.request("SELECT count(*) AS posts FROM posts")
    four.run(asked.request)
    for node in sorted(NATIONS):
        approved_on(four, node, f"{node} first", SAM)
    four.run(asked.request)
    found = requests.get(four.hub, PAT, asked.request).node_conditions
    assert [each.conditions[0].text for each in found] == [f"{node} first" for node in sorted(NATIONS)]
    for node in NATIONS:
        accept(four, asked.request, node)
    assert four.table(four.run(asked.request)).to_pylist()[0]["posts__status"] == ""


def test_nobody_accepts_for_somebody_else_nor_other_words(four: Nations) -> None:
    """A hub speaks for each of its requesters; what it says of one of them is nothing that another said."""
    sql = "SELECT sex, count(*) AS n FROM earnings WHERE pay < 700 GROUP BY sex"
    asked = four.request(sql)
    four.run(asked.request)
    there = approved_on(four, "england", "for Pat")
    four.run(asked.request)
    england = four.nodes["england"]
    (known,) = requests.get(four.hub, PAT, asked.request).node_conditions

    def sender(node: str) -> Sender:
        return Sender(node, "msg_1", time.monotonic() + 30, threading.Event())

    pat = replace(PAT, subject="hub hub for pat")
    sound = Accepted(request=there, conditions=known.digest)
    for hub, who, said in (
        ("hub", replace(pat, subject="hub hub for quinn"), sound),
        ("hub", replace(pat, body="effshire"), sound),
        ("wales", replace(pat, subject="hub wales for pat"), sound),
        ("hub", pat, Accepted(request=there, conditions=text_digest("for Pat"))),
        ("hub", pat, Accepted(request=f"req_{'0' * 30}", conditions=known.digest)),
    ):
        accepted_elsewhere.take(england, sender(hub), who, [said])
        assert requests.get(england, OLU, there).state == "approved"
    quinn = requests.submit(four.hub, replace(PAT, subject="quinn"), Ask(sql, "planning", PURPOSE))
    assert "its custodian has to decide first" in four.run(quinn.request).message
    assert requests.get(four.hub, PAT, quinn.request).node_conditions == []
    quinns = approved_on(four, "england", "for Quinn")
    accept(four, asked.request, "england")
    assert four.run(asked.request).release, "though Quinn has accepted nothing"
    assert requests.get(england, OLU, quinns).state == "approved"
    assert four.run(quinn.request).release, "an approval that runs is its body's"


def test_a_withdrawn_request_accepts_nothing(four: Nations) -> None:
    asked = four.request("SELECT age, count(*) AS n FROM earnings WHERE pay < 600 GROUP BY age")
    four.run(asked.request)
    approved_on(four, "england", "only if")
    four.run(asked.request)
    requests.withdraw(four.hub, PAT, asked.request)
    with pytest.raises(TransitionNotAllowed):
        accept(four, asked.request, "england")


async def page_for_olu(node: Node, path: str) -> str:
    """A page of a node that is not served: what is started with it would be stopped for good."""
    transport = httpx.ASGITransport(app=create_app(node))
    async with httpx.AsyncClient(transport=transport, base_url=node.settings.public_url) as page:
        await page.post("/sign-in", data={"person": "olu"})
        return (await page.get(path, headers={"Accept": "text/html"})).text


def test_conditions_are_read_and_accepted_by_every_way_to_the_hub(
    four: Nations, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(four.hub) as hub, hub.session("pat") as pat:
        asked = pat.request(
            "SELECT age, count(*) AS n FROM people WHERE pay >= 850 GROUP BY age",
            agreement="planning",
            purpose=PURPOSE,
            justification="To plan courses",
        )
        with pytest.raises(RunFailed):
            asked.wait(progress=False)
        for node in sorted(NATIONS):
            there = approved_on(four, node, f"{SHOW_NOBODY} of {node}")
        kept = requests.get(four.nodes["wales"], OLU, there)
        assert (kept.justification, kept.hub) == ("To plan courses", "hub")
        text = asyncio.run(page_for_olu(four.nodes["wales"], f"/requests/{there}"))
        assert re.search(r"What for, as hub states it\s*</dt>\s*<dd[^>]*>To plan courses", text)
        with pytest.raises(RunFailed, match="on conditions"):
            asked.run().wait(progress=False)

        assert {each["node"] for each in asked.refresh().conditions} == set(NATIONS)
        assert asked.accept("england").conditions[-1]["node"] != "england"
        with pytest.raises(ValueError, match="england has no conditions"):
            asked.accept("england")

        address = ["--url", hub.url, "--person", "pat"]
        assert cli.run(["requests", asked.id, *address]) == 0
        shown = capsys.readouterr().out
        assert "scotland approves under the conditions: Show it to nobody" in shown
        assert f"federation accept {asked.id} --of scotland" in shown
        assert "accepted by pat" in shown
        assert cli.run(["accept", asked.id, "--of", "scotland", *address]) == 0
        assert "of scotland (office)" in capsys.readouterr().out
        assert cli.run(["accept", asked.id, "--of", "scotland", *address]) != 0
        assert "no conditions" in capsys.readouterr().err

        with httpx.Client(base_url=hub.url, headers={"Accept": "text/html"}, timeout=60) as page:
            page.post("/sign-in", data={"person": "pat"})
            text = page.get(f"/requests/{asked.id}").text
            forms = re.findall(r"<form[^>]*/acceptance\">(.*?)</form>", text, re.DOTALL)
            assert len(forms) == 2
            assert "&lt;b&gt;March&lt;/b&gt; of wales" in text
            assert "of england" in text, "what was accepted stays to be read"
            for form in forms:
                said = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))
                assert page.post(f"/requests/{asked.id}/acceptance", data=said).status_code == 303
            text = page.get(f"/requests/{asked.id}").text
            assert "/acceptance" not in text
            assert text.count("Conditions accepted") == 4
        assert asked.refresh().conditions == []
        assert asked.run().wait(progress=False).release
        with hub.http("pat") as http:
            body = {"node": "wales", "conditions": "sha256:0"}
            answer = http.post(f"/v1/requests/{asked.id}/accept", json=body)
            assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")


def test_what_nodes_of_earlier_versions_write_is_read_and_they_read_what_they_can(four: Nations) -> None:
    """Their questions lack what is new, and so does every question in which it says nothing."""
    asker = Asker("pat", "greater_ay", "planning", PURPOSE, "req_1", text_digest(""))
    earlier = {
        *("body", "requester", "purpose", "agreement", "sql", "question"),
        *("plan_digest_at_hub", "hub_request", "approvals"),
    }
    written = CellsQuestion.of(asker, "wales", "SELECT 1", text_digest("")).model_dump(mode="json")
    assert set(written) == earlier
    assert read_question(written).accepted == ()
    agreed = {"wales": [Agreed(f"req_{'0' * 30}", text_digest(""))]}
    told = replace(asker, agreed=agreed, justification="To plan")
    assert set(CellsQuestion.of(told, "wales", "SELECT 1", text_digest("")).model_dump()) == earlier | {
        "accepted",
        "justification",
    }
    assert not CellsQuestion.of(told, "scotland", "SELECT 1", text_digest("")).accepted
    for change in ({"justification": "x" * 4001}, {"accepted": [{"request": "x", "conditions": "y"}]}):
        with pytest.raises(MessageUnreadable):
            read_question(written | change)


VERTICAL = (
    "SELECT a.region, a.people, a.pay, b.posts, c.n AS here FROM "
    "(SELECT region, count(*) AS people, avg(pay) AS pay FROM earnings GROUP BY region) AS a "
    "JOIN (SELECT region, count(*) AS posts FROM vacancies GROUP BY region) AS b USING (region) "
    "JOIN (SELECT region, count(*) AS n FROM here GROUP BY region) AS c USING (region) ORDER BY region"
)


def test_datasets_of_several_custodians_are_joined_above_the_line(four: Nations) -> None:
    run = four.answer(VERTICAL)
    found = four.table(run).to_pylist()
    assert [(row["region"], row["people__status"], row["posts__status"]) for row in found] == [
        ("N", "", ""),
        ("S", "[c]", ""),
    ]
    parts = four.statement(run)["parts"]
    assert isinstance(parts, list)
    assert {(part["dataset"], part["node"]) for part in parts} == {
        ("earnings", "england"),
        ("vacancies", "board"),
    }


def test_the_rest_is_shown_where_one_custodian_is_away(four: Nations) -> None:
    four.away.add("board")
    run = four.answer(VERTICAL)
    found = four.table(run).to_pylist()
    assert {row["posts__status"] for row in found} == {"[x]"}
    assert found[0]["people__status"] == found[0]["here__status"] == ""
    assert "vacancies is not available: board: it could not be reached" in four.notes(run)


WRONG = "Wales had rows twice"


def recalled_in_wales(four: Nations, run: RunView) -> str:
    """The custodian in Wales takes back what went into an answer of the hub."""
    parts = four.statement(run)["parts"]
    assert isinstance(parts, list)
    part: str = next(each["release"] for each in parts if each["node"] == "wales")
    recalls.recall(four.nodes["wales"], OLU, part, WRONG)
    return part


def test_a_recall_reaches_the_hub_and_takes_back_what_rests_on_it(four: Nations) -> None:
    """Parts that were added up, and parts of a joint count; what rests on nothing of Wales stands."""
    notices.subscribe(four.hub, PAT, None)
    summed = four.answer("SELECT sex, count(*) AS once FROM people GROUP BY sex")
    joint = four.answer("SELECT sex, count(*) AS jointly FROM together GROUP BY sex")
    other = four.answer("SELECT sex, count(*) AS other FROM people WHERE nation = 'S' GROUP BY sex")
    wales = four.nodes["wales"]
    for run in (summed, joint):
        part = recalled_in_wales(four, run)
        assert recalls.recalled(four.hub, run.release or "") is None
        assert RecallTeller(wales).tell_next()
        found = recalls.recalled(four.hub, run.release or "")
        assert found is not None
        assert found.reason == f"wales recalled what it had given for this ({part}): {WRONG}"
        assert found.body == "office"
        with pytest.raises(ServiceError, match=WRONG):
            recalls.require_standing(four.hub, run.release or "")
        assert any(each.about == run.release for each in four.told(PAT) if each.kind == "recalled")
        assert four.acts("hub", run.release or "")[-1] == ("node wales", "release.recalled")
        assert four.acts("hub", part) == [("node wales", "part.recalled")]
    assert recalls.recalled(four.hub, other.release or "") is None
    assert not RecallTeller(wales).tell_next()


def test_a_recall_waits_for_a_hub_that_is_away_and_comes_but_once(four: Nations) -> None:
    run = four.answer("SELECT age, count(*) AS n FROM people GROUP BY age")
    wales, day = four.nodes["wales"], timedelta(days=1)
    part = recalled_in_wales(four, run)
    four.away.add("hub")
    assert RecallTeller(wales).tell_next()
    assert not RecallTeller(wales).tell_next(), "not due again yet"
    assert recalls.recalled(four.hub, run.release or "") is None
    four.away.clear()
    four.tamper = lambda node, token: token[:-4] + "AAAA" if node == "hub" else token
    later = replace(wales, clock=lambda: wales.clock() + day)
    with wales.database.write() as session:
        telling = store.claim_telling(session, later.clock())
    assert telling is not None
    body = RecallMessage.of(telling).model_dump(mode="json")

    def tell() -> Mapping[str, Any]:
        cancel, deadline = threading.Event(), time.monotonic() + 30
        return wales.wire.channel.ask("hub", MessageKind.RECALL, body, deadline=deadline, cancel=cancel)

    with pytest.raises(NodeUnavailable, match="relied on"):
        tell()
    assert recalls.recalled(four.hub, run.release or "") is not None, "the hub knows, its answer was lost"
    four.tamper = lambda _, token: token
    assert tell() == {}
    assert [act for _, act in four.acts("hub", part)] == ["part.recalled"]
    assert [act for _, act in four.acts("hub", run.release or "")].count("release.recalled") == 1


def test_a_peer_recalls_what_it_gave_itself_and_says_what_a_recall_is(four: Nations) -> None:
    run = four.answer("SELECT count(*) AS mine FROM people")
    part = next(each["release"] for each in four.statement(run)["parts"] if each["node"] == "wales")  # type: ignore[attr-defined]
    scotland = Sender("scotland", "msg_1", time.monotonic() + 30, threading.Event())
    sound = {"release": part, "body": "office", "reason": "x", "recalled_at": "2026-01-01T00:00:00Z"}
    learn_of_recall(four.hub, scotland, sound)
    assert recalls.recalled(four.hub, run.release or "") is None
    for change in (
        {"release": "rel_x'"},
        {"reason": " "},
        {"recalled_at": "then"},
        {"more": 1},
        {"body": "A B"},
    ):
        with pytest.raises(Declined):
            learn_of_recall(four.hub, scotland, sound | change)


def test_what_was_recalled_while_the_hub_worked_on_it_is_not_released(four: Nations) -> None:
    def recall(node: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        if node == "wales":
            recalls.recall(four.nodes["wales"], OLU, body["release"], WRONG)
            assert RecallTeller(four.nodes["wales"]).tell_next()
        return body

    four.lie = recall
    run = four.answer("SELECT sex, count(*) AS too_late FROM people GROUP BY sex")
    assert (run.state, run.error, run.release) == (RunState.VOID, "part_recalled", None)


def test_an_answer_that_was_changed_on_its_way_is_no_answer(four: Nations) -> None:
    four.tamper = lambda node, token: token[:-4] + "AAAA" if node == "wales" else token
    run = four.answer(BY_SEX)
    assert any("wales: its answer was not one that can be relied on" in note for note in four.notes(run))


def _rounded_up(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The node's table with other digits, under the statement that it signed before."""
    table = decode_table(body["table"])
    index = table.column_names.index("a0")
    return {**body, "table": encode_table(table.set_column(index, "a0", pc.add(table["a0"], 1000)))}


@pytest.mark.parametrize(
    "lie",
    [
        _rounded_up,
        lambda body: {**body, "statement": body["statement"][:-4] + "AAAA"},
        lambda body: {**body, "release": "rel_another"},
        lambda body: {**body, "table": "bm90IGEgdGFibGU="},
        lambda body: {**body, "sparse": "yes, in a way"},
        lambda body: {**body, "noise": {"maximum_error": -1, "variance": 0}},
        lambda body: {},
    ],
)
def test_a_node_is_held_to_what_it_signed(
    four: Nations, lie: Callable[[Mapping[str, Any]], Mapping[str, Any]]
) -> None:
    four.lie = lambda node, body: lie(body) if node == "wales" else body
    run = four.answer("SELECT count(*) AS n FROM people WHERE nation IN ('S', 'W')")
    assert four.table(run).to_pylist()[0]["n__status"] == "[part]"
    assert any("wales: its answer was not one that can be relied on" in note for note in four.notes(run))


def test_the_release_of_another_question_is_no_answer(four: Nations) -> None:
    """Wales gives what it released, rightly signed, for another condition."""
    kept: list[Mapping[str, Any]] = []
    four.lie = lambda node, body: (kept.append(body), body)[1]
    four.answer("SELECT count(*) AS n FROM people WHERE nation = 'W'")
    four.lie = lambda node, body: kept[0] if node == "wales" else body
    run = four.answer("SELECT count(*) AS n FROM people WHERE nation IN ('S', 'W') AND sex = 'F'")
    assert any("answer_table_differs" in note for note in four.notes(run))


def test_no_request_at_the_hub_waits_for_what_others_hold(four: Nations) -> None:
    view = requests.submit(four.hub, PAT, _ask("SELECT sex, count(*) FROM here GROUP BY sex"))
    assert view.usable
    joined = "SELECT a.n + b.n AS n FROM (SELECT count(*) AS n FROM here WHERE pay > 500) AS a, ({}) AS b"
    mixed = requests.submit(four.hub, PAT, _ask(joined.format("SELECT count(*) AS n FROM people")))
    assert not mixed.usable
    assert [decision.dataset for decision in mixed.decisions] == ["people"]
    assert SAM.body not in mixed.reason


def _ask(sql: str) -> Ask:
    return Ask(sql, "planning", "skills planning")


def test_an_expired_agreement_and_another_code_list_at_a_node(tmp_path: Path) -> None:
    agreement = (
        FILES["agreements/planning.yaml"]
        .replace("2026-01-01", "2025-06-01")
        .replace("2090-01-01", "2025-12-31")
    )
    sexes = {"codelists/sex.csv": "sex,sex_name\nF,Women\nM,Men\nX,Others\n"}
    changes = {"scotland": {"agreements/planning.yaml": agreement}, "wales": sexes}
    with nations(tmp_path, changes, ("england", "scotland", "wales")) as found:
        run = found.answer(BY_SEX)
        (note,) = [note for note in found.notes(run) if "Missing" in note]
        assert "scotland: it refused (agreement_expired)" in note
        assert "wales: it refused (catalogue_differs)" in note
        assert {row["people__status"] for row in found.table(run).to_pylist()} == {"[part]"}
