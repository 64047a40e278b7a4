"""Custom areas must not be averaged over: many areas that differ by one authority would give its count away."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import combinations

from catalogue.checks.terms import unknown_codes
from catalogue.codelists import CodeList
from catalogue.documents import Sourced
from catalogue.draft import Draft
from catalogue.faults import Fault
from catalogue.jurisdiction import body_leaves, permitted_atoms, singled_out
from catalogue.leaves import LeafSet
from catalogue.models import CustomArea, Dataset, Limits, Role

_Located = tuple[Sourced[CustomArea], LeafSet]


def check_area_codes(draft: Draft) -> Iterator[Fault]:
    for area in draft.areas.values():
        document = area.document
        if not document.codes:
            yield area.fault(("codes",), "`codes` is empty: the area holds nobody")
        dataset = draft.datasets.get(document.dataset)
        if dataset is not None:
            yield from _dimensions(draft, area, dataset.document)
        codelist = draft.codelist(document.codelist)
        if codelist is None:
            continue
        yield from unknown_codes(area, ("codes",), document.codes, codelist)
        if codelist.population is None:
            yield area.fault(
                ("codelist",),
                f"`{codelist.name}` has no public population figures, which custom areas are compared by",
                "add a `population` column to it",
            )


def _dimensions(draft: Draft, area: Sourced[CustomArea], dataset: Dataset) -> Iterator[Fault]:
    """The dataset can be cut by the area: on the area's code list, and as finely as its codes are."""
    name = area.document.codelist
    variables = [v for v in dataset.variables.values() if v.role is Role.DIMENSION and v.codelist == name]
    if not variables:
        yield area.fault(("codelist",), f"`{dataset.dataset}` has no dimension of the code list `{name}`")
    whole = draft.codelist(name)
    for held in (draft.codelist_of(dataset, variable) for variable in variables):
        for index, code in enumerate(area.document.codes):
            if whole and held and whole.leaves_of(code) is not None and held.leaves_of(code) is None:
                yield area.fault(
                    ("codes", index),
                    f"`{code}` is finer than level `{held.leaf_level.name}`, which is what `{dataset.dataset}` holds",
                    "use codes of that level or above",
                )


def check_area_overlaps(draft: Draft) -> Iterator[Fault]:
    """On one dataset, across all bodies: any two areas are equal or far apart, and no authority is in many."""
    for areas, codelist, limits in _by_dataset(draft):
        for (first, a), (second, b) in combinations(areas, 2):
            people = min((_people(codelist, part) for part in (a - b, b - a) if part), default=None)
            if people is not None and people < limits.minimum_area_difference:
                yield second.fault(
                    ("codes",),
                    f"differs from the area `{first.document.area}` by {people:,} people, fewer than the "
                    f"{limits.minimum_area_difference:,} of the profile",
                    "make the two equal or further apart",
                )
        counts = Counter(leaf for leaves in {leaves for _, leaves in areas} for leaf in leaves)
        for leaf, count in sorted(counts.items()):
            if count > limits.maximum_areas_per_authority:
                area, _ = next(pair for pair in reversed(areas) if leaf in pair[1])
                yield area.fault(
                    ("codes",),
                    f"`{codelist.leaf_level.codes[leaf]}` is in {count} different areas, more than the "
                    f"{limits.maximum_areas_per_authority} of the profile",
                    "take it out of one",
                )


def check_areas_in_jurisdiction(draft: Draft) -> Iterator[Fault]:
    """A body's custom areas must not take its jurisdiction apart: area minus own areas would be a neighbour."""
    for agreement in draft.agreements.values():
        jurisdiction = agreement.document.jurisdiction
        codelist = draft.codelist(jurisdiction.codelist) if jurisdiction else None
        if jurisdiction is None or codelist is None or jurisdiction.elsewhere not in codelist.nodes:
            continue
        for name in agreement.document.bodies:
            if name not in draft.bodies:
                continue
            own = body_leaves(draft.bodies[name].document, codelist)
            minimum = jurisdiction.minimum_foreign_leaves
            permitted = permitted_atoms(codelist, own, jurisdiction.elsewhere, minimum)
            taken: list[LeafSet] = []
            for area in draft.areas.values():
                document = area.document
                if document.body != name or document.codelist != codelist.name:
                    continue
                if document.dataset not in agreement.document.datasets:
                    continue
                taken.append(_leaves(codelist, document))
                if small := singled_out(permitted, own, taken, minimum):
                    codes = ", ".join(str(codelist.leaf_level.codes[leaf]) for leaf in small)
                    yield area.fault(
                        ("codes",),
                        f"singles out {codes}, which `{agreement.document.agreement}` lets `{name}` see in groups of "
                        f"{minimum} and more only",
                        "leave foreign areas out, or take in enough of them",
                    )
                    break


def warn_area_near_node(draft: Draft) -> Iterator[Fault]:
    """An area that is almost a node or a registered grouping: the two are released side by side."""
    for areas, codelist, limits in _by_dataset(draft):
        for area, leaves in areas:
            for mask in sorted(codelist.free_masks):
                node = LeafSet(mask, codelist.size)
                sides = [part for part in (leaves - node, node - leaves) if part]
                if len(node) < 2 or not leaves & node or not sides:
                    continue
                people = min(_people(codelist, part) for part in sides)
                if people < limits.minimum_area_difference:
                    yield area.fault(
                        ("codes",),
                        f"differs by {people:,} people from an area of `{codelist.name}` that anybody may ask for",
                        "review whether the difference singles somebody out",
                    )
                    break


def _by_dataset(draft: Draft) -> Iterator[tuple[list[_Located], CodeList, Limits]]:
    """Areas with their leaves per dataset and code list, of those that are sound so far."""
    groups: dict[tuple[str, str], list[_Located]] = defaultdict(list)
    for area in draft.areas.values():
        codelist = draft.codelist(area.document.codelist)
        if codelist is None or codelist.population is None or area.document.dataset not in draft.datasets:
            continue
        groups[area.document.dataset, codelist.name].append((area, _leaves(codelist, area.document)))
    for (dataset, name), areas in groups.items():
        profile = draft.profiles.get(draft.datasets[dataset].document.profile)
        limits = profile.document.limits if profile else Limits()
        yield areas, draft.codelists[name].document, limits


def _leaves(codelist: CodeList, area: CustomArea) -> LeafSet:
    leaves = LeafSet.empty(codelist.size)
    for code in area.codes:
        leaves = leaves | (codelist.leaves_of(code) or LeafSet.empty(codelist.size))
    return leaves


def _people(codelist: CodeList, leaves: LeafSet) -> int:
    assert codelist.population is not None
    return sum(codelist.population[leaf] for leaf in leaves)
