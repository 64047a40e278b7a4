"""Reads a code list: its YAML document, and for codes the CSV file beside it with one row per leaf."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from catalogue.codelists import CodeList, CodeListKind, Grouping, GroupingPart, Level
from catalogue.digests import codelist_digest
from catalogue.documents import Sourced
from catalogue.faults import Fault, nearest
from catalogue.leaves import LeafSet
from catalogue.models import Document, Name, Text
from catalogue.yaml_source import read_text

MAXIMUM_CSV_BYTES = 64 * 1024 * 1024
MAXIMUM_LEAVES = 100_000
# A file that is wrong throughout is one mistake: after so many the rest are counted, not listed.
MAXIMUM_ROW_FAULTS = 25


class LevelDocument(Document):
    name: Name
    title: Text


class PartDocument(Document):
    """Leaves by ``codes`` of any level, or whole numbers ``from`` … ``to``, both included."""

    title: str = ""
    codes: tuple[Text, ...] | None = None
    start: Annotated[int | None, Field(alias="from")] = None
    end: Annotated[int | None, Field(alias="to")] = None


class GroupingDocument(Document):
    title: str = ""
    parts: Annotated[dict[str, PartDocument], Field(min_length=1)]


class CodeListDocument(Document):
    """A code list as written: ``levels`` from the coarsest to the leaf; ``minimum`` and ``maximum`` for integers."""

    codelist: Name
    title: Text
    source: Text
    vintage: Text
    kind: CodeListKind
    file: Text | None = None
    levels: tuple[LevelDocument, ...] = ()
    population: Text | None = None
    minimum: int | None = None
    maximum: int | None = None
    groupings: Annotated[dict[Name, GroupingDocument], Field(default_factory=dict)]


def build_codelist(
    sourced: Sourced[CodeListDocument], directory: Path
) -> tuple[CodeList | None, list[Fault]]:
    """The code list, and what is wrong with it. ``directory`` is where its CSV file stands."""
    faults = list(_shape_faults(sourced))
    if faults:
        return None, faults
    document = sourced.document
    if document.kind is CodeListKind.INTEGERS:
        assert document.minimum is not None
        assert document.maximum is not None
        values = tuple(range(document.minimum, document.maximum + 1))
        level = document.levels[0] if document.levels else LevelDocument(name="value", title=document.title)
        levels: tuple[Level, ...] = (Level(level.name, level.title, values, tuple(map(str, values))),)
        population: tuple[int, ...] | None = None
    else:
        levels, population, faults = _read_leaves(sourced, directory)
        if faults:
            return None, faults
    bare = CodeList(
        document.codelist, document.title, document.source, document.vintage, document.kind, levels,
        population=population,
    )  # fmt: skip
    groupings, faults = _groupings(sourced, bare)
    if faults:
        return None, faults
    fields = {name: getattr(bare, name) for name in ("name", "title", "source", "vintage", "kind", "levels")}
    built = CodeList(**fields, groupings=groupings, population=population)
    return CodeList(**fields, groupings=groupings, population=population, digest=codelist_digest(built)), []


def _shape_faults(sourced: Sourced[CodeListDocument]) -> Iterator[Fault]:
    """Which keys a kind of list needs and which it can't have."""
    document = sourced.document
    if document.kind is CodeListKind.INTEGERS:
        for key in ("file", "population"):
            if getattr(document, key) is not None:
                yield sourced.fault((key,), f"a list of integers has no `{key}`", "remove it")
        for key in ("minimum", "maximum"):
            if getattr(document, key) is None:
                yield sourced.fault((), f"`{key}` is missing", f"a list of integers needs `{key}: …`")
        if len(document.levels) > 1:
            yield sourced.fault(("levels",), "a list of integers has one level", "use groupings for bands")
        if document.minimum is not None and document.maximum is not None:
            size = document.maximum - document.minimum + 1
            if size < 1:
                yield sourced.fault(("maximum",), "`maximum` is below `minimum`")
            elif size > MAXIMUM_LEAVES:
                yield sourced.fault(("maximum",), f"more than {MAXIMUM_LEAVES} integers", "band them")
        return
    for key in ("minimum", "maximum"):
        if getattr(document, key) is not None:
            yield sourced.fault((key,), f"a list of codes has no `{key}`", "remove it or use kind: integers")
    if document.file is None:
        yield sourced.fault((), "`file` is missing", "name the CSV file with the codes")
    elif Path(document.file).name != document.file:
        yield sourced.fault(("file",), "`file` should stand beside this document", "give a bare file name")
    if not document.levels:
        yield sourced.fault((), "`levels` is missing", "list the levels, the leaf level last")
    names = [level.name for level in document.levels]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield sourced.fault(("levels", index), f"the level `{name}` stands twice")


