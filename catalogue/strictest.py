"""A join obeys the strictest of its parents: one profile made from those of all the datasets that are read."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from functools import reduce
from typing import TypeVar

from catalogue.catalogue import Catalogue
from catalogue.models import ClassDisclosure, Dominance, Frequency, Limits, Profile, Rounding

Number = TypeVar("Number", int, Decimal)


def profile_for(catalogue: Catalogue, datasets: Iterable[str]) -> Profile | None:
    """The profile for a cell query that reads ``datasets``, the first of which holds its units.

    None where any of them is unknown or has no profile. Equal profiles come to one and the same.
    """
    names = dict.fromkeys(datasets)
    profiles = [catalogue.profile_of(name) if name in catalogue.datasets else None for name in names]
    found = [profile for profile in profiles if profile is not None]
    if not found or len(found) < len(profiles):
        return None
    return reduce(strictest, found)


def strictest(first: Profile, other: Profile) -> Profile:
    """Both profiles' rules at once. The first one's cell keys are kept where it has them: its units are counted."""
    if first.profile == other.profile:
        return first
    return first.model_copy(
        update={
            "version": f"{first.version}+{other.profile}-{other.version}",
            "frequency": _frequency(first.frequency, other.frequency),
            "cell_keys": first.cell_keys or other.cell_keys,
            "dominance": _dominance(first.dominance, other.dominance),
            "class_disclosure": ClassDisclosure(
                dimensions=tuple(
                    dict.fromkeys((*first.class_disclosure.dimensions, *other.class_disclosure.dimensions))
                )
            ),
            "rounding": _rounding(first.rounding, other.rounding),
            "quantiles": tuple(q for q in first.quantiles if q in other.quantiles),
            "maximum_cv_percent": _least(first.maximum_cv_percent, other.maximum_cv_percent),
            "limits": _limits(first.limits, other.limits),
            "registered_tables": first.registered_tables or other.registered_tables,
        }
    )


def _frequency(a: Frequency, b: Frequency) -> Frequency:
    return Frequency(
        minimum_frequency=max(a.minimum_frequency, b.minimum_frequency),
        minimum_second_units=_most(a.minimum_second_units, b.minimum_second_units),
        publish_zeros=a.publish_zeros and b.publish_zeros,
    )


def _dominance(a: Dominance, b: Dominance) -> Dominance:
    """The larger p protects more. Of two (n, k) rules with different n neither implies the other: the larger n with
    the smaller k implies both, since the n largest hold at least what fewer of them do."""
    return Dominance(
        dominance_n=_most(a.dominance_n, b.dominance_n),
        dominance_k_percent=_least(a.dominance_k_percent, b.dominance_k_percent),
        p_percent=_most(a.p_percent, b.p_percent),
        coalition=max(a.coalition, b.coalition),
    )


def _rounding(a: Rounding, b: Rounding) -> Rounding:
    bases = {name: base for name, base in b.magnitude_base.items() if base > a.magnitude_base.get(name, 0)}
    return Rounding(
        count_base=max(a.count_base, b.count_base),
        size_bands=a.size_bands or b.size_bands,
        magnitude_base={**a.magnitude_base, **bases},
        zero_below=_most(a.zero_below, b.zero_below),
    )


def _limits(a: Limits, b: Limits) -> Limits:
    greater = {"minimum_area_difference"}
    return Limits(
        **{
            name: (max if name in greater else min)(getattr(a, name), getattr(b, name))
            for name in Limits.model_fields
        }
    )


def _most(a: Number | None, b: Number | None) -> Number | None:
    found = [each for each in (a, b) if each is not None]
    return max(found) if found else None


def _least(a: Number | None, b: Number | None) -> Number | None:
    found = [each for each in (a, b) if each is not None]
    return min(found) if found else None
