"""Asking the compiler: what a query means, whether it is accepted, and why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from catalogue.models import StandingRule
from catalogue.purposes import PurposeMatch, match_purpose
from federation.audit.events import AuditAction, AuditEvent, Detail
from federation.identity.principal import Principal
from federation.identity.recorded import for_whom
from federation.service import plans
from federation.service.compiling import (
    CompilerBusy,
    CompilerFault,
    CompilerTimeout,
    Question,
)
from federation.service.errors import ServiceCode, ServiceError
from federation.service.node import Node
from federation.service.permissions import Act, require
from federation.service.views import CheckView, ExplanationView, FaultView, RuleView
from federation.state.standing import covering_rules
from policies.compiler.question import domains_in_words
from policies.context import ParameterDomain
from policies.explain import explain
from policies.plan import ClearedPlan
from policies.refusals import Refusal, RefusalError

Value = str | int | Decimal
BUSY_SECONDS = 2


@dataclass(frozen=True)
class Ask:
    """A query as somebody asks it. ``domains`` holds for each parameter the values that it may take; ``jointly_with``
    names the nodes of a joint count; ``justification`` is for whoever decides, and no part of the question."""

    sql: str
    agreement: str | None = None
    purpose: str | None = None
    domains: Mapping[str, Sequence[Value]] = field(default_factory=dict)
    jointly_with: tuple[str, ...] = ()
    justification: str = ""


def check(node: Node, principal: Principal, ask: Ask) -> CheckView:
    """Whether a query would be accepted, from metadata alone. Nothing is asked of anybody and nothing is run."""
    require(principal, Act.CHECK)
    question = question_of(node, principal.body, ask, node.clock().date())
    try:
        plan = compile_question(node, question)
    except RefusalError as error:
        faults = [fault_view(refusal) for refusal in error.refusals]
        return CheckView(False, None, faults, [], [], 0, None, str(purpose_answer(node, question)), {})
    rules = covering(node, plan, principal, question)
    elsewhere = plans.held_elsewhere(plan, node.catalogue)
    deciders = {
        dataset: f"where it is held: {elsewhere[dataset]}"
        if dataset in elsewhere
        else f"standing rule {rules[dataset].rule}"
        if dataset in rules
        else body
        for dataset, body in plans.custodians(plan, node.catalogue).items()
    }
    return CheckView(
        accepted=True,
        explanation=explanation_view(node, plan, ask),
        refusals=[],
        warnings=list(plan.warnings),
        columns=[column.name for column in plan.presentation.columns],
        cells=sum(query.size for query in plans.cell_queries(plan)),
        plan_digest=plan.digest,
        purpose=str(purpose_answer(node, question)),
        decided_by=deciders,
    )


def purpose_answer(node: Node, question: Question) -> PurposeMatch:
    """Whether the question's agreement permits its purpose; without an agreement nothing is."""
    agreement = None if question.agreement is None else node.catalogue.agreements.get(question.agreement)
    return PurposeMatch.NOT_PERMITTED if agreement is None else match_purpose(agreement, question.purpose)


def covering(
    node: Node, plan: ClearedPlan, principal: Principal, question: Question
) -> dict[str, StandingRule]:
    """The standing rules that decide on a plan, by dataset. What other nodes hold is decided on there; where the
    agreement leaves the purpose to a person, or the profile asks for several, no rule decides."""
    if purpose_answer(node, question) is not PurposeMatch.PERMITTED:
        return {}
    rules = covering_rules(
        node.catalogue.standing_rules.values(),
        requester=principal.subject,
        body=principal.body,
        dimensions=plans.dimensions(plan, node.catalogue),
        today=question.today,
    )
    elsewhere = plans.held_elsewhere(plan, node.catalogue)
    alone = {name for name, quorum in plans.quorums(plan, node.catalogue).items() if quorum.persons == 1}
    return {name: rule for name, rule in rules.items() if name in alone and name not in elsewhere}


