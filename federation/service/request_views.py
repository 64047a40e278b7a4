"""A request and its decisions as people and programs see them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from catalogue.purposes import PurposeMatch, match_purpose
from federation.service.hubs import hub_of
from federation.service.node import Node
from federation.service.use import use_of, waiting_for
from federation.service.views import (
    ConditionView,
    DecisionView,
    DelegationView,
    NodeConditionsView,
    RequestView,
    VersionView,
)
from federation.state import conditions, releases
from federation.state import requests as store
from federation.state.conditions import Known
from federation.state.lifecycle import UNDECIDED, lapses
from federation.state.models import Decision, Request


def request_view(node: Node, session: Session, request: Request, now: datetime) -> RequestView:
    """The request as it stands at ``now``."""
    decisions = store.decisions(session, request.id)
    released = releases.count_releases(session, request.id)
    use = use_of(node.catalogue, request, decisions, request.plan_digest, released, now)
    limit = store.maximum_runs(request, decisions)
    return RequestView(
        request=request.id,
        state=use.state,
        usable=use.usable,
        reason=use.reason,
        valid_until=use.until,
        requester=request.requester,
        body=request.body,
        delegation=_delegation(request.delegation),
        hub=hub_of(request, node.settings.federation.peers),
        agreement=request.agreement,
        purpose=request.purpose,
        purpose_answer=str(_purpose(node, request)),
        justification=request.justification,
        sql=request.sql,
        question=request.question,
        plan_digest=request.plan_digest,
        datasets=request.custodians,
        parameters=dict(request.parameter_domain),
        jointly_with=list(request.jointly_with),
        version=request.version,
        supersedes=request.supersedes,
        waiting_for=waiting_for(request, decisions) if use.state in UNDECIDED else [],
        lapses_at=request.lapses_at if lapses(use.state) else None,
        runs_left=None if limit is None else max(0, limit - released),
        decisions=[_decision_view(decision) for decision in decisions],
        node_conditions=[_conditions_view(each) for each in conditions.listing(session, request.id)],
        created_at=request.created_at,
    )


def version_views(session: Session, request: Request) -> list[VersionView]:
    """Every version that was submitted, the first one first."""
    return [
        VersionView(
            version=each.version,
            agreement=each.agreement,
            purpose=each.purpose,
            justification=each.justification,
            sql=each.sql,
            question=each.question,
            parameters=dict(each.parameter_domain),
            plan_digest=each.plan_digest,
            submitted_at=each.submitted_at,
        )
        for each in store.versions(session, request.id)
    ]


def _purpose(node: Node, request: Request) -> PurposeMatch:
    agreement = node.catalogue.agreements.get(request.agreement)
    return PurposeMatch.NOT_PERMITTED if agreement is None else match_purpose(agreement, request.purpose)


def _decision_view(decision: Decision) -> DecisionView:
    return DecisionView(
        dataset=decision.dataset,
        custodian=decision.custodian,
        outcome=str(decision.outcome),
        kind=str(decision.kind),
        role=str(decision.role),
        decided_by=decision.decided_by,
        delegation=_delegation(decision.delegation),
        reason=decision.reason,
        code=None if decision.code is None else str(decision.code),
        conditions=decision.conditions,
        maximum_runs=decision.maximum_runs,
        version=decision.version,
        decided_at=decision.decided_at,
        valid_until=decision.valid_until,
    )


def _conditions_view(known: Known) -> NodeConditionsView:
    learned, accepted = known.learned, known.accepted
    return NodeConditionsView(
        node=learned.node,
        request=learned.reference,
        conditions=[ConditionView(**each) for each in learned.conditions],
        digest=learned.digest,
        learned_at=learned.learned_at,
        accepted_by=None if accepted is None else accepted.accepted_by,
        accepted_at=None if accepted is None else accepted.accepted_at,
    )


def _delegation(kept: Mapping[str, Any] | None) -> DelegationView | None:
    if kept is None:
        return None
    return DelegationView(
        kept["delegation"], kept["body"], kept["instrument"], date.fromisoformat(kept["until"])
    )