def _read_leaves(
    sourced: Sourced[CodeListDocument], directory: Path
) -> tuple[tuple[Level, ...], tuple[int, ...] | None, list[Fault]]:
    document = sourced.document
    assert document.file is not None
    path = directory / document.file
    if not path.is_file():
        fault = sourced.fault(("file",), f"there is no file `{document.file}` beside this document")
        return (), None, [fault]
    file = str(Path(sourced.source.file).with_name(document.file))
    text, faults = read_text(path, file, MAXIMUM_CSV_BYTES)
    if faults:
        return (), None, faults
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(rows, [])
        columns, faults = _columns(document, header, file)
        if faults:
            return (), None, faults
        leaves = _Leaves(document, columns, len(header), file)
        for row in rows:
            leaves.add(row, rows.line_num)
    except csv.Error as error:
        return (), None, [Fault(file, rows.line_num, 0, f"is not valid CSV ({error})")]
    return leaves.finish()


def _columns(document: CodeListDocument, header: list[str], file: str) -> tuple[dict[str, int], list[Fault]]:
    wanted = [name for level in document.levels for name in (level.name, f"{level.name}_name")]
    if document.population is not None:
        wanted.append(document.population)
    faults = [
        Fault(file, 1, 0, f"the column `{name}` is missing", nearest(name, set(header) - set(wanted)))
        for name in wanted
        if name not in header
    ]
    faults += [
        Fault(file, 1, 0, f"the column `{name}` stands twice", "remove one")
        for name in sorted({name for name in header if header.count(name) > 1})
    ]
    return {name: header.index(name) for name in wanted if name in header}, faults


