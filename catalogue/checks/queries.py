"""Standard queries: terms that hold, and parameters of which every value is known."""

from __future__ import annotations

from collections.abc import Iterator

from catalogue.documents import Sourced
from catalogue.draft import Draft
from catalogue.faults import Fault, nearest
from catalogue.models import ParameterType, QueryParameter, StandardQuery
from catalogue.purposes import PurposeMatch, match_purpose
from catalogue.standard import MAXIMUM_VALUES, domain_of
from catalogue.yaml_source import Step

_TYPES = {ParameterType.TEXT: (str,), ParameterType.INTEGER: (int,)}


def check_queries(draft: Draft) -> Iterator[Fault]:
    for query in draft.queries.values():
        document = query.document
        if document.until < document.decided_on:
            yield query.fault(("until",), "`until` is before `decided_on`: nobody can ever run it")
        yield from _terms(draft, query)
        for name in document.decided_by:
            if name not in draft.declared_bodies:
                known = draft.declared_bodies
                yield query.fault(("decided_by", name), f"there is no body `{name}`", nearest(name, known))
        for name, parameter in document.parameters.items():
            yield from _parameter(draft, query, ("parameters", name), parameter)


def _terms(draft: Draft, query: Sourced[StandardQuery]) -> Iterator[Fault]:
    document = query.document
    agreement = draft.agreements.get(document.agreement)
    if agreement is None:
        return
    for index, body in enumerate(document.bodies):
        if body not in agreement.document.bodies:
            yield query.fault(
                ("bodies", index),
                f"`{body}` is no party to the agreement `{document.agreement}`",
                nearest(body, agreement.document.bodies),
            )
    if match_purpose(agreement.document, document.purpose) is not PurposeMatch.PERMITTED:
        yield query.fault(
            ("purpose",),
            f"the agreement `{document.agreement}` does not permit this purpose without a person",
            nearest(document.purpose, agreement.document.purposes),
        )


def _parameter(
    draft: Draft, query: Sourced[StandardQuery], path: tuple[Step, ...], parameter: QueryParameter
) -> Iterator[Fault]:
    bounded = parameter.minimum is not None or parameter.maximum is not None
    ways = (bool(parameter.values), parameter.codelist is not None, bounded)
    if sum(ways) != 1:
        yield query.fault(
            path,
            "a parameter takes either `values`, the codes of a `codelist`, or `minimum` to `maximum`",
            "give one of them",
        )
        return
    if bounded and (parameter.minimum is None or parameter.maximum is None):
        yield query.fault(path, "`minimum` and `maximum` go together", "give both")
        return
    codelist = draft.codelist(parameter.codelist)
    if parameter.codelist is not None and codelist is None:
        return
    if codelist is not None and parameter.level is not None:
        levels = [level.name for level in codelist.levels]
        if parameter.level not in levels:
            message = f"the code list `{codelist.name}` has no level `{parameter.level}`"
            yield query.fault((*path, "level"), message, nearest(parameter.level, levels))
            return
    if bounded and (parameter.maximum or 0) - (parameter.minimum or 0) >= MAXIMUM_VALUES:
        values: tuple[object, ...] = (0,) * (MAXIMUM_VALUES + 1)
    else:
        values = domain_of(parameter, {} if codelist is None else {codelist.name: codelist})
    if not 0 < len(values) <= MAXIMUM_VALUES:
        message = f"a parameter has at least one value, and at most {MAXIMUM_VALUES:,}"
        yield query.fault(path, message, "name fewer, or a coarser level")
    kinds = _TYPES.get(parameter.type)
    if kinds is not None and not all(isinstance(value, kinds) for value in values):
        yield query.fault((*path, "type"), f"not every value is of the type `{parameter.type}`")
