"""Whether an agreement permits a purpose: yes, no, or a person has to look at it."""

from __future__ import annotations

from enum import StrEnum

from catalogue.models import Agreement, OtherPurposes


class PurposeMatch(StrEnum):
    """The three answers. What is permitted may be decided on in advance, what needs a person never is."""

    PERMITTED = "permitted"
    NOT_PERMITTED = "not_permitted"
    NEEDS_A_PERSON = "needs_a_person"


def match_purpose(agreement: Agreement, purpose: str) -> PurposeMatch:
    """How ``agreement`` answers a purpose; capitals and blanks make no difference.

    What is excluded is not permitted, even where it is named among the purposes, too. What is not named at all is
    not permitted, unless the agreement leaves other purposes to a person; no purpose at all never is.
    """
    stated = _plain(purpose)
    if not stated or stated in map(_plain, agreement.excluded_purposes):
        return PurposeMatch.NOT_PERMITTED
    if stated in map(_plain, agreement.purposes):
        return PurposeMatch.PERMITTED
    if agreement.other_purposes is OtherPurposes.NEEDS_A_PERSON:
        return PurposeMatch.NEEDS_A_PERSON
    return PurposeMatch.NOT_PERMITTED


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
