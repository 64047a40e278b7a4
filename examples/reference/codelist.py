"""A code list as two files: a YAML header, and a CSV with one row per leaf."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import yaml

OGL = "Open Government Licence v3.0"
GENERATED = "# Made by `python -m examples.reference.build_codelists`: change the script, not this file.\n"


@dataclass(frozen=True, slots=True)
class Codes:
    """A part of a registered grouping by codes, of any level."""

    title: str
    codes: tuple[str, ...]

    def document(self) -> dict[str, object]:
        return {"title": self.title, "codes": list(self.codes)}


@dataclass(frozen=True, slots=True)
class Interval:
    """A part of a registered grouping of integers, both ends included."""

    title: str
    first: int
    last: int

    def document(self) -> dict[str, object]:
        return {"title": self.title, "from": self.first, "to": self.last}


@dataclass(frozen=True, slots=True)
class Grouping:
    title: str
    parts: Mapping[str, Codes | Interval]

    def document(self) -> dict[str, object]:
        return {"title": self.title, "parts": {code: part.document() for code, part in self.parts.items()}}


@dataclass(frozen=True, slots=True)
class CodeListFile:
    """What is written for one code list.

    ``levels`` maps level names to titles, the leaf last. ``rows`` are the leaves: for each level its code and
    ``{level}_name``. ``integers`` (first, last) takes the place of levels and rows for a list of whole numbers.
    """

    name: str
    title: str
    source: str
    vintage: str
    levels: Mapping[str, str] = field(default_factory=dict)
    rows: Sequence[Mapping[str, str]] = ()
    integers: tuple[int, int] | None = None
    population: str | None = None
    groupings: Mapping[str, Grouping] = field(default_factory=dict)

    def files(self) -> dict[str, str]:
        """Text by file name.

        >>> yes_no = CodeListFile("yn", "Yes or no", "ours", "1", {"yn": "Answer"}, [{"yn": "Y", "yn_name": "Yes"}])
        >>> print(yes_no.files()["yn.csv"], end="")
        yn,yn_name
        Y,Yes
        """
        if self.integers is not None:
            return {f"{self.name}.yaml": self._header()}
        return {f"{self.name}.yaml": self._header(), f"{self.name}.csv": self._table()}

    def with_groupings(self, **groupings: Grouping) -> CodeListFile:
        return replace(self, groupings=groupings)

    def _header(self) -> str:
        document: dict[str, object] = {
            "codelist": self.name,
            "title": self.title,
            "source": self.source,
            "vintage": self.vintage,
        }
        if self.integers is not None:
            document |= {"kind": "integers", "minimum": self.integers[0], "maximum": self.integers[1]}
        else:
            document |= {
                "kind": "codes",
                "file": f"{self.name}.csv",
                "levels": [{"name": name, "title": title} for name, title in self.levels.items()],
            }
        if self.population is not None:
            document["population"] = self.population
        if self.groupings:
            document["groupings"] = {name: grouping.document() for name, grouping in self.groupings.items()}
        return GENERATED + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)

    def _table(self) -> str:
        columns = [column for level in self.levels for column in (level, f"{level}_name")]
        if self.population is not None:
            columns.append(self.population)
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return text.getvalue()


def flat(name: str, title: str, source: str, vintage: str, names: Mapping[str, str]) -> CodeListFile:
    """A code list of one level, whose name is the list's own."""
    rows = [{name: code, f"{name}_name": label} for code, label in names.items()]
    return CodeListFile(name, title, source, vintage, {name: title}, rows)
