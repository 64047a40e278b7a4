"""The life of a request and of a run, as data: which act by whom leads from which state to which.

The documentation's diagrams are drawn from these tables. A state changes by a row of them or not at all; nothing is
ever approved by the passing of time. ``EXPIRED``, ``EXHAUSTED`` and ``LAPSED`` are never stored: they are computed
whenever a request is looked at or used (``federation.state.validity``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class RequestState(StrEnum):
    DRAFT = "draft"
    SUBMITTED = "submitted"
    UNDER_REVIEW = "under_review"
    RETURNED = "returned"
    APPROVED = "approved"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"
    REVOKED = "revoked"
    EXPIRED = "expired"
    EXHAUSTED = "exhausted"
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
    REVIEWER = "reviewer"
    STANDING_RULE = "standing_rule"
    STANDARD_QUERY = "standard_query"
    NODE = "node"
    CLOCK = "clock"


class Action(StrEnum):
    SAVE = "save"
    SUBMIT = "submit"
    TAKE_UP = "take_up"
    APPROVE = "approve"
    RETURN = "return"
    REFUSE = "refuse"
    APPEAL = "appeal"
    ACCEPT = "accept"
    RUN = "run"
    SUSPEND = "suspend"
    RESUME = "resume"
    REVOKE = "revoke"
    WITHDRAW = "withdraw"
    SUPERSEDE = "supersede"
    LAPSE = "lapse"
    EXPIRE = "expire"
    EXHAUST = "exhaust"


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

UNDECIDED = (RequestState.SUBMITTED, RequestState.UNDER_REVIEW)
"""A custodian has to act."""
RUNNABLE = (RequestState.APPROVED, RequestState.ACTIVE)
"""May be run, as far as the state goes."""
GRANTED = (*RUNNABLE, RequestState.SUSPENDED)
"""Was approved, and is not over."""
OPEN = (RequestState.DRAFT, *UNDECIDED, RequestState.RETURNED, *GRANTED)
"""Not over."""


def _decided(source: RequestState, undecided: RequestState, role: Role) -> tuple[Transition, Transition]:
    """An approval: of one dataset while others await theirs, and the last."""
    return (
        Transition(source, _A.APPROVE, undecided, role, When.OTHERS_OUTSTANDING),
        Transition(source, _A.APPROVE, _S.APPROVED, role, When.LAST_OUTSTANDING),
    )


def _each(
    sources: tuple[RequestState, ...], action: Action, target: RequestState, role: Role
) -> Iterator[Transition]:
    return (Transition(source, action, target, role) for source in sources)


REQUEST_TRANSITIONS: tuple[Transition, ...] = (
    Transition(None, _A.SAVE, _S.DRAFT, _R.REQUESTER),
    Transition(_S.DRAFT, _A.SAVE, _S.DRAFT, _R.REQUESTER),
    Transition(None, _A.SUBMIT, _S.SUBMITTED, _R.REQUESTER),
    Transition(_S.DRAFT, _A.SUBMIT, _S.SUBMITTED, _R.REQUESTER),
    Transition(_S.RETURNED, _A.SUBMIT, _S.SUBMITTED, _R.REQUESTER),
    Transition(_S.SUBMITTED, _A.TAKE_UP, _S.UNDER_REVIEW, _R.CUSTODIAN),
    *_decided(_S.SUBMITTED, _S.UNDER_REVIEW, _R.CUSTODIAN),
    *_decided(_S.UNDER_REVIEW, _S.UNDER_REVIEW, _R.CUSTODIAN),
    *_decided(_S.SUBMITTED, _S.UNDER_REVIEW, _R.REVIEWER),
    *_decided(_S.UNDER_REVIEW, _S.UNDER_REVIEW, _R.REVIEWER),
    *_decided(_S.SUBMITTED, _S.SUBMITTED, _R.STANDING_RULE),
    *_decided(_S.SUBMITTED, _S.SUBMITTED, _R.STANDARD_QUERY),
    *_decided(_S.SUBMITTED, _S.SUBMITTED, _R.NODE),
    *_each(UNDECIDED, _A.RETURN, _S.RETURNED, _R.CUSTODIAN),
    *_each(UNDECIDED, _A.RETURN, _S.RETURNED, _R.REVIEWER),
    *_each(UNDECIDED, _A.REFUSE, _S.REFUSED, _R.CUSTODIAN),
    *_each(UNDECIDED, _A.REFUSE, _S.REFUSED, _R.REVIEWER),
    Transition(_S.REFUSED, _A.APPEAL, _S.UNDER_REVIEW, _R.REQUESTER),
    Transition(_S.APPROVED, _A.ACCEPT, _S.ACTIVE, _R.REQUESTER),
    Transition(_S.APPROVED, _A.RUN, _S.ACTIVE, _R.REQUESTER),
    *_each(GRANTED, _A.SUSPEND, _S.SUSPENDED, _R.CUSTODIAN),
    Transition(_S.SUSPENDED, _A.RESUME, _S.SUSPENDED, _R.CUSTODIAN, When.OTHERS_OUTSTANDING),
    Transition(_S.SUSPENDED, _A.RESUME, _S.APPROVED, _R.CUSTODIAN, When.LAST_OUTSTANDING),
    *_each(GRANTED, _A.REVOKE, _S.REVOKED, _R.CUSTODIAN),
    *_each(OPEN, _A.WITHDRAW, _S.WITHDRAWN, _R.REQUESTER),
    *_each((*UNDECIDED, *GRANTED), _A.SUPERSEDE, _S.SUPERSEDED, _R.NODE),
    *_each((*UNDECIDED, _S.RETURNED), _A.LAPSE, _S.LAPSED, _R.CLOCK),
    *_each(GRANTED, _A.EXPIRE, _S.EXPIRED, _R.CLOCK),
    Transition(_S.ACTIVE, _A.EXHAUST, _S.EXHAUSTED, _R.NODE),
)

COMPUTED_STATES = frozenset({RequestState.EXPIRED, RequestState.EXHAUSTED, RequestState.LAPSED})
"""States that are computed when a request is looked at and never stored."""

RUN_TRANSITIONS: tuple[RunTransition, ...] = (
    RunTransition(None, RunAction.QUEUE, RunState.QUEUED, Role.REQUESTER),
    RunTransition(RunState.QUEUED, RunAction.CLAIM, RunState.RUNNING, Role.NODE),
    RunTransition(RunState.RUNNING, RunAction.REQUEUE, RunState.QUEUED, Role.NODE),
    RunTransition(RunState.RUNNING, RunAction.FINISH, RunState.DONE, Role.NODE),
    RunTransition(RunState.RUNNING, RunAction.FAIL, RunState.FAILED, Role.NODE),
    RunTransition(RunState.RUNNING, RunAction.VOID, RunState.VOID, Role.NODE),
    RunTransition(RunState.RUNNING, RunAction.CANCEL, RunState.CANCELLED, Role.NODE),
    RunTransition(RunState.QUEUED, RunAction.CANCEL, RunState.CANCELLED, Role.REQUESTER),
    RunTransition(RunState.QUEUED, RunAction.VOID, RunState.VOID, Role.NODE),
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


def lapses(state: RequestState) -> bool:
    """Whether a request in this state ends if nobody acts in time."""
    return request_transition(state, Action.LAPSE, Role.CLOCK) is not None


def stored_as(state: RequestState) -> frozenset[RequestState]:
    """The stored states in which a request may be that is in ``state`` now.

    >>> sorted(stored_as(RequestState.EXHAUSTED))
    [<RequestState.ACTIVE: 'active'>]
    """
    if state not in COMPUTED_STATES:
        return frozenset({state})
    return frozenset(
        row.source for row in REQUEST_TRANSITIONS if row.target is state and row.source is not None
    )


def run_transition(source: RunState | None, action: RunAction, role: Role) -> RunTransition | None:
    """The row of the table for this act on a run, or None where the table has none."""
    for row in RUN_TRANSITIONS:
        if (row.source, row.action, row.role) == (source, action, role):
            return row
    return None
