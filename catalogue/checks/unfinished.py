"""What a draft leaves for the custodian to say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from catalogue.draft import Draft
from catalogue.faults import Fault
from catalogue.yaml_source import Step

UNFINISHED = "To be completed"


def warn_unfinished(draft: Draft) -> Iterator[Fault]:
    """Every text that a draft marked as to be completed and nobody has yet."""
    groups = (
        draft.codelists,
        draft.datasets,
        draft.profiles,
        draft.bodies,
        draft.agreements,
        draft.areas,
        draft.rules,
        draft.queries,
    )
    for group in groups:
        for sourced in group.values():
            for path in _marked(sourced.source.data, ()):
                yield sourced.source.fault(path, f"`{path[-1]}` is still to be completed")


def _marked(value: object, path: tuple[Step, ...]) -> Iterator[tuple[Step, ...]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _marked(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _marked(item, (*path, index))
    elif isinstance(value, str) and value.startswith(UNFINISHED):
        yield path
