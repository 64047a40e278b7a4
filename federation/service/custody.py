"""What a custodian looks at: what waits for a decision, what there is to decide by, what has been released."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from federation.identity.principal import Principal
from federation.runs.ledger import partition_charge
from federation.service import dry_runs, offers, plans, requests
from federation.service.dry_runs import DryRunView
from federation.service.errors import ServiceCode, ServiceError
from federation.service.node import Node
from federation.service.overlaps import Overlap, overlaps
from federation.service.permissions import Act, permitted, require
from federation.service.questions import compile_question, question_of
from federation.service.request_views import request_view
from federation.service.use import ask_of
from federation.service.views import RequestView
from federation.state import published
from federation.state import requests as store
from federation.state.lifecycle import UNDECIDED
from federation.state.published import Released
from federation.state.releases import partitions_spent
from policies.plan import ClearedPlan
from policies.refusals import RefusalError

AT_A_TIME = 200
COMPARED = 1000
"""How many of the cell queries that were released last a question is held against."""
EARLIER_RELEASES = 20
SIMILAR_DECISIONS = 10
DATASET_RELEASES = 200


@dataclass(frozen=True, slots=True)
class PartitionsView:
    """How often a population has been divided, of how often its profile allows (None: without end)."""

    dataset: str
    reference_period: str
    spent: int
    charge: int
    maximum: int | None


@dataclass(frozen=True, slots=True)
class SimilarDecision:
    """An earlier decision on the same data. ``same_body`` where the same body asked."""

    request: str
    body: str
    question: str
    purpose: str
    outcome: str
    decided_by: str
    reason: str
    decided_at: datetime
    same_body: bool


@dataclass(frozen=True, slots=True)
class EvidenceView:
    """What there is to decide by: from the plan, the ledger and earlier decisions; and from dry runs, if there were any
    of what the reader decides on. ``may_dry_run`` says whether the reader may do one now."""

    cells: int
    dimensions: list[str]
    partitions: list[PartitionsView]
    overlaps: list[Overlap]
    similar: list[SimilarDecision]
    record: dict[str, int]
    dry_runs: list[DryRunView]
    may_dry_run: bool


@dataclass(frozen=True, slots=True)
class DatasetReleases:
    """All that was released about a dataset; ``partitions`` as of now."""

    dataset: str
    released: list[Released]
    partitions: PartitionsView


def inbox(node: Node, principal: Principal) -> list[RequestView]:
    """The requests that wait for the principal to decide, the one that has waited longest first.

    Raises:
        ServiceError: NOT_PERMITTED, for whoever neither decides nor reviews.
    """
    if not permitted(principal, Act.REVIEW):
        require(principal, Act.DECIDE)
    now = node.clock()
    found: list[RequestView] = []
    with node.database.read() as session:
        offset = 0
        while True:
            rows = store.list_requests(
                session, reviewer=principal.body, states=UNDECIDED, limit=AT_A_TIME, offset=offset
            )
            views = [(row, request_view(node, session, row, now)) for row in rows]
            found += [view for row, view in views if offers.of(session, principal, row, view).awaits]
            if len(rows) < AT_A_TIME:
                return sorted(found, key=lambda view: (view.created_at, view.request))
            offset += AT_A_TIME


def evidence(node: Node, principal: Principal, request_id: str) -> EvidenceView:
    """What there is to decide by. No source is asked: what is known of the data was kept when it was looked at.

    Raises:
        ServiceError: NOT_PERMITTED, NOT_FOUND.
    """
    audits = permitted(principal, Act.SEE_ALL)
    if not audits:
        require(principal, Act.SEE_CUSTODY)
    view = requests.get(node, principal, request_id)
    with node.database.read() as session:
        request = store.get_request(session, request_id)
        quorums = request.quorums.items()
        own = [name for name, quorum in quorums if audits or principal.body in quorum.bodies]
        similar = [
            SimilarDecision(
                request=other.id,
                body=other.body,
                question=other.question,
                purpose=other.purpose,
                outcome=str(decision.outcome),
                decided_by=decision.decided_by,
                reason=decision.reason,
                decided_at=decision.decided_at,
                same_body=other.body == request.body,
            )
            for decision, other in published.decided_by_people(
                session, principal.body, own, SIMILAR_DECISIONS + 1
            )
            if other.id != request_id
        ]
        record = published.counts_of_requester(session, request.requester, principal.body)
        looked = dry_runs.listing(session, principal, request)
    plan = _plan(node, view, request_id)
    if plan is None:
        return EvidenceView(0, [], [], [], similar, record, looked, may_dry_run=False)
    used = plans.dimensions(plan, node.catalogue)
    with node.database.read() as session:
        possible = dry_runs.possible(node, session, principal, store.get_request(session, request_id), plan)
    return EvidenceView(
        cells=sum(query.size for query in plans.cell_queries(plan)),
        dimensions=sorted({name for names in used.values() for name in names}),
        partitions=[_partitions(node, name, _charge(plan, name)) for name in own],
        overlaps=[overlap for name in own for overlap in _overlaps(node, name, plan)],
        similar=similar[:SIMILAR_DECISIONS],
        record=record,
        dry_runs=looked,
        may_dry_run=possible,
    )


def released(node: Node, principal: Principal, dataset: str) -> DatasetReleases:
    """What has been released about a dataset, for its custodian and for auditors.

    Raises:
        ServiceError: NOT_FOUND, for a dataset that is not the reader's to account for, too.
    """
    bound = node.catalogue.datasets.get(dataset)
    keeps = permitted(principal, Act.SEE_CUSTODY) and bound and bound.document.custodian == principal.body
    if bound is None or not (keeps or permitted(principal, Act.SEE_ALL)):
        raise ServiceError(ServiceCode.NOT_FOUND, "there is no such dataset in your keeping")
    with node.database.read() as session:
        found = published.of_dataset(session, dataset, DATASET_RELEASES)
    return DatasetReleases(dataset, found, _partitions(node, dataset, 0))


def _plan(node: Node, view: RequestView, request_id: str) -> ClearedPlan | None:
    """The plan as it compiles today; None for a question that is refused today."""
    with node.database.read() as session:
        ask = ask_of(store.get_request(session, request_id))
    try:
        return compile_question(node, question_of(node, view.body, ask, view.created_at.date()))
    except RefusalError:
        return None


def _charge(plan: ClearedPlan, dataset: str) -> int:
    """What the ledger will charge, unless the same was released before."""
    return sum(partition_charge(query) for query in plans.cell_queries(plan) if query.dataset == dataset)


def _partitions(node: Node, dataset: str, charge: int) -> PartitionsView:
    document = node.catalogue.datasets[dataset].document
    with node.database.read() as session:
        spent = partitions_spent(session, document.series, document.reference_period, node.key_epoch)
    profile = node.catalogue.profiles[document.profile]
    return PartitionsView(
        dataset, document.reference_period, spent, charge, profile.limits.maximum_partitions
    )


def _overlaps(node: Node, dataset: str, plan: ClearedPlan) -> list[Overlap]:
    document = node.catalogue.datasets[dataset].document
    queries = [query for query in plans.cell_queries(plan) if query.dataset == dataset]
    with node.database.read() as session:
        earlier = published.of_population(session, document.series, document.reference_period, COMPARED)
    return overlaps(queries, earlier)[:EARLIER_RELEASES]
