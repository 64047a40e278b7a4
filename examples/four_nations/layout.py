"""Configurations of four nations, of a hub over them, and of one node that holds everybody, to compare with.

The survey is that of ``examples/labour_market``, split by country of residence. Keys are made here and told to the
others, as keepers do with ``federation peers show``.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

from examples.synthetic.generate import Progress, generate
from federation.release.keys import SigningKey
from federation.state.private import create_private
from federation.state.secrets import FILE_NAME
from federation.wire.exchange_key import ExchangeKey

HERE = Path(__file__).resolve().parent
LABOUR_MARKET = HERE.parent / "labour_market"
SEED = 1


@dataclass(frozen=True)
class Nation:
    """A nation: its code in the code list of geography, and its custodian."""

    title: str
    code: str
    person: str
    name: str


NATIONS: Mapping[str, Nation] = {
    "england": Nation("England", "E92000001", "emma", "Emma Clarke"),
    "northern_ireland": Nation("Northern Ireland", "N92000002", "niamh", "Niamh Kelly"),
    "scotland": Nation("Scotland", "S92000003", "isla", "Isla Fraser"),
    "wales": Nation("Wales", "W92000004", "ffion", "Ffion Hughes"),
}
HUB, WHOLE = "four_nations", "everybody"
NODES = (*NATIONS, HUB, WHOLE)
POLLS = "northern_ireland"
"""Sits behind a firewall: it fetches what it is asked."""

RULED = ["period", "lad_res", "country_res", "region_res", "age", "sex", "status", "economic_activity"]
BY_HAND = {"wales": "qualification"}
"""What a nation's custodian decides by hand, where standing rules of the others permit it."""

ADDED_UP = "What each of them publishes is added up: noise adds up too."
COUNTED_JOINTLY = "They count jointly: the noise is that of one holder, and nobody learns another's part."


@dataclass(frozen=True)
class Addresses:
    """Where each node listens, and where the others call it, which may be a relay."""

    ports: Mapping[str, int]
    called: Mapping[str, str]

    def url(self, node: str) -> str:
        """Where people reach the node."""
        return f"http://127.0.0.1:{self.ports[node]}"


def make_people(folder: Path, people: int, progress: Progress | None = None) -> None:
    """Write everybody to ``folder/everybody`` and each nation's people to a folder of its own, once."""
    made = folder / "made"
    if made.exists():
        return
    generate(people, folder / WHOLE, SEED, progress)
    table = pq.read_table(folder / WHOLE / "people.parquet")
    first = pc.utf8_slice_codeunits(pc.cast(table["lad_res"], pa.string()), 0, 1)
    for node, nation in NATIONS.items():
        (folder / node).mkdir(exist_ok=True)
        part = table.filter(pc.equal(first, nation.code[0]))
        pq.write_table(part, folder / node / "people.parquet")
    made.touch()


def write_nodes(
    folder: Path, data: Path, addresses: Addresses, limits: Mapping[str, float] | None = None
) -> None:
    """Write the configuration of every node to a folder of its own, with new keys, over ``data`` of ``make_people``."""
    noise = secrets.token_hex(32)
    for node in NODES:
        _write_common(folder / node, node)
        if node != HUB:
            _link(data / node / "people.parquet", folder / node / "data" / "people.parquet")
        own = {"key_secret": secrets.token_hex(32), "noise_secret": noise, "key_epoch": 1}
        create_private(folder / node / "secrets" / FILE_NAME, json.dumps(own).encode())
    public = {node: _public_keys(folder / node / "secrets") for node in (*NATIONS, HUB)}
    for node in NODES:
        known = [other for other in public if other != node and node != WHOLE]
        peers = {other: _peer(node, other, addresses) | public[other] for other in known}
        _write_settings(folder / node, node, addresses, peers, limits)


def _public_keys(secrets_dir: Path) -> dict[str, str]:
    signing = SigningKey.load(secrets_dir, {}, first_start=True)
    exchange = ExchangeKey.load(secrets_dir, {}, first_start=True)
    return {"signing_key": signing.public_x, "exchange_key": exchange.public}