class _Leaves:
    """Gathers the rows of a CSV file, checking each as it comes."""

    def __init__(self, document: CodeListDocument, columns: dict[str, int], width: int, file: str) -> None:
        self.document, self.columns, self.width, self.file = document, columns, width, file
        self.faults: list[Fault] = []
        self.codes: list[list[str | None]] = [[] for _ in document.levels]
        self.names: list[list[str | None]] = [[] for _ in document.levels]
        self.population: list[int] = []
        self.first_line: dict[str, int] = {}
        self.name_of: list[dict[str, str]] = [{} for _ in document.levels]

    def _fault(self, line: int, message: str, mend: str = "") -> None:
        self.faults.append(Fault(self.file, line, 0, message, mend))

    def add(self, row: list[str], line: int) -> None:
        if not row:
            return
        if len(row) != self.width:
            self._fault(line, f"has {len(row)} columns where the header has {self.width}")
            return
        for index, level in enumerate(self.document.levels):
            code = row[self.columns[level.name]].strip() or None
            name = row[self.columns[f"{level.name}_name"]].strip() or None
            self.codes[index].append(code)
            self.names[index].append(name)
            if code is not None and self.name_of[index].setdefault(code, name or "") != (name or ""):
                self._fault(line, f"`{code}` has another name here than above in `{level.name}_name`")
        self._leaf(self.codes[-1][-1], line)
        if self.document.population is not None:
            text = row[self.columns[self.document.population]].strip()
            if text.isascii() and text.isdigit():
                self.population.append(int(text))
            else:
                self._fault(line, f"`{self.document.population}` should be a whole number of people")

    def _leaf(self, code: str | None, line: int) -> None:
        leaf = self.document.levels[-1].name
        if code is None:
            self._fault(line, f"`{leaf}` is blank: every row is one leaf", "give it a code")
        elif code in self.first_line:
            self._fault(line, f"the code `{code}` stands twice, first on line {self.first_line[code]}")
        else:
            self.first_line[code] = line

    def finish(self) -> tuple[tuple[Level, ...], tuple[int, ...] | None, list[Fault]]:
        if not self.codes[-1] and not self.faults:
            self._fault(1, "holds no code", "add one row per leaf")
        if len(self.codes[-1]) > MAXIMUM_LEAVES:
            self._fault(0, f"holds more than {MAXIMUM_LEAVES} codes", "use a coarser leaf level")
        for level, names in zip(self.document.levels, self.name_of, strict=True):
            for code, name in names.items():
                if name != code and name in names:
                    self._fault(0, f"`{name}` in `{level.name}` names the code `{code}` and is itself a code")
        if len(self.faults) > MAXIMUM_ROW_FAULTS:
            rest = len(self.faults) - MAXIMUM_ROW_FAULTS
            del self.faults[MAXIMUM_ROW_FAULTS:]
            self._fault(0, f"holds {rest} more mistakes of the kind")
        levels = tuple(
            Level(level.name, level.title, tuple(codes), tuple(names))
            for level, codes, names in zip(self.document.levels, self.codes, self.names, strict=True)
        )
        population = tuple(self.population) if self.document.population is not None else None
        return levels, population, self.faults


def _groupings(
    sourced: Sourced[CodeListDocument], codelist: CodeList
) -> tuple[dict[str, Grouping], list[Fault]]:
    faults: list[Fault] = []
    result: dict[str, Grouping] = {}
    for name, grouping in sourced.document.groupings.items():
        parts = []
        for code, part in grouping.parts.items():
            path = ("groupings", name, "parts", code)
            leaves, found = _part(sourced, codelist, part, path)
            faults += found
            parts.append(GroupingPart(code, part.title or code, leaves))
        result[name] = Grouping(name, grouping.title or name, tuple(parts))
    return result, faults


def _part(
    sourced: Sourced[CodeListDocument], codelist: CodeList, part: PartDocument, path: tuple[Any, ...]
) -> tuple[LeafSet, list[Fault]]:
    empty = LeafSet.empty(codelist.size)
    if codelist.kind is CodeListKind.INTEGERS:
        first, last = codelist.leaf_level.codes[0], codelist.leaf_level.codes[-1]
        assert isinstance(first, int)
        assert isinstance(last, int)
        if part.codes is not None or part.start is None or part.end is None:
            return empty, [sourced.fault(path, "a part of a list of integers needs `from` and `to` alone")]
        if not first <= part.start <= part.end <= last:
            return empty, [
                sourced.fault(path, f"`from` and `to` should be in order within {first} to {last}")
            ]
        return LeafSet.of(range(part.start - first, part.end - first + 1), codelist.size), []
    if not part.codes or part.start is not None or part.end is not None:
        return empty, [sourced.fault(path, "a part of a list of codes needs `codes` alone")]
    faults, mask = [], 0
    for index, code in enumerate(part.codes):
        leaves = codelist.leaves_of(code)
        if leaves is None:
            known = [str(known) for level in codelist.nodes.values() for known in level]
            faults.append(
                sourced.fault(
                    (*path, "codes", index), f"`{code}` is no code of this list", nearest(code, known)
                )
            )
        else:
            mask |= leaves.mask
    return LeafSet(mask, codelist.size), faults
