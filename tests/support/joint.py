"""Four real nodes that hold one population in parts, one that holds it whole, and a hub's channel to the four."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from joserfc.jwk import OKPKey

from federation.composition import build_node
from federation.masked.node import JointNode
from federation.release.keys import SigningKey
from federation.runs.workers import Workers
from federation.service.node import Node
from federation.wire.exchange_key import ExchangeKey
from policies.protect import NoiseKey
from tests.support.node import FILES, PURPOSE, people, write_node
from tests.support.wire import LoopbackFederation, loopback

NODES = ("england", "northern_ireland", "scotland", "wales")
HUB = "hub"
AREAS = {
    "england": ["A0", "A1", "A2"],
    "northern_ireland": ["A6", "A7"],
    "scotland": ["A3", "A4"],
    "wales": ["A5"],
}
NOISE = "5a" * 32
RULE = FILES["rules/regions.yaml"].replace("[area]", "[area, sex, age]")


@dataclass(frozen=True)
class Four:
    """The nodes by name, ``whole`` among them, and what carries messages between the four and the hub."""

    nodes: Mapping[str, Node]
    federation: LoopbackFederation
    folder: Path


def asked(sql: str, **changes: object) -> dict[str, object]:
    """What a hub says of who asks."""
    about = {
        "requester": "pat",
        "body": "greater_ay",
        "agreement": "planning",
        "purpose": PURPOSE,
        "sql": sql,
    }
    return about | changes


def of_areas(table: pa.Table, areas: list[str]) -> pa.Table:
    return table.filter(pc.is_in(table["area"], pa.array(areas)))


@contextmanager
def four_nodes(
    folder: Path, rows: int = 3000, changes: Mapping[str, Mapping[str, str]] | None = None
) -> Iterator[Four]:
    """``changes`` replace, by node, whole files of its configuration; ``noise`` among them its noise secret."""
    keys = {name: OKPKey.generate_key("Ed25519") for name in (*NODES, HUB, "whole")}
    signing = {name: SigningKey(key) for name, key in keys.items()}
    exchange = {name: ExchangeKey.generate() for name in (*NODES, HUB)}
    nodes: dict[str, Node] = {}
    with ExitStack() as stack:
        for name in (*NODES, "whole"):
            own = {"rules/regions.yaml": RULE, "node.yaml": _settings(name, signing, exchange)}
            own |= (changes or {}).get(name, {})
            noise = own.pop("noise", NOISE)
            directory = write_node(folder / name, own, rows)
            if name in AREAS:
                part = of_areas(people(rows), AREAS[name])
                pq.write_table(part, directory / "data" / "people.parquet")
            environment = {
                "FEDERATION_KEY_SECRET": secrets.token_hex(32),
                "FEDERATION_NOISE_SECRET": noise,
                "FEDERATION_KEY_EPOCH": "1",
                "FEDERATION_SIGNING_KEY": json.dumps(keys[name].as_dict(private=True)),
            }
            nodes[name] = build_node(directory, environment=environment)
            stack.callback(nodes[name].close)
            stack.enter_context(Workers(nodes[name]))
        databases = {name: nodes[name].database for name in NODES}
        (folder / HUB).mkdir(exist_ok=True)
        federation = loopback(
            folder / HUB, (*NODES, HUB), databases=databases, signing=signing, exchange=exchange
        )
        stack.callback(federation.parties[HUB].database.close)
        for name in NODES:
            secret = (changes or {}).get(name, {}).get("noise", NOISE)
            joint = JointNode(nodes[name], exchange[name], NoiseKey(bytes.fromhex(secret), 1))
            for kind, handler in joint.handlers().items():
                federation.parties[name].desk.register(kind, handler)
        yield Four(nodes, federation, folder)


def soon(seconds: float = 60) -> dict[str, object]:
    return {"deadline": time.monotonic() + seconds, "cancel": threading.Event()}


def _settings(name: str, signing: Mapping[str, SigningKey], exchange: Mapping[str, ExchangeKey]) -> str:
    peers = "".join(
        f"    {other}: {{title: {other}, url: 'http://127.0.0.1:1', signing_key: '{signing[other].public_x}', "
        f"exchange_key: '{exchange[other].public}', asks_for: [{'greater_ay' if other == HUB else ''}]}}\n"
        for other in (*NODES, HUB)
        if other != name
    )
    node = FILES["node.yaml"].replace("node: test_node", f"node: {name}")
    return node + f"federation:\n  peers:\n{peers}"
