"""Bodies, agreements and standing rules: areas, dates, codes and jurisdictions that can be enforced."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from catalogue.codelists import CodeList
from catalogue.documents import Sourced
from catalogue.draft import Draft
from catalogue.faults import Fault, nearest
from catalogue.jurisdiction import PermittedAreas, body_leaves, permitted_atoms
from catalogue.models import Agreement, Body, Dataset, Jurisdiction, Role
from catalogue.yaml_source import Step


def check_bodies(draft: Draft) -> Iterator[Fault]:
    for body in draft.bodies.values():
        document = body.document
        if document.area and document.area_codelist is None:
            yield body.fault(("area",), "`area` needs the code list of its codes", "add `area_codelist: …`")
        codelist = draft.codelist(document.area_codelist)
        if codelist is not None:
            yield from unknown_codes(body, ("area",), document.area, codelist)


def check_agreements(draft: Draft) -> Iterator[Fault]:
    for agreement in draft.agreements.values():
        document = agreement.document
        if document.end <= document.start:
            yield agreement.fault(("end",), "`end` should be after `start`")
        elif not document.start <= document.review <= document.end:
            yield agreement.fault(("review",), "`review` should lie between `start` and `end`")
        for key in ("bodies", "datasets", "purposes"):
            if not getattr(document, key):
                yield agreement.fault(
                    (key,), f"`{key}` is empty: the agreement permits nothing", "name at least one"
                )
        for index, purpose in enumerate(document.excluded_purposes):
            if purpose in document.purposes:
                yield agreement.fault(
                    ("excluded_purposes", index), f"“{purpose}” is among `purposes` too", "remove one of them"
                )
        yield from _restrictions(draft, agreement)
        if document.jurisdiction is not None:
            yield from _jurisdiction(draft, agreement, document.jurisdiction)


def check_rules(draft: Draft) -> Iterator[Fault]:
    for rule in draft.rules.values():
        document = rule.document
        if document.until < document.decided_on:
            yield rule.fault(("until",), "`until` is before `decided_on`: the rule never applies")
        if not document.dimensions:
            yield rule.fault(("dimensions",), "`dimensions` is empty: the rule permits nothing")
        dataset = draft.datasets.get(document.dataset)
        if dataset is None:
            continue
        known = [name for name, v in dataset.document.variables.items() if v.role is Role.DIMENSION]
        for index, name in enumerate(document.dimensions):
            if name not in known:
                yield rule.fault(
                    ("dimensions", index),
                    f"`{document.dataset}` has no dimension `{name}`",
                    nearest(name, known),
                )


def warn_jurisdictions(draft: Draft) -> Iterator[Fault]:
    """What a jurisdiction turns into for each body, where that is not what the agreement seems to say."""
    for agreement, index, body, codelist, areas in _permitted(draft):
        path = ("bodies", index)
        if not body.area:
            yield agreement.fault(
                path,
                f"`{body.body}` has no area: it sees every area at the coarse level only",
                "add `area` to it",
            )
        for coarsened in areas.coarsened:
            nodes = ", ".join(str(node) for node in coarsened.nodes if node is not None) or "elsewhere"
            yield agreement.fault(
                path,
                f"`{body.body}` sees what is not its own of {nodes} as one area only, "
                f"of {len(coarsened.leaves)}: apart it would single out a neighbour",
            )
        if areas.outside:
            level = codelist.leaf_level.title
            yield agreement.fault(
                path,
                f"`{body.body}` may see no area but its own: only {len(areas.outside)} foreign "
                f"({level}) remain, which any total would single out",
            )


def unknown_codes(
    sourced: Sourced[object], path: tuple[Step, ...], codes: tuple[str | int, ...], codelist: CodeList
) -> Iterator[Fault]:
    """A fault for each code that no level of the list has, with the code of the nearest name or code."""
    for index, code in enumerate(codes):
        if codelist.leaves_of(code) is None:
            known = [str(known) for level in codelist.nodes.values() for known in level]
            mend = next(
                (f"the code of {code} is `{level.codes[level.names.index(str(code))]}`"
                 for level in reversed(codelist.levels) if str(code) in level.names),
                nearest(str(code), known),
            )  # fmt: skip
            yield sourced.fault((*path, index), f"`{code}` is no code of `{codelist.name}`", mend)


def _datasets(draft: Draft, agreement: Agreement) -> Iterator[tuple[int, Dataset]]:
    for index, name in enumerate(agreement.datasets):
        if name in draft.datasets:
            yield index, draft.datasets[name].document


def _restrictions(draft: Draft, agreement: Sourced[Agreement]) -> Iterator[Fault]:
    """A filter or a mask that a dataset can't apply would be no restriction there."""
    for _, dataset in _datasets(draft, agreement.document):
        for index, row_filter in enumerate(agreement.document.row_filters):
            path: tuple[Step, ...] = ("row_filters", index)
            variable = dataset.variables.get(row_filter.variable)
            if variable is None or variable.role is not Role.DIMENSION:
                known = [name for name, v in dataset.variables.items() if v.role is Role.DIMENSION]
                yield agreement.fault(
                    (*path, "variable"),
                    f"`{dataset.dataset}` has no dimension `{row_filter.variable}` to filter by",
                    nearest(row_filter.variable, known),
                )
            elif codelist := draft.codelist_of(dataset, variable):
                yield from unknown_codes(agreement, (*path, "codes"), row_filter.codes, codelist)
    datasets = [dataset for _, dataset in _datasets(draft, agreement.document)]
    for index, name in enumerate(agreement.document.masked_variables):
        known = [variable for dataset in datasets for variable in dataset.variables]
        if datasets and name not in known:
            yield agreement.fault(
                ("masked_variables", index),
                f"no dataset of the agreement has the variable `{name}`",
                nearest(name, known),
            )


