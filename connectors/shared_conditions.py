"""What all statistics of a fragment ask of a row becomes a condition on rows, which engines test while they read."""

from __future__ import annotations

from dataclasses import replace

from catalogue.fragment import Fragment, Measure


def hoisted(fragment: Fragment) -> tuple[Fragment, Measure | None]:
    """The fragment with the conditions that all its statistics share moved to its rows, and the measure of which all
    need a value, if there is one: rows without it may be left out, so in the fragment it is never null.

    A cell without such rows is then absent where it had zeros before, and that means the same.
    """
    if not fragment.statistics:
        return fragment, None
    first, *others = fragment.statistics
    shared = tuple(test for test in first.where if all(test in other.where for other in others))
    statistics = tuple(
        replace(each, where=tuple(test for test in each.where if test not in shared))
        for each in fragment.statistics
    )
    shared_fragment = replace(
        fragment, where=tuple(dict.fromkeys(fragment.where + shared)), statistics=statistics
    )
    measure = first.measure
    if measure is None or measure.field is None or not measure.nullable:
        return shared_fragment, None
    if any(other.measure != measure for other in others):
        return shared_fragment, None
    known = replace(measure, nullable=False)
    statistics = tuple(replace(each, measure=known) for each in statistics)
    return replace(shared_fragment, statistics=statistics), measure
