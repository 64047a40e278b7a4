"""Several nodes on disk that know each other, to be served on loopback ports."""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from federation.release.keys import SigningKey
from federation.wire.exchange_key import ExchangeKey
from tests.support.node import FILES, Running, running, write_node
from tests.support.wire import public_part


@dataclass(frozen=True)
class Place:
    """Where a node is: its configuration directory and its port."""

    directory: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def write_federation(
    directory: Path,
    hub: str,
    others: Collection[str],
    polling: Collection[str] = (),
    changes: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, Place]:
    """Write a hub and other nodes that know it, each with keys of its own.

    Args:
        polling: those of the others that cannot be called, and fetch what they are asked.
        changes: for a node, files that take the place of those of ``tests.support.node``.
    """
    places = {name: Place(directory / name, free_port()) for name in (hub, *others)}
    entries = {}
    for name, place in places.items():
        secrets = place.directory / "secrets"
        signing_key = SigningKey.load(secrets, {}, first_start=True)
        exchange_key = ExchangeKey.load(secrets, {}, first_start=True)
        entries[name] = {
            "title": name.title(),
            **({"polls": True} if name in polling else {"url": place.url}),
            "signing_key": public_part(signing_key),
            "exchange_key": exchange_key.public,
        }
    for name, place in places.items():
        known = others if name == hub else [hub]
        federation = {
            "peers": {other: entries[other] for other in known},
            "poll": [hub] if name in polling else [],
        }
        files = dict((changes or {}).get(name, {}))
        node = yaml.safe_load(files.get("node.yaml", FILES["node.yaml"]))
        node |= {"node": name, "title": name.title(), "port": place.port, "federation": federation}
        write_node(place.directory, files | {"node.yaml": yaml.safe_dump(node)})
    return places


@contextmanager
def serving(places: Mapping[str, Place]) -> Iterator[dict[str, Running]]:
    """Serve nodes, each at its port. The last of them ends first: those that poll before their hub."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(running(place.directory, port=place.port))
            for name, place in places.items()
        }
