"""Validates one document against its model and says each mistake in a custodian's words, with its line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType, UnionType
from typing import Generic, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from catalogue.faults import Fault, nearest
from catalogue.yaml_source import Source, Step

D = TypeVar("D", covariant=True)
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Sourced(Generic[D]):
    """A validated document and where it came from."""

    document: D
    source: Source

    def fault(self, path: tuple[Step, ...], message: str, mend: str = "") -> Fault:
        return self.source.fault(path, message, mend)


def validate(model: type[M], source: Source) -> Sourced[M] | list[Fault]:
    """The document, or all its faults, each at the line of the key that it is about."""
    try:
        return Sourced(model.model_validate(dict(source.data)), source)
    except ValidationError as error:
        return faults_of(model, source, error)


Places = Mapping[tuple[Step, ...], type[BaseModel]]
"""The models of places whose model depends on what stands there."""


def faults_of(
    model: type[BaseModel], source: Source, error: ValidationError, places: Places = MappingProxyType({})
) -> list[Fault]:
    """What pydantic found wrong with ``source``, in a custodian's words and in the order of the file."""
    details = error.errors(include_url=False)
    # A list that is too short for want of its faulty items has no fault of its own.
    shortened = {place[:end] for place in (detail["loc"] for detail in details) for end in range(len(place))}
    return sorted(
        {
            _fault(model, source, detail, places)
            for detail in details
            if not (detail["type"] == "too_short" and detail["loc"] in shortened)
        }
    )


def _fault(model: type[BaseModel], source: Source, detail: ErrorDetails, places: Places) -> Fault:
    steps = tuple(detail["loc"])
    # Steps that name a key or an item of the file; the rest are pydantic's own (a union's arm, "[key]").
    path = steps
    while path and path not in source.marks:
        path = path[:-1]
    # An item of a list is called by the key of the list.
    name = next((step for step in reversed(path) if isinstance(step, str)), "")
    kind, given = detail["type"], detail["input"]
    if kind == "missing":
        return source.fault(steps[:-1], f"`{steps[-1]}` is missing", f"add `{steps[-1]}: …`")
    if kind == "extra_forbidden":
        fields = _fields(model, path[:-1], places)
        return source.fault(path, f"unknown key `{name}`", nearest(name, fields))
    if (steps and steps[-1] == "[key]") or kind == "string_pattern_mismatch":
        text = name if steps[-1] == "[key]" else str(given)
        return source.fault(
            path,
            f"`{text}` is not a name: names are lower-case letters, digits and underscores",
            f"write `{snake(text)}`",
        )
    if kind in ("enum", "literal_error"):
        expected = re.findall(r"'([^']*)'", str(detail.get("ctx", {}).get("expected", "")))
        return source.fault(path, f"`{given}` is not allowed for `{name}`", nearest(str(given), expected))
    if (kind == "string_type" and isinstance(given, (bool, int, float))) or "date" in type(given).__name__:
        return source.fault(
            path, f"`{name}` should be text, but YAML reads this as {_kind(given)}", "put it in quotes"
        )
    text = detail["msg"].removeprefix("Value error, ")
    message = text[:1].lower() + text[1:]
    mend = next((words for part, words in _MENDS.items() if part in kind), "")
    return source.fault(path, f"`{name}`: {message}" if name else message, mend)


_MENDS = {
    "date": "write a day as 2026-03-31",
    "int_": "write a whole number, without quotes",
    "float_": "write a number, without quotes",
    "decimal_": "write a number, without quotes",
    "bool_": "write true or false",
    "list_type": "write a list, as [one, another]",
    "tuple_type": "write a list, as [one, another]",
    "dict_type": "write keys with values, as {key: value}",
    "model_": "write keys with values, as {key: value}",
    "string_type": "write a text",
}
"""What to do by a part of pydantic's name for the kind of mistake; the first that fits."""


def snake(text: str) -> str:
    """A text as a name.

    >>> snake("Hours worked per week"), snake("2011 code")
    ('hours_worked_per_week', 'c_2011_code')
    """
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:60] or "column"
    return name if name[0].isalpha() else f"c_{name}"


def _kind(value: object) -> str:
    kinds = {bool: "yes or no", int: "a number", float: "a number"}
    return kinds.get(type(value), "a date")


def _fields(model: type[BaseModel], path: tuple[Step, ...], places: Places) -> tuple[str, ...]:
    """The keys that may stand at ``path`` of a document."""
    here: object = model
    for depth, step in enumerate(path, start=1):
        here = places.get(path[:depth]) or _inner(here, step)
    found = _option(here)
    return tuple(found.model_fields) if isinstance(found, type) and issubclass(found, BaseModel) else ()


def _inner(annotation: object, step: Step) -> object:
    """What stands under one key of a model or a mapping, or in a list."""
    found = _option(annotation)
    if isinstance(found, type) and issubclass(found, BaseModel):
        field = found.model_fields.get(str(step))
        return field.annotation if field else None
    arguments = get_args(found)
    return arguments[-1 if get_origin(found) is dict else 0] if arguments else None


def _option(annotation: object) -> object:
    """The first arm of a union such as ``Model | None``."""
    if get_origin(annotation) in (Union, UnionType):
        return next(arm for arm in get_args(annotation) if arm is not type(None))
    return annotation
