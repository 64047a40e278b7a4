"""What must hold between the documents of a catalogue. Each check is one function over the draft."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from catalogue.checks.areas import (
    check_area_codes,
    check_area_overlaps,
    check_areas_in_jurisdiction,
    warn_area_near_node,
)
from catalogue.checks.expressions import check_expressions
from catalogue.checks.groupings import warn_slivers
from catalogue.checks.holders import check_holders, check_relationships_within
from catalogue.checks.profiles import check_profile_names, check_profiles, warn_profiles
from catalogue.checks.queries import check_queries
from catalogue.checks.references import check_clashes, check_references
from catalogue.checks.relationships import check_lookups, warn_unproven_keys
from catalogue.checks.terms import check_agreements, check_bodies, check_rules, warn_jurisdictions, warn_over
from catalogue.checks.unfinished import warn_unfinished
from catalogue.checks.variables import check_variables
from catalogue.draft import Draft
from catalogue.faults import Fault

__all__ = ["FAULT_CHECKS", "WARNING_CHECKS", "Check", "warn_over"]

Check = Callable[[Draft], Iterable[Fault]]

FAULT_CHECKS: tuple[Check, ...] = (
    check_references,
    check_clashes,
    check_variables,
    check_expressions,
    check_lookups,
    check_holders,
    check_relationships_within,
    check_profiles,
    check_profile_names,
    check_bodies,
    check_agreements,
    check_area_codes,
    check_area_overlaps,
    check_areas_in_jurisdiction,
    check_rules,
    check_queries,
)
# Run on a sound draft alone, so they may take every reference for granted.
WARNING_CHECKS: tuple[Check, ...] = (
    warn_profiles,
    warn_jurisdictions,
    warn_unproven_keys,
    warn_area_near_node,
    warn_slivers,
    warn_unfinished,
)
