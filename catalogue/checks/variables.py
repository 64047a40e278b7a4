"""A variable has what its role needs and nothing that its role can't have."""

from __future__ import annotations

from collections.abc import Iterator

from catalogue.catalogue import measure_grid
from catalogue.documents import Sourced
from catalogue.draft import Draft
from catalogue.faults import Fault, nearest
from catalogue.models import Dataset, Role, Use, Variable
from catalogue.yaml_source import Step

# Beyond this a grid is no grid: histograms on it would be tables of single people.
MAXIMUM_BINS = 1_000_000

_DIMENSION_KEYS = ("codelist", "level", "of")
_MEASURE_KEYS = ("minimum", "maximum", "step")


def check_variables(draft: Draft) -> Iterator[Fault]:
    for dataset in draft.datasets.values():
        for name, variable in dataset.document.variables.items():
            yield from _foreign_keys(dataset, name, variable)
            if variable.role is Role.DIMENSION:
                yield from _dimension(draft, dataset, name, variable)
            elif variable.role is Role.MEASURE:
                yield from _measure(dataset, name, variable)
            elif variable.uses:
                role = variable.role.replace("_", " ")
                yield dataset.fault(
                    ("variables", name, "uses"), f"a {role} can't be used in a query", "remove `uses`"
                )
        yield from _weight(dataset)


def _foreign_keys(dataset: Sourced[Dataset], name: str, variable: Variable) -> Iterator[Fault]:
    """Keys of another role: most likely the role is the mistake."""
    for role, keys in ((Role.DIMENSION, _DIMENSION_KEYS), (Role.MEASURE, _MEASURE_KEYS)):
        if variable.role is role:
            continue
        for key in keys:
            if getattr(variable, key) is not None:
                yield dataset.fault(
                    ("variables", name, key),
                    f"`{key}` belongs to a {role}, but the role of `{name}` is {variable.role}",
                    "change the role or remove the key",
                )


def _dimension(draft: Draft, dataset: Sourced[Dataset], name: str, variable: Variable) -> Iterator[Fault]:
    path: tuple[Step, ...] = ("variables", name)
    if variable.of is not None:
        yield from _coarser_column(dataset, name, variable)
    else:
        if variable.codelist is None:
            yield dataset.fault(
                path,
                f"the dimension `{name}` has no code list",
                "add `codelist: …` (or `of: …` for a coarser level)",
            )
        if not variable.stored:
            yield dataset.fault(
                (*path, "stored"),
                "only a column that follows from another one (`of`) can be left out of the table",
                "add `of: …` or remove `stored`",
            )
    own = draft.codelist(variable.codelist) if variable.of is None else None
    codelist = own or draft.codelist_of(dataset.document, variable)
    if codelist is not None and variable.level is not None:
        levels = [level.name for level in codelist.levels]
        if variable.of is not None and not variable.stored:
            # What no table holds may also follow from a registered grouping.
            levels += codelist.groupings
        if variable.level not in levels:
            yield dataset.fault(
                (*path, "level"),
                f"the code list `{codelist.name}` has no level `{variable.level}`",
                nearest(variable.level, levels),
            )


def _coarser_column(dataset: Sourced[Dataset], name: str, variable: Variable) -> Iterator[Fault]:
    path: tuple[Step, ...] = ("variables", name, "of")
    variables = dataset.document.variables
    leaf = variables.get(variable.of or "")
    if leaf is None or leaf.role is not Role.DIMENSION:
        dimensions = [other for other, v in variables.items() if v.role is Role.DIMENSION and other != name]
        yield dataset.fault(
            path, f"there is no dimension `{variable.of}`", nearest(variable.of or "", dimensions)
        )
        return
    if leaf.of is not None:
        yield dataset.fault(path, f"`{variable.of}` is itself a coarser column", f"name `{leaf.of}`")
    if variable.codelist is not None and variable.codelist != leaf.codelist:
        yield dataset.fault(
            ("variables", name, "codelist"),
            f"`{variable.of}` has another code list: both are columns of one dimension",
            f"write `{leaf.codelist}` or remove the key",
        )
    if variable.level is None:
        yield dataset.fault(path, f"`{name}` does not say which level it holds", "add `level: …`")


def _measure(dataset: Sourced[Dataset], name: str, variable: Variable) -> Iterator[Fault]:
    path: tuple[Step, ...] = ("variables", name)
    low, high, step = variable.minimum, variable.maximum, variable.step
    if step is None:
        if variable.uses is not None and variable.uses & {Use.GROUP, Use.FILTER}:
            yield dataset.fault(
                (*path, "uses"),
                f"`{name}` can't be grouped or filtered without a grid",
                "add `minimum`, `maximum` and `step`",
            )
        if low is not None and high is not None and low >= high:
            yield dataset.fault((*path, "maximum"), "`maximum` should be above `minimum`")
        return
    if low is None or high is None:
        missing = "minimum" if low is None else "maximum"
        yield dataset.fault((*path, "step"), f"a grid needs `{missing}` too", f"add `{missing}: …`")
    elif low >= high:
        yield dataset.fault((*path, "maximum"), "`maximum` should be above `minimum`")
    elif (high - low) % step:
        yield dataset.fault((*path, "step"), "`maximum` is no whole number of steps above `minimum`")
    elif (grid := measure_grid(variable)) and grid.bins > MAXIMUM_BINS:
        yield dataset.fault((*path, "step"), f"the grid has more than {MAXIMUM_BINS:,} steps", "widen `step`")
    for key in _MEASURE_KEYS:
        value = getattr(variable, key)
        if value is not None and value != round(value, variable.decimals):
            yield dataset.fault(
                (*path, key),
                f"`{key}` has more decimal places than `{name}`",
                f"round it to {variable.decimals} or raise `decimals`",
            )


def _weight(dataset: Sourced[Dataset]) -> Iterator[Fault]:
    weight = dataset.document.weight
    if weight is None:
        return
    variable = dataset.document.variables.get(weight)
    if variable is None or variable.role is not Role.WEIGHT:
        weights = [name for name, v in dataset.document.variables.items() if v.role is Role.WEIGHT]
        yield dataset.fault(
            ("weight",), f"there is no variable `{weight}` of role weight", nearest(weight, weights)
        )