def _peer(node: str, other: str, addresses: Addresses) -> dict[str, Any]:
    """What ``node`` has to know of another. Nations know each other's keys; the hub alone calls and is called."""
    if other == HUB:
        return {
            "title": "Hub of the four nations",
            "url": addresses.called[HUB],
            "asks_for": ["skills_forum"],
        }
    reached: dict[str, Any] = (
        {} if node != HUB else {"polls": True} if other == POLLS else {"url": addresses.called[other]}
    )
    return {"title": NATIONS[other].title, **reached}


def _write_common(folder: Path, node: str) -> None:
    shutil.copytree(LABOUR_MARKET / "codelists", folder / "codelists", dirs_exist_ok=True)
    shutil.copytree(HERE / "common", folder, dirs_exist_ok=True)
    (folder / "profiles").mkdir(exist_ok=True)
    shutil.copy(LABOUR_MARKET / "profiles" / "statistics_office.yaml", folder / "profiles")
    survey = yaml.safe_load((LABOUR_MARKET / "datasets" / "people.yaml").read_text("utf-8"))
    del survey["relationships"]["employer"]  # the register of employers is not part of this federation
    body = "federation_office" if node in (HUB, WHOLE) else f"{node}_statistics"
    survey |= {"publisher": body, "custodian": body}
    if node == HUB:
        parts = {each: [nation.code] for each, nation in NATIONS.items()}
        source = {"parts": parts, "split": "country_res", "location": "people"}
        title, text = survey["title"], f"{survey['description']} Each nation holds its own part."
        together = survey | {
            "dataset": "people_together",
            "title": f"{title}, counted jointly by the nations",
            "description": f"{text} {COUNTED_JOINTLY}",
        }
        survey |= {"title": f"{title}, the nations' figures added up", "description": f"{text} {ADDED_UP}"}
        _dump(
            folder / "datasets" / "people_together.yaml",
            together | {"source": source | {"mode": "masked_sums"}},
        )
        survey |= {"source": source | {"mode": "protected_parts"}}
        agreement = folder / "agreements" / "four_nations.yaml"
        _dump(
            agreement,
            yaml.safe_load(agreement.read_text("utf-8")) | {"datasets": ["people", "people_together"]},
        )
    else:
        ruled = [*RULED, "qualification"] if node not in BY_HAND else RULED
        rule = {
            "rule": "employment",
            "title": "Employment by area, age band and sex",
            "body": "skills_forum",
            "dataset": "people",
            "dimensions": ruled,
            "decided_by": body,
            "decided_on": "2025-05-01",
            "until": "2035-03-31",
        }
        _dump(folder / "rules" / "skills_forum.yaml", rule)
    _dump(folder / "datasets" / "people.yaml", survey)


def _write_settings(
    folder: Path,
    node: str,
    addresses: Addresses,
    peers: Mapping[str, Any],
    limits: Mapping[str, float] | None,
) -> None:
    asks = {"person": "asha", "name": "Asha Rao", "body": "skills_forum", "roles": ["planner", "analyst"]}
    keeps = {"person": "kit", "name": "Kit Lowe", "body": "federation_office", "roles": ["auditor"]}
    title = {HUB: "Hub of the four nations", WHOLE: "Everybody at one node, to compare with"}
    if node in NATIONS:
        nation = NATIONS[node]
        keeps = {
            "person": nation.person,
            "name": nation.name,
            "body": f"{node}_statistics",
            "roles": ["custodian", "auditor"],
        }
        title[node] = f"Labour market of {nation.title}"
    federation = {"peers": peers, **({"poll": [HUB]} if node == POLLS else {})}
    _dump(
        folder / "node.yaml",
        {
            "node": node,
            "title": title[node],
            "environment": "demo",
            "port": addresses.ports[node],
            "sources": {"duckdb": {"kind": "duckdb", "directory": "data"}} if node != HUB else {},
            "identity": {"persons": [asks, keeps]},
            # Six nodes share one machine here: each has one compiler, and questions take their time.
            "limits": {"compile_workers": 1, "compile_seconds": 60, **(limits or {})},
            "federation": federation,
        },
    )


def _link(source: Path, target: Path) -> None:
    """The same file under another name, or a copy of it where that cannot be."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


def _dump(path: Path, content: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True, width=110), "utf-8")
