"""Which engines there are: each is an entry point of the group ``federation.connectors``, named after its kind.

An entry point gives a ConnectorKind. A package of somebody else's adds an engine in the same way, without a line
changed here::

    [project.entry-points."federation.connectors"]
    duckdb = "connectors.kinds.duckdb:KIND"
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from connectors.key_table import KeyTable
from connectors.protocol import Connector

GROUP = "federation.connectors"


class SourceSettings(BaseModel):
    """What ``node.yaml`` says of one source; a kind adds its own keys. Paths are relative to the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str


S = TypeVar("S", bound=SourceSettings)


@dataclass(frozen=True)
class Surroundings:
    """What a connector may use of the node. ``state`` is a folder for what it spills; ``secret`` gives the secret
    of a name, from the environment or a private file, and raises where there is none."""

    configuration: Path
    state: Path
    secret: Callable[[str], str]


@dataclass(frozen=True)
class ConnectorKind(Generic[S]):
    """An engine. ``open`` must not wait for the source: a source that is away fails its runs, not the node.
    ``key_statements`` gives what makes record keys beside a table there, as its own client takes it."""

    settings: type[S]
    open: Callable[[S, Surroundings], Connector]
    key_statements: Callable[[S, KeyTable], str]


class KindUnusable(Exception):
    """There is such a kind, but its software cannot be loaded here."""


def kind_names() -> tuple[str, ...]:
    """The names of all installed kinds, sorted."""
    return tuple(sorted({entry.name for entry in entry_points(group=GROUP)}))


@cache
def kind_of(name: str) -> ConnectorKind[Any]:
    """The kind of that name.

    Raises:
        KeyError: there is none.
        KindUnusable: what it needs is not installed, or two packages claim the name.
    """
    found = {entry.value: entry for entry in entry_points(group=GROUP, name=name)}
    if not found:
        raise KeyError(name)
    if len(found) > 1:
        raise KindUnusable("two packages claim it: remove one of them")
    (entry,) = found.values()
    try:
        kind = entry.load()
    except ImportError as error:
        raise KindUnusable(f"it needs {error.name or entry.module}, which is not installed") from None
    if not isinstance(kind, ConnectorKind):
        raise KindUnusable("its entry point is no connector kind")
    return kind