def _jurisdiction(draft: Draft, agreement: Sourced[Agreement], jurisdiction: Jurisdiction) -> Iterator[Fault]:
    codelist = draft.codelist(jurisdiction.codelist)
    if codelist is None:
        return
    levels = [level.name for level in codelist.levels]
    if jurisdiction.elsewhere not in levels:
        yield agreement.fault(
            ("jurisdiction", "elsewhere"),
            f"the code list `{codelist.name}` has no level `{jurisdiction.elsewhere}`",
            nearest(jurisdiction.elsewhere, levels),
        )
    elif jurisdiction.elsewhere == levels[-1]:
        yield agreement.fault(
            ("jurisdiction", "elsewhere"),
            f"`{levels[-1]}` is the finest level: the jurisdiction would restrict nothing",
            "name a coarser level",
        )
    for index, dataset in _datasets(draft, agreement.document):
        if not any(
            v.codelist == codelist.name and v.role is Role.DIMENSION for v in dataset.variables.values()
        ):
            yield agreement.fault(
                ("datasets", index),
                f"`{dataset.dataset}` has no dimension of `{codelist.name}`, so the jurisdiction can't be enforced",
                "give the dataset an agreement of its own",
            )
    for index, name in enumerate(agreement.document.bodies):
        body = draft.bodies.get(name)
        if body and body.document.area and body.document.area_codelist != codelist.name:
            yield agreement.fault(
                ("bodies", index),
                f"the area of `{name}` is given in `{body.document.area_codelist}`, "
                f"the jurisdiction in `{codelist.name}`",
                "give both in one code list",
            )


def _permitted(
    draft: Draft,
) -> Iterator[tuple[Sourced[Agreement], int, Body, CodeList, PermittedAreas]]:
    for agreement in draft.agreements.values():
        jurisdiction = agreement.document.jurisdiction
        codelist = draft.codelist(jurisdiction.codelist) if jurisdiction else None
        if jurisdiction is None or codelist is None:
            continue
        for index, name in enumerate(agreement.document.bodies):
            body = draft.bodies[name].document
            areas = permitted_atoms(
                codelist,
                body_leaves(body, codelist),
                jurisdiction.elsewhere,
                jurisdiction.minimum_foreign_leaves,
            )
            yield agreement, index, body, codelist, areas


def warn_over(draft: Draft, today: date) -> Iterator[Fault]:
    """Agreements, standing rules and standard queries under which nobody can ask any more."""
    for name, agreement in draft.agreements.items():
        if agreement.document.end < today:
            message = f"the agreement `{name}` is over: nothing can be asked under it"
            yield agreement.fault(("end",), message, "renew it, or remove it")
    for name, rule in draft.rules.items():
        if rule.document.until < today:
            message = f"the standing rule `{name}` is over: it decides on nothing"
            yield rule.fault(("until",), message, "renew it, or remove it")
    for name, query in draft.queries.items():
        if query.document.until < today:
            message = f"the standard query `{name}` is over: nobody can run it"
            yield query.fault(("until",), message, "renew it, or remove it")
