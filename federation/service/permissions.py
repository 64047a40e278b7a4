"""Who may do what at a node: one table, consulted before anything else.

What a state of a request allows, and whose dataset a custodian decides on, are other questions
(``federation.state.lifecycle``, ``federation.state.authority``).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from federation.identity.principal import NodeRole, Principal
from federation.service.errors import ServiceCode, ServiceError


class Act(StrEnum):
    READ_CATALOGUE = "read the catalogue"
    CHECK = "check a query"
    REQUEST = "ask for a query to be approved"
    RUN = "run an approved request"
    DECIDE = "decide on requests"
    REVIEW = "decide on appeals, and beside custodians where a quorum is asked for"
    SEE_CUSTODY = "see the requests on the data of one's body"
    COMMENT = "comment"
    SEE_ALL = "see the requests of every body"
    READ_AUDIT = "read the audit trail"


_P, _A, _C, _R, _U, _M = (
    NodeRole.PLANNER,
    NodeRole.ANALYST,
    NodeRole.CUSTODIAN,
    NodeRole.REVIEWER,
    NodeRole.AUDITOR,
    NodeRole.ADMINISTRATOR,
)

PERMISSIONS: Mapping[Act, frozenset[NodeRole]] = {
    Act.READ_CATALOGUE: frozenset(NodeRole),
    Act.CHECK: frozenset({_P, _A, _C, _R}),
    Act.REQUEST: frozenset({_P, _A}),
    Act.RUN: frozenset({_P, _A}),
    Act.DECIDE: frozenset({_C}),
    Act.REVIEW: frozenset({_R}),
    Act.SEE_CUSTODY: frozenset({_C, _R}),
    Act.COMMENT: frozenset({_P, _A, _C, _R}),
    Act.SEE_ALL: frozenset({_U, _M}),
    Act.READ_AUDIT: frozenset({_U, _M}),
}


def permitted(principal: Principal, act: Act) -> bool:
    return not PERMISSIONS[act].isdisjoint(principal.roles)


def require(principal: Principal, act: Act) -> None:
    """Raises ServiceError with NOT_PERMITTED, naming the roles that may."""
    if not permitted(principal, act):
        roles = ", ".join(sorted(PERMISSIONS[act]))
        raise ServiceError(
            ServiceCode.NOT_PERMITTED, f"to {act.value}, one of these roles is needed: {roles}"
        )
