"""docs/security.md: what it names exists, and what no other suite holds."""

from __future__ import annotations

import re

import pytest

from policies.compiler import compile_query
from policies.refusals import Code, RefusalError
from tests.attacks.framework import DRAWS
from tests.attacks.test_attacks import ATTACKS
from tests.docs.demo import demo_context
from tests.docs.pages import ROOT, read, rows, section

TABLE = rows(section(read("security.md"), "Properties"))


@pytest.mark.parametrize("row", TABLE, ids=[row[0][:60] for row in TABLE])
def test_a_property_lives_somewhere_and_is_tested(row: list[str]) -> None:
    places, tests = (re.findall(r"`([^`]+)`", cell) for cell in row[1:])
    assert places
    assert tests
    assert all((ROOT / place).exists() for place in places)
    assert all(test.startswith("tests/") and (ROOT / test).is_file() for test in tests)


@pytest.mark.parametrize("character", ["\u200b", "\u202e", "\u2066", "\ufeff", "\u00ad"])
def test_what_a_reviewer_cannot_see_is_refused(character: str) -> None:
    with pytest.raises(RefusalError) as refused:
        compile_query(
            f"SELECT sex, count(*) FROM people WHERE sex = 'F{character}' GROUP BY sex", demo_context()
        )
    (refusal,) = refused.value.refusals
    assert refusal.code is Code.SQL_SYNTAX
    assert character not in refusal.message


def test_every_attack_that_is_known_to_gain_something_is_named() -> None:
    named = re.findall(r'\| "([^"]+)" \|', section(read("security.md"), "Not protected against"))
    assert named == [attack.name for _, attack in ATTACKS if attack.beyond]
    assert DRAWS == 200
    assert 300 < len(ATTACKS) < 400
