"""Who may decide on a request: a custodian's officer for the custodian's own datasets, never the requester."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Officer:
    """A person who is signed in: the identity's subject, the body for which they act, and whether they decide
    on its data."""

    subject: str
    body: str
    is_custodian: bool = False


class DenialReason(StrEnum):
    OWN_REQUEST = "own_request"
    NOT_CUSTODIAN = "not_custodian"
    NOT_OWN_DATASET = "not_own_dataset"

    @property
    def message(self) -> str:
        return {
            DenialReason.OWN_REQUEST: "nobody decides on their own request: ask another custodian of your body",
            DenialReason.NOT_CUSTODIAN: "only a custodian decides on requests",
            DenialReason.NOT_OWN_DATASET: "the request touches no dataset of which your body is custodian",
        }[self]


@dataclass(frozen=True, slots=True)
class MayDecide:
    """``datasets`` are those for which the officer decides, sorted; other custodians decide on the rest."""

    datasets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MayNotDecide:
    reason: DenialReason


def may_decide(officer: Officer, requester: str, custodians: Mapping[str, str]) -> MayDecide | MayNotDecide:
    """Whether ``officer`` decides on a request of the subject ``requester``, and for which datasets.

    Args:
        custodians: the custodian body of each dataset that the request touches.

    >>> may_decide(Officer("ann", "dfe", is_custodian=True), "bob", {"learners": "dfe", "pay": "ons"})
    MayDecide(datasets=('learners',))
    >>> may_decide(Officer("ann", "dfe", is_custodian=True), "ann", {"learners": "dfe"}).reason.value
    'own_request'
    """
    if officer.subject == requester:
        return MayNotDecide(DenialReason.OWN_REQUEST)
    if not officer.is_custodian:
        return MayNotDecide(DenialReason.NOT_CUSTODIAN)
    own = tuple(sorted(dataset for dataset, body in custodians.items() if body == officer.body))
    return MayDecide(own) if own else MayNotDecide(DenialReason.NOT_OWN_DATASET)
