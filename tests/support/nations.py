"""Four nations with a part each of one dataset, a board with vacancies, and a hub that holds nothing of either.

All are real nodes with databases, compilers, sandboxes and workers of their own; what they write to each other is
signed, verified and recorded. Only the network is left out.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from joserfc.jwk import OKPKey

from catalogue.models import Mode
from connectors.protocol import CancelSignal
from federation.audit.chain import events
from federation.composition import build_node
from federation.holders.asking import Asking
from federation.holders.masked import MaskedHolder
from federation.holders.remote import PartsHolder, RemoteHolder
from federation.holders.routing import Gatherer
from federation.identity.principal import NodeRole, Principal
from federation.runs.workers import Workers
from federation.service import notices, releases, requests, runs
from federation.service.node import Node
from federation.service.notices import NoticeView
from federation.service.questions import Ask, compile_question, question_of
from federation.service.views import RequestView, RunView
from federation.state.lifecycle import RunState
from federation.wire.asking import SignedChannel
from federation.wire.channel import MessageKind, NodeUnavailable, Unavailability
from federation.wire.correspondence import Written
from federation.wire.envelope import MessageRefused
from federation.wire.peers import Peer
from policies.refusals import RefusalError
from tests.support.node import FILES, PURPOSE, people, write_node

NATIONS = {"england": "E", "scotland": "S", "wales": "W", "northern_ireland": "N"}
AREAS = {"E": ("A0", "A1", "A2", "A3"), "S": ("A4",), "W": ("A5",), "N": ("A6", "A7")}
PAT = Principal("pat", "Pat Planner", "greater_ay", frozenset({NodeRole.PLANNER, NodeRole.ANALYST}))
OLU = Principal("olu", "Olu Office", "office", frozenset({NodeRole.CUSTODIAN}))
SAM = Principal("sam", "Sam Skills", "skills_board", frozenset({NodeRole.CUSTODIAN}))
ROWS = 12_000
NOISE = "5a" * 32
WARM = "SELECT count(*) FROM people"
"""Asked of each compiler once, so that they don't all start at the same time."""
TODAY = date(2026, 6, 1)

_NATION_OF = {area: nation for nation, areas in AREAS.items() for area in areas}
GEOGRAPHY = {
    "codelists/geography.yaml": FILES["codelists/geography.yaml"].replace(
        "levels: [", "levels: [{name: nation, title: Nation}, "
    ),
    "codelists/geography.csv": "nation,nation_name,region,region_name,area,area_name\n"
    + "".join(
        f"{_NATION_OF[f'A{i}']},Nation {_NATION_OF[f'A{i}']},{'N' if i < 4 else 'S'},"
        f"{'North' if i < 4 else 'South'},A{i},Area {i}\n"
        for i in range(8)
    ),
}
NATION = "  nation: {role: dimension, title: Nation, codelist: geography, of: area, level: nation, stored: false}\n"
PEOPLE = FILES["datasets/people.yaml"].replace("  sex: {", f"{NATION}  sex: {{")
VACANCIES = FILES["datasets/vacancies.yaml"] + NATION
POSTS = "source: {connector: duckdb, location: vacancies.parquet}"
SOURCE = "source: {connector: duckdb, location: people.parquet}"
PARTS = ", ".join(f"{node}: [{code}]" for node, code in NATIONS.items())
RULES = """\
rule: anything_of_people
title: Counts and pay of people
body: greater_ay
dataset: people
dimensions: [area, sex, age]
decided_by: olu
decided_on: 2025-02-01
until: 2090-01-01
"""
BOARD_RULES = """\
rule: vacancies_by_area
title: Vacancies by area
body: greater_ay
dataset: vacancies
dimensions: [area]
decided_by: sam
decided_on: 2025-02-01
until: 2090-01-01
"""


def earnings() -> str:
    return PEOPLE.replace("dataset: people", "dataset: earnings").replace(
        SOURCE, "source: {node: england, location: people}"
    )


