"""Reads YAML safely and remembers where everything stands, so that a mistake can be shown with its line.

Refused beside what the syntax forbids: duplicate keys (YAML parsers let the last one win in silence), aliases
(a few lines of them can expand to gigabytes), tags, files over a size limit and nesting over a depth limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from catalogue.faults import Fault

MAXIMUM_BYTES = 4 * 1024 * 1024
MAXIMUM_DEPTH = 24

Step = str | int
Mark = tuple[int, int]
YAMLMark = yaml.error.Mark | yaml._yaml.Mark

_PLAIN_TAGS = frozenset(
    f"tag:yaml.org,2002:{kind}"
    for kind in ("null", "bool", "int", "float", "str", "timestamp", "map", "seq", "merge", "value")
)


@dataclass(frozen=True)
class Source:
    """A mapping as it stands in a file: its values, and the line and column of every key and list item."""

    file: str
    data: Mapping[str, Any]
    marks: Mapping[tuple[Step, ...], Mark]

    def at(self, *path: Step) -> Mark:
        """Where ``path`` stands, or the nearest thing around it that does."""
        while path not in self.marks and path:
            path = path[:-1]
        return self.marks[path]

    def fault(self, path: tuple[Step, ...], message: str, mend: str = "") -> Fault:
        line, column = self.at(*path)
        return Fault(self.file, line, column, message, mend)


class _Refused(Exception):
    def __init__(self, message: str, mark: YAMLMark | None, mend: str = "") -> None:
        super().__init__(message)
        self.message, self.mark, self.mend = message, mark, mend


def read_text(path: Path, file: str, limit: int = MAXIMUM_BYTES) -> tuple[str, list[Fault]]:
    """A text file in UTF-8 (a byte order mark is dropped), or the reason why it can't be read."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(limit + 1)
    except OSError as error:
        return "", [Fault(file, 0, 0, f"cannot be read ({error.strerror or 'unreadable'})")]
    if len(raw) > limit:
        return "", [Fault(file, 0, 0, f"is larger than {limit // 1024 // 1024} MiB", "split it")]
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return "", [Fault(file, line, 0, "is not UTF-8", "save the file in UTF-8")]
    return text, []


def read_yaml(path: Path, file: str) -> tuple[list[Source], list[Fault]]:
    """The documents of one file: a mapping, or a list of mappings. ``file`` is the name used in faults."""
    text, faults = read_text(path, file)
    return ([], faults) if faults else parse_yaml(text, file)


def parse_yaml(text: str, file: str) -> tuple[list[Source], list[Fault]]:
    """As ``read_yaml``, of a text.

    >>> documents, faults = parse_yaml("a: 1\\nb: {c: 2}\\n", "x.yaml")
    >>> documents[0].data, documents[0].at("b", "c")
    ({'a': 1, 'b': {'c': 2}}, (2, 5))
    """
    try:
        _check_events(text)
        loader = yaml.SafeLoader(text)
        roots = []
        while loader.check_node():
            roots.append(loader.get_node())
        faults: list[Fault] = []
        documents = [_source(loader, node, file, faults) for node in _mappings(roots)]
        return documents, faults
    except _Refused as error:
        return [], [_fault(file, error.message, error.mark, error.mend)]
    except yaml.MarkedYAMLError as error:
        mend = "indent with spaces, not tabs" if "\\t" in str(error) else ""
        return [], [_fault(file, f"is not valid YAML: {error.problem}", error.problem_mark, mend)]
    except yaml.YAMLError:
        return [], [Fault(file, 0, 0, "holds characters that YAML does not allow")]


def _fault(file: str, message: str, mark: YAMLMark | None, mend: str) -> Fault:
    return Fault(file, mark.line + 1 if mark else 0, mark.column + 1 if mark else 0, message, mend)


def _check_events(text: str) -> None:
    """Refuses before anything is built: the parser is iterative, so depth can't exhaust the stack here."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise _Refused("aliases (`*name`) are not allowed", event.start_mark, "write the value out")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAXIMUM_DEPTH:
                raise _Refused(
                    f"is nested more than {MAXIMUM_DEPTH} levels deep", event.start_mark, "take levels away"
                )
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _mappings(roots: list[Any]) -> Iterator[yaml.MappingNode]:
    found = False
    for root in roots:
        for node in root.value if isinstance(root, yaml.SequenceNode) else [root]:
            if not isinstance(node, yaml.MappingNode):
                raise _Refused(
                    "should be a mapping (`key: value`) or a list of mappings, not a single value",
                    node.start_mark,
                )
            found = True
            yield node
    if not found:
        raise _Refused("is empty", None, "write a document or remove the file")


def _source(loader: yaml.SafeLoader, node: yaml.MappingNode, file: str, faults: list[Fault]) -> Source:
    marks: dict[tuple[Step, ...], Mark] = {(): (node.start_mark.line + 1, node.start_mark.column + 1)}

    def build(node: yaml.Node, path: tuple[Step, ...]) -> object:
        if node.tag not in _PLAIN_TAGS:
            raise _Refused("tags (`!name`) are not allowed", node.start_mark, "remove the tag")
        if isinstance(node, yaml.MappingNode):
            return build_mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                marks[(*path, index)] = (item.start_mark.line + 1, item.start_mark.column + 1)
            return [build(item, (*path, index)) for index, item in enumerate(node.value)]
        try:
            return loader.construct_object(node)
        except ValueError:  # for instance the thirty-first of February
            mend = "write a day that the month has, as 2026-02-28"
            raise _Refused("is not a date that exists", node.start_mark, mend) from None

    def build_mapping(node: yaml.MappingNode, path: tuple[Step, ...]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            mark = key_node.start_mark
            if not isinstance(key_node, yaml.ScalarNode):
                raise _Refused("a key should be a plain word", mark, "write `key: value`")
            key = key_node.value
            if key in result:
                first = marks[(*path, key)][0]
                faults.append(
                    _fault(file, f"`{key}` stands twice, first on line {first}", mark, "remove one")
                )
                continue
            marks[(*path, key)] = (mark.line + 1, mark.column + 1)
            result[key] = build(value_node, (*path, key))
        return result

    return Source(file, build_mapping(node, ()), marks)
