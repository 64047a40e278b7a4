"""The statement of a release: who, about whom, when, in what context and with what authority."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import pyarrow as pa

from catalogue.catalogue import Catalogue
from federation.release.statement import (
    AgreementRef,
    Authority,
    Context,
    DecisionRef,
    DelegationRef,
    Method,
    Organisation,
    PartRef,
    Profile,
    Statement,
    Subject,
    TableRef,
    When,
    Who,
)
from federation.runs.answering import Answer
from federation.state.lifecycle import Role
from federation.state.models import Decision, DecisionKind, Request, Run
from federation.state.requests import approvals


@dataclass(frozen=True, slots=True)
class Occasion:
    """The run that a release comes from, under which request and which decisions, at which times."""

    release: str
    run: Run
    request: Request
    decisions: Sequence[Decision]
    run_at: datetime
    released_at: datetime


def statement_of(
    occasion: Occasion,
    answer: Answer,
    table: pa.Table,
    notes: tuple[str, ...],
    catalogue: Catalogue,
    node: str,
    key_epoch: int,
) -> Statement:
    """The statement about ``table``, to be signed.

    Raises:
        DigestError: a column's type cannot be part of a release.
    """
    request, plan = occasion.request, answer.plan
    documents = [catalogue.datasets[name].document for name in request.custodians]
    agreement = catalogue.agreements[request.agreement]
    periods = tuple(sorted({document.reference_period for document in documents}))
    return Statement(
        release=occasion.release,
        run=occasion.run.id,
        who=Who(
            node=node,
            publishers=tuple(_body(catalogue, name) for name in sorted({d.publisher for d in documents})),
            custodians=tuple(_body(catalogue, name) for name in sorted({d.custodian for d in documents})),
        ),
        about_whom=tuple(
            Subject(
                dataset=document.dataset,
                title=document.title,
                population=document.population,
                unit=document.unit.name,
                geography=document.geography,
                publisher=document.publisher,
                custodian=document.custodian,
                series=document.series,
                reference_period=document.reference_period,
                snapshot=_snapshot(answer, document.dataset),
                key_epoch=_key_epoch(answer, document.dataset, key_epoch),
            )
            for document in documents
        ),
        when=When(
            run_at=occasion.run_at,
            released_at=occasion.released_at,
            reference_periods=periods,
            clock=request.created_at.date(),
        ),
        context=Context(
            purpose=request.purpose,
            question=plan.question,
            sql=request.sql,
            parameters=dict(occasion.run.parameters),
            methods=tuple(Method(rule=rule.rule, effect=rule.effect) for rule in plan.rules),
            profiles=tuple(
                Profile(id=d.profile, version=catalogue.profiles[d.profile].version, dataset=d.dataset)
                for d in documents
            ),
            catalogue_version=catalogue.version,
            notes=notes,
        ),
        authority=Authority(
            request=request.id,
            requester=request.requester,
            delegation=_delegation(request.delegation),
            recipient=_body(catalogue, request.body),
            agreement=AgreementRef(
                id=agreement.agreement,
                title=agreement.title,
                version=agreement.version,
                legal_gateway=agreement.legal_gateway,
                start=agreement.start,
                end=agreement.end,
            ),
            decisions=tuple(_decision(d) for d in approvals(request, occasion.decisions)),
            plan_digest=request.plan_digest,
        ),
        parts=tuple(_parts(answer)),
        table=TableRef.of(table),
    )


def _snapshot(answer: Answer, dataset: str) -> str:
    if dataset in answer.snapshots:
        return answer.snapshots[dataset]
    asked = any(each.query.dataset == dataset for each in answer.answered)
    return "not available" if asked else "read through a joined dataset"


def _key_epoch(answer: Answer, dataset: str, own: int) -> int:
    """That of the nodes that hold it, the latest where theirs differ; their parts have each its own."""
    return max((part.key_epoch for name, part in answer.parts if name == dataset), default=own)


def _parts(answer: Answer) -> Iterator[PartRef]:
    for dataset, part in answer.parts:
        yield PartRef(
            dataset=dataset,
            node=part.node,
            release=part.release,
            statement_digest=part.statement_digest,
            table_digest=part.table_digest,
            snapshot=part.snapshot,
            key_epoch=part.key_epoch,
            decisions=part.decisions,
        )


def _body(catalogue: Catalogue, name: str) -> Organisation:
    body = catalogue.bodies.get(name)
    return Organisation(id=name, title=name if body is None else body.title)


def _decision(decision: Decision) -> DecisionRef:
    return DecisionRef(
        dataset=decision.dataset,
        custodian=decision.custodian,
        kind=decision.kind.value,
        decided_by=decision.decided_by,
        role=_capacity(decision),
        delegation=_delegation(decision.delegation),
        decided_at=decision.decided_at,
        valid_until=decision.valid_until,
    )


def _capacity(decision: Decision) -> Literal["custodian", "reviewer"] | None:
    """In what capacity a person decided; a rule, a query and other nodes are named as what they are already."""
    if decision.kind is not DecisionKind.PERSON:
        return None
    return "reviewer" if decision.role is Role.REVIEWER else "custodian"


def _delegation(kept: Mapping[str, Any] | None) -> DelegationRef | None:
    return None if kept is None else DelegationRef.model_validate(dict(kept))
