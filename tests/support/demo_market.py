"""The catalogue of the demonstration with synthetic data made for a test."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from catalogue.catalogue import Catalogue
from examples.synthetic.generate import generate
from federation.configuration import read_configuration
from policies.context import Context

CONFIGURATION = Path(__file__).resolve().parents[2] / "examples" / "labour_market"
TODAY = date(2026, 3, 31)


@dataclass(frozen=True)
class DemoMarket:
    """Greater Manchester asks under the agreement of the combined authorities, where a test does not say."""

    folder: Path
    catalogue: Catalogue

    def context(self, **changes: Any) -> Context:
        asked = Context(
            catalogue=self.catalogue,
            body="greater_manchester",
            agreement=self.catalogue.agreements["local_labour_market"],
            purpose="Local skills and employment planning",
            today=TODAY,
        )
        return replace(asked, **changes)


def demo_market(folder: Path, people: int, seed: int = 1) -> DemoMarket:
    """The demonstration's catalogue, and its data for this many people written to ``folder``."""
    generate(people, folder, seed)
    return DemoMarket(folder, read_configuration(CONFIGURATION).catalogue)