def hub_files() -> dict[str, str]:
    agreement = FILES["agreements/planning.yaml"].replace(
        "datasets: [people, vacancies]", "datasets: [people, vacancies, earnings, here, together, posts]"
    )
    rules = RULES.replace("rule: anything_of_people", "rule: here").replace(
        "dataset: people", "dataset: here"
    )
    return {
        "datasets/people.yaml": PEOPLE.replace(
            SOURCE, f"source: {{parts: {{{PARTS}}}, split: nation, location: people}}"
        ),
        "datasets/together.yaml": PEOPLE.replace("dataset: people", "dataset: together").replace(
            SOURCE, f"source: {{parts: {{{PARTS}}}, split: nation, location: people, mode: masked_sums}}"
        ),
        "datasets/posts.yaml": VACANCIES.replace("dataset: vacancies", "dataset: posts").replace(
            POSTS, f"source: {{parts: {{{PARTS}}}, split: nation, location: vacancies, mode: masked_sums}}"
        ),
        "datasets/earnings.yaml": earnings(),
        "datasets/here.yaml": PEOPLE.replace("dataset: people", "dataset: here"),
        "datasets/vacancies.yaml": FILES["datasets/vacancies.yaml"].replace(
            POSTS, "source: {node: board, location: vacancies}"
        ),
        "agreements/planning.yaml": agreement,
        "rules/regions.yaml": rules,
    }


@dataclass
class Nations:
    """``away`` names nodes that are silent; ``tamper`` may change an answer's token on its way to the hub, ``lie`` what
    a node answers."""

    directory: Path
    nodes: dict[str, Node] = field(default_factory=dict)
    away: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    tamper: Callable[[str, str], str] = lambda _, token: token
    lie: Callable[[str, Mapping[str, Any]], Mapping[str, Any]] = lambda _, body: body
    channel: SignedChannel | None = None

    def ask(
        self, node: str, kind: MessageKind, body: Mapping[str, Any], *, deadline: float, cancel: CancelSignal
    ) -> Mapping[str, Any]:
        """The hub's channel; what comes back may have been changed by the node before it signed the message."""
        assert self.channel is not None
        return self.lie(node, self.channel.ask(node, kind, body, deadline=deadline, cancel=cancel))

    @property
    def hub(self) -> Node:
        return self.nodes["hub"]

    def carry(self, peer: Peer, message: Written, *, deadline: float, cancel: CancelSignal) -> str:
        self.asked.append(peer.name)
        if peer.name in self.away:
            raise NodeUnavailable(peer.name, Unavailability.AWAY)
        try:
            return self.tamper(peer.name, self.nodes[peer.name].wire.desk.receive(message.token))
        except MessageRefused as refused:
            raise NodeUnavailable(peer.name, Unavailability.REFUSED, str(refused.fault)) from None

    def answer(self, sql: str) -> RunView:
        """Ask the hub as Pat and wait for the run to end."""
        return self.run(self.request(sql).request)

    def request(self, sql: str) -> RequestView:
        return requests.submit(self.hub, PAT, Ask(sql, "planning", PURPOSE))

    def run(self, request: str) -> RunView:
        run = runs.start(self.hub, PAT, request, {})
        with Workers(self.hub):
            while run.state in (RunState.QUEUED, RunState.RUNNING):
                run = runs.get(self.hub, PAT, run.run)
        return run

    def table(self, run: RunView) -> pa.Table:
        assert run.release is not None, f"{run.error}: {run.message}"
        record = releases.find(self.hub, PAT, run.release)
        return self.hub.files.read(record.path, record.file_digest)

    def statement(self, run: RunView) -> Mapping[str, object]:
        assert run.release is not None, f"{run.error}: {run.message}"
        return releases.find(self.hub, PAT, run.release).payload

    def notes(self, run: RunView) -> list[str]:
        context = self.statement(run)["context"]
        assert isinstance(context, dict)
        return list(context["notes"])

    def told(self, principal: Principal) -> list[NoticeView]:
        """The notices of somebody at the hub."""
        return notices.listing(self.hub, principal)

    def acts(self, node: str, subject: str) -> list[tuple[str, str]]:
        """Who did what to a thing at a node."""
        with self.nodes[node].database.read() as session:
            return [(each.actor, each.action) for each in events(session, subject=subject)]

    def truth(self) -> pa.Table:
        return people(ROWS)


