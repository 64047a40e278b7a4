"""A profile's rules fit each other and the datasets that it protects."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from catalogue.documents import Sourced
from catalogue.draft import Draft
from catalogue.faults import Fault, nearest
from catalogue.models import Dataset, Profile, Role
from catalogue.yaml_source import Step


def check_profiles(draft: Draft) -> Iterator[Fault]:
    for profile in draft.profiles.values():
        yield from _cross_query_risk(profile)
        yield from _zeros(profile)
        yield from _p_table(profile)
        yield from _dominance(profile)
        yield from _numbers(profile)
        yield from _approval(draft, profile)


def hides_cells(profile: Profile) -> bool:
    """Whether a rule may withhold a cell for what is in it."""
    return bool(
        profile.frequency.minimum_frequency > 1
        or profile.frequency.minimum_second_units
        or profile.dominance.p_percent is not None
        or profile.dominance.dominance_n is not None
        or profile.class_disclosure.dimensions
    )


def _cross_query_risk(profile: Sourced[Profile]) -> Iterator[Fault]:
    """Hidden cells beside exact ones follow from totals; only fixed tables can be reviewed against that."""
    document = profile.document
    if document.cell_keys is not None or not hides_cells(document):
        return
    if document.accept_cross_query_risk is None:
        yield profile.fault(
            (),
            "hides cells and publishes exact values: two queries may give a hidden cell away as their difference",
            "add `cell_keys`, or `accept_cross_query_risk: <reason>` with `registered_tables`",
        )
    elif not document.registered_tables:
        yield profile.fault(
            ("accept_cross_query_risk",),
            "without `registered_tables` the profile accepts no query",
            "list the tables that were reviewed, each by its dimensions",
        )


def _zeros(profile: Sourced[Profile]) -> Iterator[Fault]:
    if profile.document.frequency.publish_zeros and profile.document.cell_keys is None:
        yield profile.fault(
            ("frequency", "publish_zeros"),
            "zeros can be published only where cell keys make some of them false",
            "add `cell_keys` or remove `publish_zeros`",
        )


def _p_table(profile: Sourced[Profile]) -> Iterator[Fault]:
    keys = profile.document.cell_keys
    if keys is None:
        return
    table, path = keys.counts, ("cell_keys", "counts")
    if table.named is None:
        for key in ("maximum_noise", "variance"):
            if getattr(table, key) is None:
                yield profile.fault(
                    path, f"a p-table needs `{key}`", f"add `{key}: …` or name one with `named`"
                )
    elif table.maximum_noise is not None or table.variance is not None:
        yield profile.fault(
            (*path, "named"), "a named p-table takes no parameters", "remove `named` or the parameters"
        )


def _dominance(profile: Sourced[Profile]) -> Iterator[Fault]:
    rule = profile.document.dominance
    if (rule.dominance_n is None) != (rule.dominance_k_percent is None):
        yield profile.fault(
            ("dominance",), "the dominance rule needs both `dominance_n` and `dominance_k_percent`"
        )
    if rule.coalition > 1 and rule.p_percent is None:
        yield profile.fault(
            ("dominance", "coalition"), "a coalition belongs to the p% rule", "add `p_percent`"
        )


def _approval(draft: Draft, profile: Sourced[Profile]) -> Iterator[Fault]:
    """A quorum that nobody can reach would keep every request waiting for good."""
    approval = profile.document.approval
    if approval.quorum < approval.organisations:
        yield profile.fault(
            ("approval", "quorum"),
            f"{approval.organisations} organisations are more than {approval.quorum} persons can act for",
            "raise `quorum`, or lower `organisations`",
        )
    for dataset in draft.datasets.values():
        bodies = {dataset.document.custodian, *approval.also}
        if dataset.document.profile == profile.document.profile and approval.organisations > len(bodies):
            yield dataset.fault(
                ("profile",),
                f"{approval.organisations} organisations have to approve, and {len(bodies)} can",
                "name the others in `approval: {also: […]}` of the profile",
            )


def _numbers(profile: Sourced[Profile]) -> Iterator[Fault]:
    document = profile.document
    for index, (band, following) in enumerate(pairwise(document.rounding.size_bands)):
        if band.maximum is None or following.minimum != band.maximum + 1:
            yield profile.fault(
                ("rounding", "size_bands", index + 1),
                "size bands should follow each other without gap or overlap",
            )
    for index, band in enumerate(document.rounding.size_bands):
        if band.base < 1 or (band.maximum is not None and band.maximum < band.minimum):
            yield profile.fault(
                ("rounding", "size_bands", index),
                "a size band needs minimum ≤ maximum and a base of at least 1",
            )
    low = document.rounding.zero_below
    if low is not None and low <= document.frequency.minimum_frequency - 1:
        yield profile.fault(
            ("rounding", "zero_below"),
            "counts from `zero_below` to the minimum frequency would be marked otherwise than empty cells",
            "raise `zero_below` to the minimum frequency",
        )
    for name, base in document.rounding.magnitude_base.items():
        if base <= 0:
            yield profile.fault(("rounding", "magnitude_base", name), "a rounding base should be above 0")
    for index, quantile in enumerate(document.quantiles):
        if not 0 < quantile < 1:
            yield profile.fault(
                ("quantiles", index), "a quantile should lie between 0 and 1", "write 0.9 for 90 %"
            )


def check_profile_names(draft: Draft) -> Iterator[Fault]:
    """Columns that a profile names are columns of a dataset that it protects."""
    for name, profile in draft.profiles.items():
        datasets = [d.document for d in draft.datasets.values() if d.document.profile == name]
        if not datasets:
            continue
        for path, column, role in _columns(profile.document):
            known = [c for dataset in datasets for c, v in dataset.variables.items() if v.role is role]
            if column not in known:
                yield profile.fault(
                    path, f"no dataset under this profile has a {role} `{column}`", nearest(column, known)
                )
    for dataset in draft.datasets.values():
        protecting = draft.profiles.get(dataset.document.profile)
        if protecting is not None:
            yield from _second_unit(dataset, protecting.document)


def _columns(profile: Profile) -> Iterator[tuple[tuple[Step, ...], str, Role]]:
    for index, name in enumerate(profile.class_disclosure.dimensions):
        yield ("class_disclosure", "dimensions", index), name, Role.DIMENSION
    for name in profile.rounding.magnitude_base:
        yield ("rounding", "magnitude_base", name), name, Role.MEASURE
    for table_index, table in enumerate(profile.registered_tables):
        for index, name in enumerate(table):
            yield ("registered_tables", table_index, index), name, Role.DIMENSION


def _second_unit(dataset: Sourced[Dataset], profile: Profile) -> Iterator[Fault]:
    if profile.frequency.minimum_second_units is not None and dataset.document.unit.second is None:
        yield dataset.fault(
            ("unit",),
            f"the profile `{profile.profile}` needs a second unit, which `{dataset.document.dataset}` does not name",
            "add `second: {name: …, expression: …}` or use another profile",
        )


def warn_profiles(draft: Draft) -> Iterator[Fault]:
    for profile in draft.profiles.values():
        document = profile.document
        if document.cell_keys is None and not hides_cells(document):
            yield profile.fault(
                (),
                f"`{document.profile}` hides and changes nothing but by rounding",
                "use it for open data only",
            )
        if document.cell_keys is not None:
            smallest = document.cell_keys.counts.smallest_published
            if 1 < document.frequency.minimum_frequency <= smallest:
                yield profile.fault(
                    ("frequency", "minimum_frequency"),
                    f"the p-table already publishes nothing from 1 to {smallest}: the minimum frequency does nothing",
                    "raise it above `smallest_published`",
                )
        if document.accept_cross_query_risk is not None and document.cell_keys is not None:
            yield profile.fault(
                ("accept_cross_query_risk",), "cell keys protect across queries: no risk has to be accepted"
            )
