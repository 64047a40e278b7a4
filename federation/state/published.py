"""What a node has released, looked at from the dataset and from outside. Reads alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from federation.state.models import (
    Decision,
    DecisionKind,
    LedgerEntry,
    Outcome,
    Release,
    Request,
    RequestDataset,
)


@dataclass(frozen=True, slots=True)
class Released:
    """One cell query that was released: what of which population became known to whom, and when."""

    release: str
    request: str
    recipient: str
    question: str
    series: str
    reference_period: str
    dimensions: tuple[str, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Registered:
    """A request under which something was released: ``releases`` of them, the last at ``last``."""

    request: Request
    releases: int
    last: datetime


def of_population(
    session: Session, series: str, reference_period: str, limit: int
) -> list[tuple[LedgerEntry, Released]]:
    """What was released of one series and reference period, to anyone, the newest first, with what was asked."""
    return _released(
        session, limit, LedgerEntry.series == series, LedgerEntry.reference_period == reference_period
    )


def of_dataset(session: Session, dataset: str, limit: int) -> list[Released]:
    """What was released of one dataset, to anyone, the newest first."""
    return [released for _, released in _released(session, limit, LedgerEntry.dataset == dataset)]


def _released(
    session: Session, limit: int, *conditions: ColumnElement[bool]
) -> list[tuple[LedgerEntry, Released]]:
    query = (
        select(LedgerEntry, Release.request_id, Request.question)
        .join(Release, LedgerEntry.release_id == Release.id)
        .join(Request, Release.request_id == Request.id)
        .where(*conditions)
        .order_by(LedgerEntry.id.desc())
        .limit(limit)
    )
    return [
        (
            entry,
            Released(
                release=entry.release_id,
                request=request,
                recipient=entry.recipient,
                question=question,
                series=entry.series,
                reference_period=entry.reference_period,
                dimensions=tuple(sorted({*entry.dimensions, *entry.box})),
                created_at=entry.created_at,
            ),
        )
        for entry, request, question in session.execute(query)
    ]


@dataclass(frozen=True, slots=True)
class Word:
    """A word that is sought: in a question or a purpose, or in the titles of these bodies, agreements or datasets."""

    text: str
    bodies: frozenset[str]
    agreements: frozenset[str]
    datasets: frozenset[str]

    @property
    def found(self) -> ColumnElement[bool]:
        return or_(
            Request.question.icontains(self.text, autoescape=True),
            Request.purpose.icontains(self.text, autoescape=True),
            Request.body.in_(self.bodies),
            Request.agreement.in_(self.agreements),
            Request.datasets.any(RequestDataset.dataset.in_(self.datasets)),
            Request.datasets.any(RequestDataset.custodian.in_(self.bodies)),
        )


def with_releases(
    session: Session,
    agreements: Sequence[str],
    limit: int,
    offset: int,
    *,
    words: Sequence[Word] = (),
    body: str = "",
    dataset: str = "",
) -> list[Registered]:
    """The requests under ``agreements`` that something was released under, the latest first: those that have every
    word, of one body and on one dataset where these are named."""
    wanted = [Request.agreement.in_(agreements), *(word.found for word in words)]
    if body:
        wanted.append(Request.body == body)
    if dataset:
        wanted.append(Request.datasets.any(RequestDataset.dataset == dataset))
    last = func.max(Release.created_at)
    query = (
        select(Request, func.count(Release.id), last)
        .join(Release, Release.request_id == Request.id)
        .where(*wanted)
        .group_by(Request.id)
        .order_by(last.desc(), Request.id)
        .limit(limit)
        .offset(offset)
    )
    return [Registered(request, count, latest) for request, count, latest in session.execute(query)]


def registered(session: Session, agreements: Sequence[str]) -> tuple[list[str], list[str]]:
    """The bodies that something was released to under ``agreements``, and the datasets that it was about."""
    released = select(Release.request_id).join(Request, Release.request_id == Request.id)
    requests = released.where(Request.agreement.in_(agreements))
    bodies = select(Request.body).where(Request.id.in_(requests)).distinct()
    datasets = select(RequestDataset.dataset).where(RequestDataset.request_id.in_(requests)).distinct()
    return list(session.scalars(bodies)), list(session.scalars(datasets))


def decided_by_people(
    session: Session, custodian: str, datasets: Sequence[str], limit: int
) -> list[tuple[Decision, Request]]:
    """Approvals and refusals of people of one custodian on requests that touch ``datasets``, the newest first."""
    query = (
        select(Decision, Request)
        .join(Request, Decision.request_id == Request.id)
        .where(
            Decision.custodian == custodian,
            Decision.kind == DecisionKind.PERSON,
            Decision.dataset.in_(datasets),
            Decision.outcome.in_([Outcome.APPROVE, Outcome.REFUSE]),
        )
        .order_by(Decision.id.desc())
        .limit(limit)
    )
    return [(decision, request) for decision, request in session.execute(query)]


def counts_of_requester(session: Session, requester: str, reviewer: str) -> dict[str, int]:
    """How many requests of one person that a body decides on are in each stored state."""
    query = (
        select(Request.state, func.count())
        .where(
            Request.requester == requester, Request.datasets.any(RequestDataset.reviewers.any(body=reviewer))
        )
        .group_by(Request.state)
    )
    return {str(state): count for state, count in session.execute(query)}
