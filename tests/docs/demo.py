"""The demonstration's catalogue and node, as the documentation uses them."""

from __future__ import annotations

from datetime import date
from functools import cache

from federation.configuration import Configuration, read_configuration
from policies.context import Context
from tests.docs.pages import ROOT

PEOPLE = 200_000
"""How many people the examples' labour market has."""

SECRETS = {
    "FEDERATION_KEY_SECRET": "01" * 32,
    "FEDERATION_NOISE_SECRET": "02" * 32,
    "FEDERATION_KEY_EPOCH": "1",
}
"""Secrets that are no secret: with them the noise, and so every figure on the pages, is the same at each run."""


@cache
def demo_configuration() -> Configuration:
    return read_configuration(ROOT / "examples" / "labour_market")


def demo_context() -> Context:
    """A question of Greater Manchester's planners."""
    catalogue = demo_configuration().catalogue
    agreement = catalogue.agreements["local_labour_market"]
    return Context(catalogue, "greater_manchester", agreement, agreement.purposes[0], date(2026, 3, 31))
