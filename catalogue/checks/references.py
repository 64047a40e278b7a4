"""Every name that a document gives for another document is the name of one."""

from __future__ import annotations

from collections.abc import Iterator

from catalogue.draft import Draft, Kind
from catalogue.faults import Fault, nearest
from catalogue.models import Dataset
from catalogue.yaml_source import Source, Step

Reference = tuple[Source, tuple[Step, ...], Kind, str]

_WORDS = {
    Kind.CODELIST: "code list",
    Kind.DATASET: "dataset",
    Kind.PROFILE: "profile",
    Kind.BODY: "body",
    Kind.AGREEMENT: "agreement",
    Kind.AREA: "area",
    Kind.RULE: "rule",
}


def check_references(draft: Draft) -> Iterator[Fault]:
    for source, path, kind, name in _references(draft):
        if name not in draft.declared[kind]:
            known = draft.declared[kind]
            mend = nearest(name, known) if known else f"write one in {kind}/"
            yield source.fault(path, f"there is no {_WORDS[kind]} `{name}`", mend)


def check_clashes(draft: Draft) -> Iterator[Fault]:
    """Datasets and code lists are tables of one name space; an area is named where codes and their names are."""
    for name, dataset in draft.datasets.items():
        if name in draft.declared[Kind.CODELIST]:
            yield dataset.fault(
                ("dataset",), f"a code list is called `{name}` too", "rename one: both are tables"
            )
    for name, area in draft.areas.items():
        codelist = draft.codelist(area.document.codelist)
        for level in codelist.levels if codelist else ():
            if name in {str(text).casefold() for text in (*level.codes, *level.names)}:
                yield area.fault(
                    ("area",), f"`{name}` is also a code or a name in level `{level.name}`", "rename the area"
                )


def _references(draft: Draft) -> Iterator[Reference]:
    for dataset in draft.datasets.values():
        for path, kind, name in _of_dataset(dataset.document, draft.declared[Kind.CODELIST]):
            yield dataset.source, path, kind, name
    for body in draft.bodies.values():
        if body.document.area_codelist:
            yield body.source, ("area_codelist",), Kind.CODELIST, body.document.area_codelist
    for agreement in draft.agreements.values():
        for index, name in enumerate(agreement.document.bodies):
            yield agreement.source, ("bodies", index), Kind.BODY, name
        for index, name in enumerate(agreement.document.datasets):
            yield agreement.source, ("datasets", index), Kind.DATASET, name
        if jurisdiction := agreement.document.jurisdiction:
            yield agreement.source, ("jurisdiction", "codelist"), Kind.CODELIST, jurisdiction.codelist
    for area in draft.areas.values():
        yield area.source, ("body",), Kind.BODY, area.document.body
        yield area.source, ("dataset",), Kind.DATASET, area.document.dataset
        yield area.source, ("codelist",), Kind.CODELIST, area.document.codelist
    for rule in draft.rules.values():
        yield rule.source, ("body",), Kind.BODY, rule.document.body
        yield rule.source, ("dataset",), Kind.DATASET, rule.document.dataset


def _of_dataset(dataset: Dataset, codelists: set[str]) -> Iterator[tuple[tuple[Step, ...], Kind, str]]:
    yield ("publisher",), Kind.BODY, dataset.publisher
    yield ("custodian",), Kind.BODY, dataset.custodian
    yield ("profile",), Kind.PROFILE, dataset.profile
    for name, variable in dataset.variables.items():
        if variable.codelist:
            yield ("variables", name, "codelist"), Kind.CODELIST, variable.codelist
    for name, relationship in dataset.relationships.items():
        if relationship.to not in codelists:
            yield ("relationships", name, "to"), Kind.DATASET, relationship.to
