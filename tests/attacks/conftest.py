"""The databases that attacks are held against, for the whole session."""

from __future__ import annotations

from decimal import Decimal
from importlib.resources import files

import pytest
import yaml

from catalogue.models import ClassDisclosure, Dominance, Frequency, Limits, Profile
from tests.attacks.framework import Field

EXACT = Profile(
    profile="exact_with_classes",
    title="Exact values of ten and more, without dominated totals and rows of one class",
    version="1",
    frequency=Frequency(minimum_frequency=10),
    dominance=Dominance(p_percent=Decimal(10)),
    class_disclosure=ClassDisclosure(dimensions=("status",)),
    limits=Limits(),
    accept_cross_query_risk="For tests: what single queries can do against exact values.",
)


def pack(name: str) -> Profile:
    content = yaml.safe_load((files("policies") / "packs" / f"{name}.yaml").read_text(encoding="utf-8"))
    return Profile.model_validate({key: value for key, value in content.items() if key != "vectors"})


@pytest.fixture(scope="session")
def battlefield(tmp_path_factory: pytest.TempPathFactory) -> Field:
    profiles = [pack("cell_key_standard"), pack("ten_five"), EXACT]
    return Field(tmp_path_factory.mktemp("neighbours"), {profile.profile: profile for profile in profiles})
