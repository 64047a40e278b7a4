"""The life of a request and of a run, as data: which act by whom leads from which state to which.

The documentation's diagrams are drawn from these tables. A state changes by a row of them or not at all; nothing is
ever approved by the passing of time. ``EXPIRED`` is never stored: it is computed whenever a request is used
(``federation.state.validity``).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RequestState(StrEnum):
    SUBMITTED = "submitted"
    APPROVED = "approved"
    REFUSED = "refused"
    REVOKED = "revoked"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


class RunState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    VOID = "void"


class Role(StrEnum):
    """In what capacity somebody acts on a request or a run."""

    REQUESTER = "requester"
    CUSTODIAN = "custodian"
    STANDING_RULE = "standing_rule"
    NODE = "node"
    CLOCK = "clock"


class Action(StrEnum):
    SUBMIT = "submit"
    APPROVE = "approve"
    REFUSE = "refuse"
    REVOKE = "revoke"
    SUPERSEDE = "supersede"
    EXPIRE = "expire"


class RunAction(StrEnum):
    QUEUE = "queue"
    CLAIM = "claim"
    REQUEUE = "requeue"
    FINISH = "finish"
    FAIL = "fail"
    CANCEL = "cancel"
    VOID = "void"


class When(StrEnum):
    """A condition of a transition: every custodian whose dataset is touched decides for its own data."""

    ALWAYS = "always"
    OTHERS_OUTSTANDING = "other datasets await their custodian"
    LAST_OUTSTANDING = "no other dataset awaits its custodian"


@dataclass(frozen=True, slots=True)
class Transition:
    """``source`` is None where the act creates the request."""

    source: RequestState | None
    action: Action
    target: RequestState
    role: Role
    when: When = When.ALWAYS


@dataclass(frozen=True, slots=True)
class RunTransition:
    source: RunState | None
    action: RunAction
    target: RunState
    role: Role


_S, _A, _R = RequestState, Action, Role

REQUEST_TRANSITIONS: tuple[Transition, ...] = (
    Transition(None, _A.SUBMIT, _S.SUBMITTED, _R.REQUESTER),
    Transition(_S.SUBMITTED, _A.APPROVE, _S.SUBMITTED, _R.CUSTODIAN, When.OTHERS_OUTSTANDING),
    Transition(_S.SUBMITTED, _A.APPROVE, _S.APPROVED, _R.CUSTODIAN, When.LAST_OUTSTANDING),
    Transition(_S.SUBMITTED, _A.APPROVE, _S.SUBMITTED, _R.STANDING_RULE, When.OTHERS_OUTSTANDING),
    Transition(_S.SUBMITTED, _A.APPROVE, _S.APPROVED, _R.STANDING_RULE, When.LAST_OUTSTANDING),
    Transition(_S.SUBMITTED, _A.APPROVE, _S.SUBMITTED, _R.NODE, When.OTHERS_OUTSTANDING),
    Transition(_S.SUBMITTED, _A.APPROVE, _S.APPROVED, _R.NODE, When.LAST_OUTSTANDING),
    Transition(_S.SUBMITTED, _A.REFUSE, _S.REFUSED, _R.CUSTODIAN),
    Transition(_S.APPROVED, _A.REVOKE, _S.REVOKED, _R.CUSTODIAN),
    Transition(_S.SUBMITTED, _A.SUPERSEDE, _S.SUPERSEDED, _R.NODE),
    Transition(_S.APPROVED, _A.SUPERSEDE, _S.SUPERSEDED, _R.NODE),
    Transition(_S.APPROVED, _A.EXPIRE, _S.EXPIRED, _R.CLOCK),
)

COMPUTED_STATES = frozenset({RequestState.EXPIRED})
"""States that are computed at use and never stored."""

RUN_TRANSITIONS: tuple[RunTransition, ...] = (
    RunTransition(None, RunAction.QUEUE, RunState.QUEUED, Role.REQUESTER),
    RunTransition(RunState.QUEUED, RunAction.CLAIM, RunState.RUNNING, Role.NODE),
    RunTransition(RunState.RUNNING, RunAction.REQUEUE, RunState.QUEUED, Role.NODE),
    RunTransition(RunState.RUNNING, RunAction.FINISH, RunState.DONE, Role.NODE),
    RunTransition(RunState.RUNNING, RunAction.FAIL, RunState.FAILED, Role.NODE),
    RunTransition(RunState.RUNNING, RunAction.VOID, RunState.VOID, Role.NODE),
    RunTransition(RunState.RUNNING, RunAction.CANCEL, RunState.CANCELLED, Role.NODE),
    RunTransition(RunState.QUEUED, RunAction.CANCEL, RunState.CANCELLED, Role.REQUESTER),
)


def request_transition(
    source: RequestState | None, action: Action, role: Role, *, others_outstanding: bool = False
) -> Transition | None:
    """The row of the table for this act, or None where the table has none.

    >>> request_transition(RequestState.REFUSED, Action.APPROVE, Role.CUSTODIAN) is None
    True
    >>> request_transition(RequestState.SUBMITTED, Action.APPROVE, Role.CUSTODIAN).target.value
    'approved'
    """
    other = When.OTHERS_OUTSTANDING if others_outstanding else When.LAST_OUTSTANDING
    for row in REQUEST_TRANSITIONS:
        if (row.source, row.action, row.role) == (source, action, role) and row.when in (When.ALWAYS, other):
            return row
    return None


def run_transition(source: RunState | None, action: RunAction, role: Role) -> RunTransition | None:
    """The row of the table for this act on a run, or None where the table has none."""
    for row in RUN_TRANSITIONS:
        if (row.source, row.action, row.role) == (source, action, role):
            return row
    return None
