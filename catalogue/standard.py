"""Standard queries: who may run one, when, and what its parameters may be."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from catalogue.catalogue import Catalogue
from catalogue.codelists import CodeList, Level
from catalogue.models import QueryParameter, StandardQuery

Value = str | int | Decimal
MAXIMUM_VALUES = 1_000
"""As many values as one parameter may have."""


def domain_of(parameter: QueryParameter, codelists: Mapping[str, CodeList]) -> tuple[Value, ...]:
    """Every value that a parameter may take, in order."""
    level = _level_of(parameter, codelists)
    if level is not None:
        return tuple(dict.fromkeys(code for code in level.codes if code is not None))
    if parameter.minimum is not None and parameter.maximum is not None:
        return tuple(range(parameter.minimum, parameter.maximum + 1))
    return parameter.values


def names_of(parameter: QueryParameter, codelists: Mapping[str, CodeList]) -> dict[Value, str]:
    """What the code list of a parameter calls its values; nothing where there is none, or it has no names."""
    level = _level_of(parameter, codelists)
    if level is None:
        return {}
    pairs = zip(level.codes, level.names, strict=True)
    return {code: name for code, name in pairs if code is not None and name}


def _level_of(parameter: QueryParameter, codelists: Mapping[str, CodeList]) -> Level | None:
    if parameter.codelist is None:
        return None
    codelist = codelists[parameter.codelist]
    return next((each for each in codelist.levels if each.name == parameter.level), codelist.leaf_level)


def domains_of(query: StandardQuery, catalogue: Catalogue) -> dict[str, tuple[Value, ...]]:
    """The domain of each parameter of a query, by its name."""
    return {name: domain_of(each, catalogue.codelists) for name, each in query.parameters.items()}


def may_run(query: StandardQuery, catalogue: Catalogue, body: str, today: date) -> bool:
    """Whether a body may run a query on a day (``until`` included)."""
    agreement = catalogue.agreements[query.agreement]
    named = not query.bodies or body in query.bodies
    return named and body in agreement.bodies and query.decided_on <= today <= query.until
