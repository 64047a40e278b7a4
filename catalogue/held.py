"""Who holds a dataset: this node, another one, or several nodes a part each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from catalogue.leaves import LeafSet
from catalogue.models import Mode


@dataclass(frozen=True, slots=True)
class Local:
    """In a source of this node: ``location`` is a table or, for file connectors, a path or glob."""

    connector: str
    location: str

    @property
    def nodes(self) -> tuple[str, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class Remote:
    """As a whole at another node, where the dataset is called ``location``."""

    node: str
    location: str

    @property
    def nodes(self) -> tuple[str, ...]:
        return (self.node,)


@dataclass(frozen=True)
class Parted:
    """In disjoint parts at several nodes, at each of which it is called ``location``.

    ``parts`` has for each node the leaves of the dimension ``split`` that it holds: every leaf is in one part. They
    are in the order of the nodes' names, which is the same for everybody who reads the catalogue.
    """

    parts: Mapping[str, LeafSet]
    split: str
    location: str
    mode: Mode

    @property
    def nodes(self) -> tuple[str, ...]:
        return tuple(self.parts)


Held = Local | Remote | Parted
