"""docs/disclosure-methods.md: its examples run, and its table of policy packs says what the packs say."""

from __future__ import annotations

import doctest
import re

import pytest

from catalogue.documents import Sourced
from catalogue.models import Profile
from catalogue.profile_source import read_profile
from catalogue.yaml_source import parse_yaml
from federation.configuration import policy_packs
from tests.docs.pages import ROOT, blocks, code, read, rows, section

PAGE = read("disclosure-methods.md")
TABLE = {code(row[0]): row[1:] for row in rows(section(PAGE, "Policy packs"))}


def test_the_examples_give_what_they_show() -> None:
    text = "\n".join(blocks(PAGE, "python", "run"))
    examples = doctest.DocTestParser().get_doctest(text, {}, "disclosure-methods.md", None, 0)
    assert len(examples.examples) > 20
    assert doctest.DocTestRunner().run(examples).failed == 0


def test_every_method_is_named_or_used() -> None:
    modules = {place.stem for place in (ROOT / "policies" / "methods").glob("*.py")} - {"__init__"}
    inner = {"lookup", "entropy"}  # steps of cell keys, told in words
    assert modules - inner == set(re.findall(r"from policies\.methods\.(\w+) import", PAGE))


def test_every_pack_is_there_and_no_other() -> None:
    assert set(TABLE) == set(policy_packs())


@pytest.mark.parametrize("name", list(TABLE))
def test_the_table_says_what_the_pack_says(name: str) -> None:
    (source,), faults = parse_yaml(f"profile: mine\nextends: {name}\n", "mine.yaml")
    assert not faults
    read_in = read_profile(source, policy_packs())
    assert isinstance(read_in, Sourced)
    minimum, second, counts, dominance, shown = TABLE[name]
    profile: Profile = read_in.document
    assert minimum == str(profile.frequency.minimum_frequency)
    assert second == str(profile.frequency.minimum_second_units or "")
    assert dominance == (f"p% {profile.dominance.p_percent}" if profile.dominance.p_percent else "")
    assert counts == _counts(profile)
    assert shown == _shown(profile)


def _counts(profile: Profile) -> str:
    if profile.cell_keys is None:
        return ""
    table = profile.cell_keys.counts
    if table.named is not None:
        return {"ten_five": "10-5"}[table.named]
    smallest = f", no {table.smallest_published}" if table.smallest_published else ""
    return f"cell keys, ±{table.maximum_noise}, variance {table.variance}{smallest}"


def _shown(profile: Profile) -> str:
    rounding = profile.rounding
    if rounding.size_bands:
        return f"by size, nearest {rounding.size_bands[0].base} to {rounding.size_bands[-1].base}"
    low = f", low under {rounding.zero_below}" if rounding.zero_below else ""
    if rounding.count_base > 1:
        return f"nearest {rounding.count_base}{low}"
    return "nearest 5" if profile.cell_keys and profile.cell_keys.counts.named else "as perturbed"
