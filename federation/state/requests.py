"""Requests and decisions as they are stored, and what the decisions come to.

Who asks acts through ``federation.state.asking``, who decides through ``federation.state.deciding``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from federation.state.errors import NotFound
from federation.state.lifecycle import RequestState
from federation.state.models import Decision, DecisionKind, Outcome, Request, RequestDataset, RequestVersion


def get_request(session: Session, request_id: str) -> Request:
    """The request as stored (validity at use is ``validity.check_use``'s).

    Raises:
        NotFound: there is none of this id.
    """
    request = session.get(Request, request_id, populate_existing=True)
    if request is None:
        raise NotFound(f"there is no request {request_id}")
    return request


def list_requests(
    session: Session,
    *,
    requester: tuple[str, str] | None = None,
    reviewer: str | None = None,
    states: Collection[RequestState] = (),
    limit: int = 100,
    offset: int = 0,
) -> Sequence[Request]:
    """Requests, the newest first: of one requester for one body, on data that one body decides on, in certain stored
    states (in any, where none is named)."""
    query = select(Request).order_by(Request.created_at.desc(), Request.id).limit(limit).offset(offset)
    if requester is not None:
        query = query.where(Request.requester == requester[0], Request.body == requester[1])
    if states:
        query = query.where(Request.state.in_(states))
    if reviewer is not None:
        query = query.where(Request.datasets.any(RequestDataset.reviewers.any(body=reviewer)))
    return session.scalars(query).all()


def same_question(
    session: Session, *, body: str, agreement: str, purpose: str, sql: str
) -> Sequence[Request]:
    """Requests of a body for the very same text under the same terms, the newest first."""
    query = select(Request).where(
        Request.body == body,
        Request.agreement == agreement,
        Request.purpose == purpose,
        Request.sql == sql,
        Request.state != RequestState.DRAFT,
    )
    return session.scalars(query.order_by(Request.created_at.desc(), Request.id)).all()


def versions(session: Session, request_id: str) -> Sequence[RequestVersion]:
    """Every version of a request that was submitted, the first one first."""
    query = select(RequestVersion).where(RequestVersion.request_id == request_id)
    return session.scalars(query.order_by(RequestVersion.version)).all()


def decisions(session: Session, request_id: str) -> Sequence[Decision]:
    """All decisions on a request in the order in which they were made, on earlier versions of it too."""
    return session.scalars(
        select(Decision).where(Decision.request_id == request_id).order_by(Decision.id)
    ).all()


def approvals(request: Request, made: Sequence[Decision]) -> Sequence[Decision]:
    """The approvals among ``made`` that count: those of the version that was submitted last."""
    return [each for each in made if each.outcome is Outcome.APPROVE and each.version == request.version]


def undecided(request: Request, made: Sequence[Decision]) -> frozenset[str]:
    """The datasets of a request that need more approvals than those among ``made``."""
    given = approvals(request, made)
    elsewhere = {each.dataset for each in given if each.kind is DecisionKind.HOLDER}
    return frozenset(
        dataset
        for dataset, quorum in request.quorums.items()
        if dataset not in elsewhere
        and not quorum.reached((each.custodian, each.decided_by) for each in given if each.dataset == dataset)
    )


def unaccepted(request: Request, made: Sequence[Decision]) -> Sequence[Decision]:
    """The approvals whose conditions the requester has not accepted yet."""
    accepted = {
        each.dataset for each in made if each.outcome is Outcome.ACCEPT and each.version == request.version
    }
    return [each for each in approvals(request, made) if each.conditions and each.dataset not in accepted]


def suspended(made: Sequence[Decision]) -> frozenset[str]:
    """The datasets whose use is suspended by ``made``."""
    last = {each.dataset: each.outcome for each in made if each.outcome in (Outcome.SUSPEND, Outcome.RESUME)}
    return frozenset(dataset for dataset, outcome in last.items() if outcome is Outcome.SUSPEND)


def maximum_runs(request: Request, made: Sequence[Decision]) -> int | None:
    """How many releases the approvals among ``made`` are good for together; None: no limit."""
    limits = [each.maximum_runs for each in approvals(request, made) if each.maximum_runs is not None]
    return min(limits, default=None)
