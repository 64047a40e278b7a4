"""Every name that a document gives for another document is the name of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from catalogue.draft import Draft, Kind
from catalogue.faults import Fault, nearest
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
    Kind.QUERY: "query",
}

_LOOKUP = ("relationships", "*", "to")
"""Leads to a dataset or to a code list as a table."""
_PLACES: Mapping[Kind, Mapping[tuple[str, ...], Kind]] = {
    Kind.DATASET: {
        ("publisher",): Kind.BODY,
        ("custodian",): Kind.BODY,
        ("profile",): Kind.PROFILE,
        ("variables", "*", "codelist"): Kind.CODELIST,
        _LOOKUP: Kind.DATASET,
    },
    Kind.PROFILE: {("approval", "also", "*"): Kind.BODY},
    Kind.BODY: {("area_codelist",): Kind.CODELIST},
    Kind.AGREEMENT: {
        ("bodies", "*"): Kind.BODY,
        ("datasets", "*"): Kind.DATASET,
        ("jurisdiction", "codelist"): Kind.CODELIST,
    },
    Kind.AREA: {("body",): Kind.BODY, ("dataset",): Kind.DATASET, ("codelist",): Kind.CODELIST},
    Kind.RULE: {("body",): Kind.BODY, ("dataset",): Kind.DATASET},
    Kind.QUERY: {
        ("agreement",): Kind.AGREEMENT,
        ("bodies", "*"): Kind.BODY,
        ("parameters", "*", "codelist"): Kind.CODELIST,
    },
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
    """Read from the documents as they stand, so that one with another mistake is looked at too."""
    for kind, patterns in _PLACES.items():
        for source in draft.sources[kind]:
            for pattern, target in patterns.items():
                for path, name in _found(source.data, pattern, ()):
                    lookup = pattern == _LOOKUP and name in draft.declared[Kind.CODELIST]
                    if not lookup:
                        yield source, path, target, name


def _found(
    value: object, pattern: tuple[str, ...], path: tuple[Step, ...]
) -> Iterator[tuple[tuple[Step, ...], str]]:
    """The texts at the places that ``pattern`` describes; ``*`` is any key or item."""
    if not pattern:
        if isinstance(value, str):
            yield path, value
        return
    step, *rest = pattern
    items: Iterable[tuple[Step, object]] = ()
    if isinstance(value, Mapping):
        items = value.items() if step == "*" else [(step, value.get(step))]
    elif isinstance(value, list) and step == "*":
        items = enumerate(value)
    for key, item in items:
        yield from _found(item, tuple(rest), (*path, key))
