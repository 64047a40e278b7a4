"""A profile that protects nothing: for tests that compare a rewritten query with the original, and for no one else."""

from __future__ import annotations

from catalogue.models import Frequency, Limits, Profile

NULL_PROFILE = Profile(
    profile="null_for_tests",
    title="No protection: exact values, for tests only",
    version="1",
    frequency=Frequency(minimum_frequency=1, publish_zeros=True),
    limits=Limits(maximum_dimensions=100, maximum_partitions=1_000_000),
    accept_cross_query_risk="Never served: tests compare its exact values with a plain query's.",
)
