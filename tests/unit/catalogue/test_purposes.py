"""The three answers of an agreement to a purpose."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.models import Agreement
from catalogue.purposes import PurposeMatch, match_purpose


def agreement(**terms: object) -> Agreement:
    fields: dict[str, object] = {
        "agreement": "skills",
        "title": "Skills",
        "version": "1",
        "bodies": ("gmca",),
        "datasets": ("learners",),
        "purposes": ("Skills planning",),
        "legal_gateway": "an Act",
        "start": "2026-01-01",
        "review": "2026-06-01",
        "end": "2027-01-01",
    }
    return Agreement.model_validate(fields | terms)


@pytest.mark.parametrize(
    ("purpose", "other", "answer"),
    [
        ("Skills planning", "not_permitted", PurposeMatch.PERMITTED),
        (" skills  PLANNING ", "not_permitted", PurposeMatch.PERMITTED),
        ("Marketing", "not_permitted", PurposeMatch.NOT_PERMITTED),
        ("Marketing", "needs_a_person", PurposeMatch.NEEDS_A_PERSON),
        ("law enforcement", "needs_a_person", PurposeMatch.NOT_PERMITTED),
        ("", "needs_a_person", PurposeMatch.NOT_PERMITTED),
        ("Skills", "not_permitted", PurposeMatch.NOT_PERMITTED),
    ],
)
def test_a_purpose_is_permitted_not_permitted_or_for_a_person(
    purpose: str, other: str, answer: PurposeMatch
) -> None:
    terms = agreement(other_purposes=other, excluded_purposes=("Law enforcement",))
    assert match_purpose(terms, purpose) is answer


@given(st.text())
def test_what_an_agreement_does_not_name_is_never_permitted(purpose: str) -> None:
    answer = match_purpose(agreement(other_purposes="needs_a_person"), purpose)
    assert (answer is PurposeMatch.PERMITTED) == (" ".join(purpose.casefold().split()) == "skills planning")
