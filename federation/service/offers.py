"""What a reader may do about a request now: what its state, the decisions on it and the reader's role allow.

Pages offer this and no more. The acts themselves look again, in their own transactions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from federation.identity.principal import Principal
from federation.service.decisions import officer_of
from federation.service.node import Node
from federation.service.permissions import Act, permitted
from federation.service.requests import visible
from federation.service.views import NodeConditionsView, RequestView
from federation.state import requests as store
from federation.state.authority import MayNotDecide
from federation.state.deciding import decides, of_this_version, to_approve
from federation.state.lifecycle import GRANTED, RUNNABLE, Action, RequestState, Role, request_transition
from federation.state.models import Decision, Outcome, Request


@dataclass(frozen=True, slots=True)
class Condition:
    """What the requester has to accept before anything runs, and the body that asks for it."""

    body: str
    text: str


@dataclass(frozen=True, slots=True)
class Offers:
    """What the reader may do.

    ``acts`` are rows of the life cycle. ``awaits`` says whether the request waits for this very reader to decide,
    ``reviews`` whether the reader's body decides on any of it, ``own`` whether the reader asked it, ``replace``
    whether they may ask another in its place. ``conditions`` are those that are not accepted yet, ``elsewhere`` those
    of other nodes, which its requester may accept one node at a time.
    """

    acts: frozenset[Action]
    awaits: bool
    reviews: bool
    own: bool
    replace: bool
    conditions: list[Condition]
    elsewhere: list[NodeConditionsView]


def get(node: Node, principal: Principal, view: RequestView) -> Offers:
    """Raises ServiceError NOT_FOUND for a request that is not the reader's to see, too."""
    with node.database.read() as session:
        request = visible(session, principal, view.request)
        return of(session, principal, request, view)


def of(session: Session, principal: Principal, request: Request, view: RequestView) -> Offers:
    """The offers about a request that was read in ``session``, of which ``view`` says how it stands."""
    made = of_this_version(request, store.decisions(session, request.id))
    deciding = _deciding(principal, request, made, view.state)
    own = (principal.subject, principal.body) == (request.requester, request.body) and permitted(
        principal, Act.REQUEST
    )
    asking = _asking(request, made, view.state) if own else frozenset()
    runs = view.usable and permitted(principal, Act.RUN) and principal.body == request.body
    reviews = permitted(principal, Act.SEE_CUSTODY) and principal.body in request.reviewers
    return Offers(
        acts=deciding | asking | ({Action.RUN} if runs else frozenset()),
        awaits=Action.APPROVE in deciding and principal.body in view.waiting_for,
        reviews=reviews and view.state is not RequestState.DRAFT,
        own=own,
        replace=own and view.state in GRANTED,
        conditions=_conditions(request, made) if view.state in GRANTED else [],
        elsewhere=[each for each in view.node_conditions if each.accepted_at is None]
        if view.state in RUNNABLE
        else [],
    )


def _conditions(request: Request, made: Sequence[Decision]) -> list[Condition]:
    """What was not accepted yet, once where an officer decided on several datasets."""
    found = [Condition(each.custodian, each.conditions or "") for each in store.unaccepted(request, made)]
    return list(dict.fromkeys(found))


def _deciding(
    principal: Principal, request: Request, made: Sequence[Decision], state: RequestState
) -> frozenset[Action]:
    officer = officer_of(principal)
    allowed = decides(officer, request, made)
    if isinstance(allowed, MayNotDecide):
        return frozenset()
    stopped = store.suspended(made)
    about = {
        Action.TAKE_UP: allowed.datasets,
        Action.APPROVE: to_approve(officer, allowed.datasets, request, made),
        Action.RETURN: allowed.datasets,
        Action.REFUSE: allowed.datasets,
        Action.SUSPEND: [name for name in allowed.datasets if name not in stopped],
        Action.RESUME: [name for name in allowed.datasets if name in stopped],
        Action.REVOKE: allowed.datasets,
    }
    return frozenset(
        act
        for act, datasets in about.items()
        if datasets and request_transition(state, act, officer.role) is not None
    )


def _asking(request: Request, made: Sequence[Decision], state: RequestState) -> frozenset[Action]:
    sensible = {
        Action.SAVE: True,
        Action.SUBMIT: True,
        Action.APPEAL: all(each.outcome is not Outcome.APPEAL for each in made),
        Action.ACCEPT: bool(store.unaccepted(request, made)),
        Action.WITHDRAW: True,
    }
    return frozenset(
        act
        for act, sense in sensible.items()
        if sense and request_transition(state, act, Role.REQUESTER) is not None
    )
