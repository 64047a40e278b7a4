"""A directory's documents, each valid by itself, before they are held against each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from catalogue.codelist_source import CodeListDocument
from catalogue.codelists import CodeList
from catalogue.documents import Sourced
from catalogue.models import (
    Agreement,
    Body,
    CustomArea,
    Dataset,
    Profile,
    StandardQuery,
    StandingRule,
    Variable,
)
from catalogue.yaml_source import Source


class Kind(StrEnum):
    """The kinds of document, by the folder that holds them."""

    CODELIST = "codelists"
    DATASET = "datasets"
    PROFILE = "profiles"
    BODY = "bodies"
    AGREEMENT = "agreements"
    AREA = "areas"
    RULE = "rules"
    QUERY = "queries"

    @property
    def model(self) -> type[BaseModel]:
        return _MODELS[self][0]

    @property
    def key(self) -> str:
        """The key under which a document of the kind gives its name."""
        return _MODELS[self][1]


_MODELS: Mapping[Kind, tuple[type[BaseModel], str]] = {
    Kind.CODELIST: (CodeListDocument, "codelist"),
    Kind.DATASET: (Dataset, "dataset"),
    Kind.PROFILE: (Profile, "profile"),
    Kind.BODY: (Body, "body"),
    Kind.AGREEMENT: (Agreement, "agreement"),
    Kind.AREA: (CustomArea, "area"),
    Kind.RULE: (StandingRule, "rule"),
    Kind.QUERY: (StandardQuery, "query"),
}


@dataclass
class Draft:
    """``declared`` also holds the names of documents that are faulty themselves, so that a reference to one of
    them is not a second mistake; ``sources`` has every document as it stands in its file."""

    codelists: dict[str, Sourced[CodeList]] = field(default_factory=dict)
    datasets: dict[str, Sourced[Dataset]] = field(default_factory=dict)
    profiles: dict[str, Sourced[Profile]] = field(default_factory=dict)
    bodies: dict[str, Sourced[Body]] = field(default_factory=dict)
    agreements: dict[str, Sourced[Agreement]] = field(default_factory=dict)
    areas: dict[str, Sourced[CustomArea]] = field(default_factory=dict)
    rules: dict[str, Sourced[StandingRule]] = field(default_factory=dict)
    queries: dict[str, Sourced[StandardQuery]] = field(default_factory=dict)
    declared: dict[Kind, set[str]] = field(default_factory=lambda: {kind: set() for kind in Kind})
    sources: dict[Kind, list[Source]] = field(default_factory=lambda: {kind: [] for kind in Kind})

    def add(self, kind: Kind, name: str, sourced: Sourced[Any]) -> None:
        getattr(self, kind.value)[name] = sourced

    @property
    def declared_bodies(self) -> set[str]:
        return self.declared[Kind.BODY]

    def codelist(self, name: str | None) -> CodeList | None:
        """A code list that is there and sound."""
        found = self.codelists.get(name) if name else None
        return found.document if found else None

    def codelist_of(self, dataset: Dataset, variable: Variable) -> CodeList | None:
        """The code list that a dimension is read by: its own, or that of the variable that holds its leaves; cut
        at the level whose codes the table holds."""
        leaf = dataset.variables.get(variable.of) if variable.of else variable
        codelist = self.codelist(leaf.codelist) if leaf else None
        if codelist is None or leaf is None or leaf.level not in [level.name for level in codelist.levels]:
            return codelist
        return codelist.cut(leaf.level)
