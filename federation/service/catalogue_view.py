"""The catalogue as its readers see it: what can be asked about whom, never where the data stands."""

from __future__ import annotations

from datetime import date
from difflib import get_close_matches

from catalogue.catalogue import BoundDataset, Catalogue
from catalogue.codelists import CodeList
from catalogue.models import Agreement, Role, Use, Variable
from federation.service.errors import Fault, ServiceCode, ServiceError
from federation.service.views import (
    AgreementView,
    CodeListSummary,
    CodeListView,
    CodeView,
    DatasetSummary,
    DatasetUser,
    DatasetView,
    RelationshipView,
    VariableView,
)

_USES = {
    Role.DIMENSION: (Use.GROUP, Use.FILTER),
    Role.MEASURE: (Use.AGGREGATE, Use.FILTER),
    Role.WEIGHT: (Use.AGGREGATE,),
}
"""What a role may be used for where the variable does not say."""


def datasets(catalogue: Catalogue, search: str = "") -> list[DatasetSummary]:
    """The datasets whose description or variables hold every word of ``search``."""
    words = search.casefold().split()
    found = [dataset for dataset in catalogue.datasets.values() if all(w in _text(dataset) for w in words)]
    return [_summary(dataset) for dataset in sorted(found, key=lambda dataset: dataset.name)]


def dataset(catalogue: Catalogue, name: str) -> DatasetView:
    """Raises ServiceError with NOT_FOUND and the nearest name."""
    if name not in catalogue.datasets:
        raise _unknown("dataset", name, list(catalogue.datasets))
    bound = catalogue.datasets[name]
    document, profile = bound.document, catalogue.profiles[bound.document.profile]
    summary = _summary(bound)
    return DatasetView(
        dataset=summary.dataset,
        title=summary.title,
        description=summary.description,
        publisher=summary.publisher,
        custodian=summary.custodian,
        population=summary.population,
        unit=document.unit.name,
        reference_period=summary.reference_period,
        supersedes=document.supersedes,
        geography=summary.geography,
        sampling=document.sampling,
        known_limits=list(document.known_limits),
        licence=summary.licence,
        legal_basis=document.legal_basis,
        profile=profile.profile,
        profile_version=profile.version,
        minimum_frequency=profile.frequency.minimum_frequency,
        variables=[
            _variable(bound, key, variable)
            for key, variable in document.variables.items()
            if variable.role is not Role.RECORD_KEY
        ],
        relationships=[
            RelationshipView(key, value.to, value.from_column, value.to_column)
            for key, value in document.relationships.items()
        ],
    )


def codelists(catalogue: Catalogue) -> list[CodeListSummary]:
    found = (catalogue.codelists[name] for name in sorted(catalogue.codelists))
    return [
        CodeListSummary(c.name, c.title, c.vintage, c.source, _levels(c), sorted(c.groupings), c.size)
        for c in found
    ]


def codelist(
    catalogue: Catalogue, name: str, *, search: str = "", level: str = "", offset: int = 0, limit: int = 100
) -> CodeListView:
    """The codes at ``level`` (every level where none is named) whose code or name holds ``search``.

    Raises ServiceError with NOT_FOUND and the nearest name.
    """
    if name not in catalogue.codelists:
        raise _unknown("code list", name, list(catalogue.codelists))
    found = catalogue.codelists[name]
    if level and level not in _levels(found):
        raise _unknown("level", level, _levels(found))
    codes = [
        code for code in _codes(found, level) if search.casefold() in f"{code.code} {code.name}".casefold()
    ]
    return CodeListView(
        found.name,
        found.title,
        found.vintage,
        found.source,
        _levels(found),
        sorted(found.groupings),
        len(codes),
        codes[offset : offset + limit],
    )


def values(
    catalogue: Catalogue, dataset: str, variable: str, *, search: str = "", limit: int = 100
) -> tuple[list[CodeView], int]:
    """What a column of a code list may hold: codes of its level, or parts of its registered grouping.

    Returns the first that hold ``search`` in code or name, and how many there are. None for a column without one.
    """
    bound = catalogue.datasets[dataset]
    dimension, wanted = bound.dimension_of(variable), bound.level_of(variable)
    if dimension is None or dimension.codelist is None or wanted is None:
        return [], 0
    grouping = dimension.codelist.groupings.get(wanted)
    if grouping is None:
        codes = _codes(dimension.codelist, wanted)
    else:
        codes = [CodeView(wanted, part.code, part.title) for part in grouping.parts]
    found = [code for code in codes if search.casefold() in f"{code.code} {code.name}".casefold()]
    return found[:limit], len(found)


def agreements(catalogue: Catalogue, body: str, today: date) -> list[AgreementView]:
    """The agreements that ``body`` is party to."""
    return [
        _agreement(agreement, today)
        for _, agreement in sorted(catalogue.agreements.items())
        if body in agreement.bodies
    ]


def users(catalogue: Catalogue, dataset: str, today: date) -> list[DatasetUser]:
    """The bodies that may ask about a dataset today, with the agreements and purposes under which they may."""
    return [
        DatasetUser(body, agreement.title, list(agreement.purposes))
        for _, agreement in sorted(catalogue.agreements.items())
        if dataset in agreement.datasets and agreement.start <= today <= agreement.end
        for body in agreement.bodies
    ]


def _agreement(document: Agreement, today: date) -> AgreementView:
    return AgreementView(
        document.agreement,
        document.title,
        list(document.datasets),
        list(document.purposes),
        document.legal_gateway,
        document.start,
        document.review,
        document.end,
        document.start <= today <= document.end,
    )


def _summary(bound: BoundDataset) -> DatasetSummary:
    d = bound.document
    return DatasetSummary(
        d.dataset,
        d.title,
        d.description,
        d.publisher,
        d.custodian,
        d.population,
        d.reference_period,
        d.geography,
        d.licence,
    )


def _variable(bound: BoundDataset, name: str, variable: Variable) -> VariableView:
    dimension = bound.dimension_of(name)
    codelist = None if dimension is None or dimension.codelist is None else dimension.codelist.name
    uses = variable.uses if variable.uses is not None else _USES.get(variable.role, ())
    return VariableView(
        name,
        str(variable.role),
        variable.title,
        variable.description,
        sorted(str(use) for use in uses),
        codelist,
        bound.level_of(name),
        variable.unit,
        variable.nullable,
        variable.sensitive,
        *(
            None if bound is None else float(bound)
            for bound in (variable.minimum, variable.maximum, variable.step)
        ),
    )


def _text(bound: BoundDataset) -> str:
    d = bound.document
    parts = [d.dataset, d.title, d.description, d.population, d.publisher, d.reference_period, d.geography]
    parts += [f"{name} {variable.title} {variable.description}" for name, variable in d.variables.items()]
    return " ".join(parts).casefold()


def _levels(found: CodeList) -> list[str]:
    return [level.name for level in found.levels]


def _codes(found: CodeList, wanted: str) -> list[CodeView]:
    codes: dict[tuple[str, str | int], CodeView] = {}
    for level in found.levels:
        if wanted in ("", level.name):
            for code, title in zip(level.codes, level.names, strict=True):
                if code is not None:
                    codes.setdefault((level.name, code), CodeView(level.name, code, title or str(code)))
    return list(codes.values())


def _unknown(kind: str, name: str, known: list[str]) -> ServiceError:
    close = get_close_matches(name, known, n=1)
    remedy = f"did you mean `{close[0]}`?" if close else "see the list"
    message = f"there is no {kind} of that name"
    return ServiceError(ServiceCode.NOT_FOUND, message, (Fault("unknown_name", message, remedy),))