def question_of(
    node: Node, body: str, ask: Ask, today: date, values: Mapping[str, Value] | None = None
) -> Question:
    """The question as the compiler takes it. Where no agreement is named and the body has just one, it is that;
    where no purpose is named and the agreement has just one, it is that. Anything else is for the compiler to refuse.
    Without ``values`` for the parameters, the first of each domain stands for all.
    """
    own = [a for a in node.catalogue.agreements.values() if body in a.bodies]
    agreement = ask.agreement or (own[0].agreement if len(own) == 1 else None)
    found = None if agreement is None else node.catalogue.agreements.get(agreement)
    purpose = ask.purpose or (found.purposes[0] if found is not None and len(found.purposes) == 1 else "")
    return Question(
        sql=ask.sql,
        body=body,
        agreement=agreement,
        purpose=purpose,
        today=today,
        parameters=dict(values) if values is not None else sample_values(ask.domains),
        domains={name: ParameterDomain(name, tuple(allowed)) for name, allowed in ask.domains.items()},
    )


def single_values(domains: Mapping[str, Sequence[Value]]) -> dict[str, Value]:
    """A parameter whose domain has one value has that value."""
    return {name: allowed[0] for name, allowed in domains.items() if len(allowed) == 1}


def sample_values(domains: Mapping[str, Sequence[Value]]) -> dict[str, Value]:
    """One value for each parameter. What is reviewed is the typed query and the domains, not one value's plan."""
    return {name: allowed[0] for name, allowed in domains.items()}


def compile_question(node: Node, question: Question) -> ClearedPlan:
    """Compile in the pool.

    Raises:
        RefusalError: the query is refused.
        ServiceError: COMPILER_BUSY, COMPILER_TIMEOUT or INTERNAL_ERROR.
    """
    try:
        return node.compiler.compile(question)
    except CompilerBusy:
        detail = "every compiler of the node is taken: try again shortly"
        raise ServiceError(ServiceCode.COMPILER_BUSY, detail, retry_after=BUSY_SECONDS) from None
    except CompilerTimeout:
        detail = "the query took too long to check: ask it in fewer or simpler steps"
        raise ServiceError(ServiceCode.COMPILER_TIMEOUT, detail) from None
    except CompilerFault as error:
        raise ServiceError(ServiceCode.INTERNAL_ERROR, f"the compiler failed ({error.kind})") from None


def refusal_event(node: Node, principal: Principal, refusals: Sequence[Refusal]) -> AuditEvent:
    """What the audit trail keeps of a request that was refused at the door: the codes, never the text."""
    codes = tuple(sorted({str(refusal.code) for refusal in refusals}))
    return AuditEvent(
        principal.subject,
        AuditAction.QUERY_REFUSED,
        principal.subject,
        node.clock(),
        {**for_whom(principal), Detail.CODE: codes},
    )


def in_words(node: Node, plan: ClearedPlan, ask: Ask) -> str:
    """The question with all that its parameters may be: a decision is on the whole domain, not on its first value."""
    domains = domains_in_words(ask.domains, plans.cell_queries(plan), node.catalogue)
    return f"{plan.question} {domains}".rstrip()


def explanation_view(node: Node, plan: ClearedPlan, ask: Ask) -> ExplanationView:
    """The plan in words and as SQL, as its source would be sent it."""
    explanation = explain(plan, node.render)
    return ExplanationView(
        question=in_words(node, plan, ask),
        sql_as_asked=explanation.sql_as_asked,
        source_sql=list(explanation.source_sql),
        presentation_sql=explanation.presentation_sql,
        rules=[RuleView(applied.rule, applied.effect) for applied in explanation.rules],
    )


def fault_view(refusal: Refusal) -> FaultView:
    place = refusal.position
    return FaultView(
        code=str(refusal.code),
        message=refusal.message,
        rule=refusal.rule,
        remedy=refusal.remedy,
        line=None if place is None else place.line,
        column=None if place is None else place.column,
        offset=None if place is None else place.offset,
        suggestion=refusal.suggestion,
    )
