"""The profiles that tests use, read from the policy packs."""

from __future__ import annotations

from importlib.resources import files

import yaml

from catalogue.models import Profile


def pack(name: str, **changes: object) -> Profile:
    """A policy pack as a profile; ``changes`` override its top-level keys."""
    content = yaml.safe_load((files("policies") / "packs" / f"{name}.yaml").read_text())
    content.pop("vectors", None)
    return Profile.model_validate({**content, **changes})


def standard_profile(**changes: object) -> Profile:
    """Cell keys with a minimum frequency of ten, for counts and magnitudes."""
    return pack("cell_key_standard", **changes)
