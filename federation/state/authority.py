"""Who may decide on a request: officers of the bodies that its datasets need, never the requester."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from federation.state.lifecycle import Role
from federation.state.quorum import Quorum


@dataclass(frozen=True, slots=True)
class Officer:
    """A person who is signed in: the identity's subject, the body for which they act, whether they decide on its
    data, and whether they review: decide on appeals, and for their body where it decides beside the custodian.
    ``delegation`` is what lets them act for that body where it is not their own."""

    subject: str
    body: str
    is_custodian: bool = False
    is_reviewer: bool = False
    delegation: Mapping[str, Any] | None = None

    @property
    def role(self) -> Role:
        """In what capacity they decide: who is custodian and reviewer may as custodian all that they may as reviewer,
        so that is what they do."""
        return Role.CUSTODIAN if self.is_custodian else Role.REVIEWER


class DenialReason(StrEnum):
    OWN_REQUEST = "own_request"
    NOT_CUSTODIAN = "not_custodian"
    NOT_OWN_DATASET = "not_own_dataset"
    REFUSED_BEFORE = "refused_before"
    NO_APPEAL = "no_appeal"

    @property
    def message(self) -> str:
        return {
            DenialReason.OWN_REQUEST: "nobody decides on their own request: ask another custodian of your body",
            DenialReason.NOT_CUSTODIAN: "only a custodian decides on requests",
            DenialReason.NOT_OWN_DATASET: "the request touches no dataset of which your body is custodian",
            DenialReason.REFUSED_BEFORE: "you refused it before: another custodian decides on the appeal",
            DenialReason.NO_APPEAL: "a reviewer decides on appeals, and beside another body that is the custodian",
        }[self]


@dataclass(frozen=True, slots=True)
class MayDecide:
    """``datasets`` are those for which the officer decides, sorted; other custodians decide on the rest."""

    datasets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MayNotDecide:
    reason: DenialReason


def may_decide(
    officer: Officer, requester: str, quorums: Mapping[str, Quorum], refused_by: Set[str] = frozenset()
) -> MayDecide | MayNotDecide:
    """Whether ``officer`` decides on a request of the subject ``requester``, and for which datasets.

    Args:
        quorums: whose approval each dataset needs that the request touches.
        refused_by: those who refused it before it was appealed.

    >>> needed = {"learners": Quorum("dfe"), "pay": Quorum("ons")}
    >>> may_decide(Officer("ann", "dfe", is_custodian=True), "bob", needed)
    MayDecide(datasets=('learners',))
    >>> may_decide(Officer("ann", "dfe", is_custodian=True), "ann", needed).reason.value
    'own_request'
    """
    if officer.subject == requester:
        return MayNotDecide(DenialReason.OWN_REQUEST)
    if not officer.is_custodian and not officer.is_reviewer:
        return MayNotDecide(DenialReason.NOT_CUSTODIAN)
    own = tuple(sorted(dataset for dataset, quorum in quorums.items() if officer.body in quorum.bodies))
    if not own:
        return MayNotDecide(DenialReason.NOT_OWN_DATASET)
    if officer.subject in refused_by:
        return MayNotDecide(DenialReason.REFUSED_BEFORE)
    if not officer.is_custodian and not refused_by:
        own = tuple(dataset for dataset in own if quorums[dataset].custodian != officer.body)
    return MayDecide(own) if own else MayNotDecide(DenialReason.NO_APPEAL)
