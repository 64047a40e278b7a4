"""The demonstration's catalogue and node, as the documentation uses them."""

from __future__ import annotations

import shutil
from datetime import date
from functools import cache
from pathlib import Path

from examples.synthetic.generate import generate
from federation.configuration import Configuration, read_configuration
from policies.context import Context
from tests.docs.pages import ROOT

PEOPLE = 1_000_000
"""How many people the labour market of the pages has, as in the tutorial."""

SECRETS = {
    "FEDERATION_KEY_SECRET": "01" * 32,
    "FEDERATION_NOISE_SECRET": "02" * 32,
    "FEDERATION_KEY_EPOCH": "1",
}
"""Secrets that are no secret: with them the noise, and so every figure on the pages, is the same at each run."""


def write_demo(folder: Path) -> Path:
    """The demonstration's configuration with its labour market, in a folder of its own."""
    directory = folder / "labour_market"
    kept_out = shutil.ignore_patterns("data", "state", "secrets")
    shutil.copytree(ROOT / "examples" / "labour_market", directory, ignore=kept_out)
    generate(PEOPLE, directory / "data", seed=1)
    return directory


@cache
def demo_configuration() -> Configuration:
    return read_configuration(ROOT / "examples" / "labour_market")


def demo_context() -> Context:
    """A question of Greater Manchester's planners."""
    catalogue = demo_configuration().catalogue
    agreement = catalogue.agreements["local_labour_market"]
    return Context(catalogue, "greater_manchester", agreement, agreement.purposes[0], date(2026, 3, 31))
