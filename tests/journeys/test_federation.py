"""Four nations and a hub as processes: killed, stopped, cut off, counterfeited. Nothing wrong is ever released."""

from __future__ import annotations

import base64
import json
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx
import pytest
from joserfc.jwk import OKPKey

from examples.four_nations.layout import HUB, NATIONS, POLLS, make_people, write_nodes
from examples.four_nations.processes import Processes, free_addresses, port_of
from examples.four_nations.relay import Carried, Forward, read, relay
from federation.client import RunFailed, connect
from federation.client.errors import Recalled
from federation.client.request import Request
from federation.release.keys import SigningKey
from federation.wire.envelope import MESSAGE_TYPE
from federation.wire.http import MEDIA_TYPE, MESSAGES
from tests.support.thorough import thorough

pytestmark = thorough

PURPOSE = "Skills planning across the United Kingdom"
Act = Callable[[bytes, Forward], tuple[int, bytes] | None]


@dataclass
class Wires:
    """The nodes and what lies between them. ``acts`` is what befalls the next message to a node of a kind."""

    processes: Processes
    sessions: ExitStack
    acts: dict[tuple[str, str], Act] = field(default_factory=dict)
    carried: list[Carried] = field(default_factory=list)

    def carry(self, content: bytes, forward: Forward) -> tuple[int, bytes] | None:
        message = read(content)
        act = None if message is None else self.acts.pop((message.audience, message.kind), None)
        if message is not None and message.kind != "poll":
            self.carried.append(message)
        return forward(content) if act is None else act(content, forward)

    def url(self, node: str) -> str:
        return self.processes.addresses.url(node)

    def request(self, sql: str) -> Request:
        asha = self.sessions.enter_context(connect(self.url(HUB), person="asha"))
        return asha.request(sql, purpose=PURPOSE, agreement="four_nations")

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of an answer, with their marks."""
        return rows(self.request(sql))

    def fails(self, sql: str) -> str:
        with pytest.raises(RunFailed) as failed:
            self.request(sql).wait(progress=False)
        assert failed.value.code == "holders_unavailable"
        return str(failed.value)

    def kill(self, node: str) -> None:
        process = self.processes.running.pop(node)
        process.kill()
        process.wait()

    def signal(self, node: str, number: signal.Signals) -> None:
        self.processes.running[node].send_signal(number)

    def audit_is_whole(self, node: str, person: str) -> bool:
        with connect(self.url(node), person=person) as keeper:
            return bool(keeper.verify_audit()["whole"])

    def stored(self, node: str, sql: str) -> list[tuple[Any, ...]]:
        """What the database of a node holds, read beside the node."""
        path = self.processes.folder / node / "state" / "node.sqlite"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            return database.execute(sql).fetchall()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wires]:
    folder = tmp_path_factory.mktemp("federation")
    addresses = free_addresses()
    make_people(folder / "data", 60_000)
    write_nodes(folder / "nodes", folder / "data", addresses)
    with ExitStack() as stack:
        wires = Wires(stack.enter_context(Processes(folder / "nodes", addresses)), stack)
        for node, url in addresses.called.items():
            stack.enter_context(relay(port_of(url), addresses.ports[node], wires.carry))
        wires.processes.start((*NATIONS, HUB))
        yield wires


@pytest.fixture
def wires(shared: Wires) -> Iterator[Wires]:
    yield shared
    missed, shared.acts = shared.acts, {}
    assert not missed, "what was to befall a message did not"
    stopped = [node for node in (*NATIONS, HUB) if node not in shared.processes.running]
    shared.processes.start(stopped)


def by_sex(dataset: str, year: int) -> str:
    return (
        f"SELECT sex, count(*) AS people FROM {dataset} WHERE period = {year} GROUP BY ROLLUP(sex) ORDER BY 1"
    )


def rows(request: Request) -> list[tuple[Any, ...]]:
    table = request.fetch().table
    return [(row["sex"], row["people"], row["people__status"]) for row in table.to_pylist()]


def cut(content: bytes, forward: Forward) -> None:
    """The message arrives, its answer does not."""
    forward(content)


def test_a_node_that_is_killed_in_a_round_voids_it_and_counts_when_it_is_back(wires: Wires) -> None:
    sql = by_sex("people_together", 2021)

    def killed(_: bytes, __: Forward) -> None:
        wires.kill("scotland")

    wires.acts["scotland", "keys"] = killed
    assert "scotland" in wires.fails(sql)
    wires.processes.start(["scotland"])
    found = wires.ask(sql)
    assert len(found) == 3
    assert all(row[1] > 0 and row[2] == "" for row in found)
    assert wires.audit_is_whole("scotland", "isla")


def test_a_node_that_is_restarted_between_rounds_gives_the_same_digits(wires: Wires) -> None:
    sql = by_sex("people_together", 2022)

    def restarted(content: bytes, forward: Forward) -> tuple[int, bytes]:
        wires.kill("wales")
        wires.processes.start(["wales"])
        return forward(content)

    wires.acts["wales", "values"] = restarted
    first = wires.ask(sql)
    assert first == wires.ask(sql)


def test_a_node_that_stands_still_for_a_while_is_waited_for(wires: Wires) -> None:
    def slow(content: bytes, forward: Forward) -> tuple[int, bytes]:
        wires.signal("england", signal.SIGSTOP)
        threading.Timer(3.0, wires.signal, ("england", signal.SIGCONT)).start()
        return forward(content)

    wires.acts["england", "cells"] = slow
    assert [row[2] for row in wires.ask(by_sex("people", 2022))] == ["", "", ""]


def test_a_run_that_waits_for_a_node_that_stands_still_can_be_cancelled(wires: Wires) -> None:
    reached = threading.Event()

    def stopped(content: bytes, forward: Forward) -> tuple[int, bytes]:
        wires.signal("england", signal.SIGSTOP)
        reached.set()
        return forward(content)

    wires.acts["england", "eligibility"] = stopped
    request = wires.request(by_sex("people_together", 2023)).run()
    assert reached.wait(60)
    request.cancel()
    try:
        with pytest.raises(RunFailed) as ended:
            request.wait(progress=False, timeout=60)
    finally:
        wires.signal("england", signal.SIGCONT)
    assert ended.value.code == "cancelled"
    assert wires.ask(by_sex("people_together", 2023))[-1][2] == ""


def test_an_answer_that_is_lost_on_the_way_is_a_part_that_is_missing(wires: Wires) -> None:
    sql = by_sex("people", 2021)
    wires.acts["wales", "cells"] = cut
    assert [row[2] for row in wires.ask(sql)] == ["[part]"] * 3
    whole = wires.ask(sql)
    assert [row[2] for row in whole] == [""] * 3
    wires.acts["wales", "eligibility"] = cut
    assert "wales" in wires.fails(by_sex("people_together", 2021))


@pytest.mark.parametrize("content", [b"garbage", b"\x00\xff" * 400, b"", b"a.b.c"])
def test_garbage_from_a_false_node_is_no_answer(wires: Wires, content: bytes) -> None:
    wires.acts["scotland", "eligibility"] = lambda _, __: (200, content)
    assert "scotland: its answer was not one that can be relied on" in wires.fails(
        by_sex("people_together", 2024)
    )


def test_a_false_node_that_signs_with_a_key_of_its_own_is_not_believed(wires: Wires) -> None:
    own = SigningKey(OKPKey.generate_key("Ed25519"))

    def forged(content: bytes, forward: Forward) -> tuple[int, bytes]:
        status, answer = forward(content)
        payload = answer.split(b".")[1]
        raw = base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4))
        assert json.loads(raw)["issuer"] == "scotland"
        return status, own.sign(raw, MESSAGE_TYPE).encode()

    wires.acts["scotland", "values"] = forged
    assert "scotland" in wires.fails(by_sex("people_together", 2024))


def test_a_message_that_comes_again_is_refused_after_a_restart_too(wires: Wires) -> None:
    wires.carried.clear()
    wires.ask(by_sex("people_together", 2025))
    seen = next(each for each in wires.carried if (each.audience, each.kind) == ("wales", "values"))
    post = partial(
        httpx.post,
        wires.url("wales") + MESSAGES,
        content=seen.token.encode(),
        headers={"Content-Type": MEDIA_TYPE},
        timeout=60,
    )
    assert post().json()["errors"][0]["code"] == "message_seen_before"
    wires.kill("wales")
    wires.processes.start(["wales"])
    assert post().json()["errors"][0]["code"] == "message_seen_before"


def test_a_hub_that_is_killed_takes_its_run_up_again_and_releases_once(wires: Wires) -> None:
    sql = by_sex("people_together", 2024)
    killed = threading.Event()

    def kill(content: bytes, forward: Forward) -> tuple[int, bytes]:
        answer = forward(content)
        wires.kill(HUB)
        killed.set()
        return answer

    wires.acts["scotland", "values"] = kill
    request = wires.request(sql).run()
    assert request._run is not None
    run = request._run["run"]
    assert killed.wait(120)
    wires.processes.start([HUB])
    asha = wires.sessions.enter_context(connect(wires.url(HUB), person="asha"))
    again = asha.get_request(request.id)
    end = time.monotonic() + 120
    while (state := again.runs()[0]["state"]) in ("queued", "running") and time.monotonic() < end:
        time.sleep(0.2)
    assert state == "done", again.runs()
    assert [each["run"] for each in again.runs()] == [run]
    assert wires.stored(HUB, f"SELECT count(*) FROM releases WHERE run_id = '{run}'") == [(1,)]
    assert wires.ask(sql) == rows(again.run())
    assert wires.audit_is_whole(HUB, "kit")
    for node, nation in NATIONS.items():
        assert wires.audit_is_whole(node, nation.person)


def test_a_recall_reaches_the_hub_from_nodes_that_are_called_and_from_one_that_polls(wires: Wires) -> None:
    """The second is lost on its way: told again after a minute, the hub takes back that one too."""
    asha = wires.sessions.enter_context(connect(wires.url(HUB), person="asha"))
    for node, dataset in (("wales", "people_together"), (POLLS, "people")):
        request = wires.request(by_sex(dataset, 2025)).wait(progress=False)
        answer = request.fetch()
        part = next(each for each in answer.statement["parts"] if each["node"] == node)
        if node == POLLS:
            wires.acts[HUB, "recall"] = lambda _, __: None
        with connect(wires.url(node), person=NATIONS[node].person) as keeper:
            keeper.recall(part["release"], reason="rows were there twice")
        end = time.monotonic() + 120
        while not (told := asha.recalls(answer.release)) and time.monotonic() < end:
            time.sleep(0.2)
        assert told[0]["reason"].startswith(f"{node} recalled what it had given for this ({part['release']})")
        with pytest.raises(Recalled):
            asha.release(answer.release)
        assert wires.audit_is_whole(HUB, "kit")
        assert wires.audit_is_whole(node, NATIONS[node].person)


def test_conditions_of_a_node_that_is_called_and_of_one_that_polls_are_accepted_at_the_hub(
    wires: Wires,
) -> None:
    """An answer is lost after its node took the acceptance: told again, the node takes it no second time."""
    codes = ", ".join(f"'{NATIONS[node].code}'" for node in ("wales", POLLS))
    request = wires.request(
        "SELECT country_res AS nation, count(*) AS people FROM people WHERE period = 2025 AND full_time = "
        f"'FT' AND country_res IN ({codes}) GROUP BY country_res ORDER BY 1"
    )
    with pytest.raises(RunFailed, match="its custodian has to decide first"):
        request.wait(progress=False)
    there = {}
    for node in ("wales", POLLS):
        with connect(wires.url(node), person=NATIONS[node].person) as keeper:
            (waiting,) = keeper.requests("submitted")
            there[node] = waiting.id
            keeper.approve(
                waiting.id, reason="fine", plan_digest=waiting.plan_digest, conditions=f"{node} first"
            )
    with pytest.raises(RunFailed, match="on conditions"):
        request.run().wait(progress=False)
    for node in there:
        request.refresh().accept(node)
    wires.acts["wales", "cells"] = cut
    marks = [row["people__status"] for row in request.run().fetch().table.to_pylist()]
    assert sorted(marks) == ["", "[x]"]
    marks = [row["people__status"] for row in request.run().fetch().table.to_pylist()]
    assert marks == ["", ""]
    for node, asked in there.items():
        with connect(wires.url(node), person=NATIONS[node].person) as keeper:
            acts = [(each["actor"], each["action"]) for each in keeper.audit_events(subject=asked)]
        assert acts.count((f"hub {HUB} for asha", "request.accepted")) == 1
        assert wires.audit_is_whole(node, NATIONS[node].person)
    assert wires.audit_is_whole(HUB, "kit")


def test_a_node_that_polls_gives_its_answer_again_and_polls_again_when_it_is_back(wires: Wires) -> None:
    wires.acts[HUB, "cells"] = lambda _, __: None
    assert wires.ask(by_sex("people", 2023))[-1][2] == ""
    wires.kill(POLLS)
    wires.processes.start([POLLS])
    assert wires.ask(by_sex("people", 2024))[-1][2] == ""
