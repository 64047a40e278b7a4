"""The question builder: choices on a form become SQL. It only writes; whether the SQL is allowed, the compiler says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from gettext import NullTranslations

from federation.service.views import DatasetView, VariableView
from federation.web.language import Language, mark, translations

ENGLISH = translations(Language.ENGLISH)
GROUPS = 3
FILTERS = 3
MEASURE_KINDS: Mapping[str, tuple[str, str]] = {
    "mean": (mark("Mean of %(variable)s"), "avg({})"),
    "median": (mark("Median of %(variable)s"), "median({})"),
    "total": (mark("Total of %(variable)s"), "sum({})"),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """Something to choose on the form."""

    value: str
    text: str


@dataclass(frozen=True, slots=True)
class Picked:
    """A condition: only the rows in which ``variable`` has one of ``codes``."""

    variable: str
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Building:
    """What has been chosen so far. What the dataset does not have is left out, so that a stale link does no harm."""

    measure: str
    groups: tuple[str, ...]
    picked: tuple[Picked, ...]

    @classmethod
    def read(cls, form: Mapping[str, Sequence[str]], dataset: DatasetView) -> Building:
        measures = [choice.value for choice in measures_of(dataset)]
        asked = next(iter(form.get("measure", ())), "")
        groupable = {choice.value for choice in groupable_of(dataset)}
        chosen = [form.get(f"group{n}", [""])[0] for n in range(1, GROUPS + 1)]
        filterable = {choice.value for choice in filterable_of(dataset)}
        picked: dict[str, Picked] = {}
        for n in range(1, FILTERS + 1):
            name = form.get(f"filter{n}", [""])[0]
            if name in filterable:
                picked.setdefault(name, Picked(name, tuple(dict.fromkeys(form.get(f"codes-{name}", ())))))
        return cls(
            measure=asked if asked in measures else measures[0],
            groups=tuple(dict.fromkeys(name for name in chosen if name in groupable)),
            picked=tuple(picked.values()),
        )


def measures_of(dataset: DatasetView, words: NullTranslations = ENGLISH) -> list[Choice]:
    """What can be counted or computed, in the language of ``words``: units first, grossed up where the dataset has a
    weight."""
    weight = next((v for v in dataset.variables if v.role == "weight"), None)
    unit = {"unit": dataset.unit}
    counts = [Choice("count", words.gettext("Number of records (%(unit)s)") % unit)]
    if weight is not None:
        counts = [
            Choice(
                "weighted", words.gettext("Number of %(unit)s records, grossed up to the population") % unit
            ),
            *counts,
        ]
    return counts + [
        Choice(
            f"{kind} {variable.name}",
            words.gettext(wording) % {"variable": variable.title.lower()} + _unit(variable),
        )
        for variable in dataset.variables
        if variable.role == "measure" and "aggregate" in variable.uses
        for kind, (wording, _) in MEASURE_KINDS.items()
    ]


def groupable_of(dataset: DatasetView) -> list[Choice]:
    return [Choice(v.name, v.title) for v in dataset.variables if v.role == "dimension" and "group" in v.uses]


def filterable_of(dataset: DatasetView) -> list[Choice]:
    return [
        Choice(v.name, v.title)
        for v in dataset.variables
        if v.role == "dimension" and "filter" in v.uses and v.codelist is not None
    ]


def sql_of(building: Building, dataset: DatasetView) -> str:
    """The question in SQL, as somebody who reads SQL would write it.

    Codes are quoted as text; integers of a code list compare with text alike, and are written bare.
    """
    weight = next((v.name for v in dataset.variables if v.role == "weight"), "weight")
    kind, _, measured = building.measure.partition(" ")
    match kind:
        case "count":
            computed = "count(*) AS number"
        case "weighted":
            computed = f"sum({_name(weight)}) AS number"
        case _:
            computed = f"{MEASURE_KINDS[kind][1].format(_name(measured))} AS {_name(f'{kind}_{measured}')}"
    groups = [_name(name) for name in building.groups]
    lines = [f"SELECT {', '.join([*groups, computed])}", f"FROM {_name(dataset.dataset)}"]
    conditions = [_condition(picked) for picked in building.picked if picked.codes]
    if conditions:
        lines.append("WHERE " + "\n  AND ".join(conditions))
    if groups:
        lines += [f"GROUP BY {', '.join(groups)}", f"ORDER BY {', '.join(groups)}"]
    return "\n".join(lines)


def _condition(picked: Picked) -> str:
    codes = [code if _is_integer(code) else "'" + code.replace("'", "''") + "'" for code in picked.codes]
    if len(codes) == 1:
        return f"{_name(picked.variable)} = {codes[0]}"
    return f"{_name(picked.variable)} IN ({', '.join(codes)})"


def _is_integer(code: str) -> bool:
    """Whether it is a number as written: a code with a leading zero is text."""
    return code.isdecimal() and code.isascii() and str(int(code)) == code


def _name(name: str) -> str:
    return name if name.isidentifier() and name.islower() else '"' + name.replace('"', '""') + '"'


def _unit(variable: VariableView) -> str:
    return f" ({variable.unit})" if variable.unit else ""