@contextmanager
def nations(
    directory: Path,
    changes: Mapping[str, Mapping[str, str]] | None = None,
    started: tuple[str, ...] = (*NATIONS, "board"),
) -> Iterator[Nations]:
    """A hub and the nodes ``started``, the others being away; ``changes`` replace files of a node, ``noise`` among
    them the noise secret that all nodes share, and ``sources`` adds to its sources. A node called ``whole`` holds all
    that the nations have parts of."""
    names = [*NATIONS, "board", "hub", "whole"]
    signing = {name: OKPKey.generate_key("Ed25519") for name in names}
    exchange = {name: OKPKey.generate_key("X25519") for name in names}
    found = Nations(directory)
    with ExitStack() as stack:
        found.away = set(NATIONS) - set(started)
        for name in (*started, "hub"):
            files = {**GEOGRAPHY, **_files(name), **(changes or {}).get(name, {})}
            noise, sources = files.pop("noise", NOISE), files.pop("sources", "")
            peers = [other for other in names if other != name]
            files["node.yaml"] = _node_yaml(name, sources) + _peers(peers, signing, exchange)
            folder = write_node(directory / name, files, ROWS)
            _keep_part(folder, name)
            environment = {
                "FEDERATION_SIGNING_KEY": json.dumps(signing[name].as_dict(private=True)),
                "FEDERATION_EXCHANGE_KEY": json.dumps(exchange[name].as_dict(private=True)),
                "FEDERATION_KEY_SECRET": secrets.token_hex(32),
                "FEDERATION_NOISE_SECRET": noise,
                "FEDERATION_KEY_EPOCH": "1",
            }
            node = build_node(folder, environment=environment)
            stack.callback(node.close)
            found.nodes[name] = node
            with suppress(RefusalError):
                compile_question(node, question_of(node, PAT.body, Ask(WARM, "planning", PURPOSE), TODAY))
            if name != "hub":
                stack.enter_context(Workers(node))
                channel = SignedChannel(node.wire.correspondence, lambda _: found)
                found.nodes[name] = replace(node, wire=replace(node.wire, channel=channel))
        hub = found.nodes["hub"]
        asking = Asking(found, hub.wire.peers)
        found.channel = SignedChannel(hub.wire.correspondence, lambda _: found)
        parted: dict[Mode, Gatherer] = {
            Mode.PROTECTED_PARTS: PartsHolder(asking),
            Mode.MASKED_SUMS: MaskedHolder(asking, hub.settings.federation.peers, hub.catalogue),
        }
        holders = replace(hub.holders, remote=RemoteHolder(asking), parted=parted)
        found.nodes["hub"] = replace(hub, holders=holders)
        yield found


def _files(name: str) -> dict[str, str]:
    if name == "hub":
        return hub_files()
    rules = BOARD_RULES if name == "board" else RULES
    return {"datasets/people.yaml": PEOPLE, "rules/regions.yaml": rules}


def _node_yaml(name: str, sources: str) -> str:
    """Six nodes share one machine, so that questions take their time."""
    text = FILES["node.yaml"].replace("node: test_node", f"node: {name}")
    text = text.replace("sources: {", f"sources: {{{sources}")
    return text.replace("compile_workers: 1,", "compile_workers: 1, compile_seconds: 60,")


def _peers(names: list[str], signing: Mapping[str, OKPKey], exchange: Mapping[str, OKPKey]) -> str:
    lines = [
        f"    {name}: {{title: {name}, url: 'http://127.0.0.1:1', signing_key: {signing[name].as_dict()['x']}, "
        f"exchange_key: {exchange[name].as_dict()['x']}, asks_for: [{'greater_ay' if name == 'hub' else ''}]}}\n"
        for name in names
    ]
    return "federation:\n  peers:\n" + "".join(lines)


def _keep_part(folder: Path, name: str) -> None:
    path = folder / "data" / "people.parquet"
    if name in NATIONS:
        table = pq.read_table(path)
        pq.write_table(table.filter(pc.is_in(table["area"], pa.array(AREAS[NATIONS[name]]))), path)
