"""Whether a request may be used now: computed from agreement, decisions and plan whenever it is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from catalogue.catalogue import Catalogue
from catalogue.standard import domains_of
from federation.identity.recorded import delegated
from federation.service import plans
from federation.service.node import Node
from federation.service.questions import Ask
from federation.state.lifecycle import RequestState
from federation.state.models import Decision, DecisionKind, Request
from federation.state.request_steps import state_now
from federation.state.requests import approvals, maximum_runs, unaccepted, undecided
from federation.state.standing import covering_rules
from federation.state.validity import Bound, Ground, Unusable, Usable, check_use, day_bound
from policies.plan import ClearedPlan

_REASONS = {
    RequestState.DRAFT: "it is a draft: submit it",
    RequestState.SUBMITTED: "it awaits the decision of: {waiting}",
    RequestState.UNDER_REVIEW: "it awaits the decision of: {waiting}",
    RequestState.RETURNED: "it was returned with comments: change it and submit it again",
    RequestState.APPROVED: "its conditions await acceptance by who asked",
    RequestState.ACTIVE: "its conditions await acceptance by who asked",
    RequestState.SUSPENDED: "its use is suspended for now",
    RequestState.REFUSED: "it was refused",
    RequestState.WITHDRAWN: "it was withdrawn",
    RequestState.LAPSED: "it lapsed, as nobody acted on it in time: ask again",
    RequestState.REVOKED: "its approval was revoked",
    RequestState.EXPIRED: "its approval has expired",
    RequestState.EXHAUSTED: "it was run as often as was approved",
    RequestState.SUPERSEDED: "what would run is no longer what was approved: ask again",
}
_NOT_YET = "its approval is not in force yet"


@dataclass(frozen=True, slots=True)
class Use:
    """``state`` is what holds at this moment; ``reason`` says why it can't be used, and is empty where it can."""

    state: RequestState
    reason: str
    until: datetime | None

    @property
    def usable(self) -> bool:
        return not self.reason


def use_of(
    catalogue: Catalogue,
    request: Request,
    decisions: Sequence[Decision],
    plan_digest: str,
    releases: int,
    now: datetime,
) -> Use:
    """The validity of ``request`` at ``now``. ``plan_digest`` is that of the plan as it compiles now, ``releases``
    the number that the request has had."""
    outcome = check_use(
        state_now(request, now),
        approved_digest=request.plan_digest,
        plan_digest=plan_digest,
        bounds=_bounds(catalogue, request, decisions),
        accepted=not unaccepted(request, decisions),
        releases=releases,
        maximum_runs=maximum_runs(request, decisions),
        now=now,
    )
    match outcome:
        case Usable(until=until):
            return Use(request.state, "", until)
        case Unusable(state=state, bound=bound):
            if bound is not None:
                reason = _REASONS[state] if state is RequestState.EXPIRED else _NOT_YET
                return Use(state, f"{reason} ({bound.name})", None)
            return Use(
                state, _REASONS[state].format(waiting=", ".join(waiting_for(request, decisions))), None
            )


def waiting_for(request: Request, decisions: Sequence[Decision]) -> list[str]:
    """The bodies that can still decide on a request: where several have to, those that have not."""
    given = {(each.dataset, each.custodian) for each in approvals(request, decisions)}
    missing = undecided(request, decisions)
    bodies = {(name, body) for name in missing for body in request.quorums[name].bodies}
    return sorted({body for _, body in bodies - given} or {body for _, body in bodies})


def beyond_decisions(
    node: Node, request: Request, decisions: Sequence[Decision], plan: ClearedPlan
) -> tuple[str, ...]:
    """The datasets of ``plan`` on which nobody decided that they may be read so.

    With parameters only the plan of one value was there when the request was decided on. Another value may make a
    condition bite that was trivially true, and so read a dimension that no standing rule allows, or another dataset.
    A rule that was narrowed since then covers no more than it says now.
    """
    covered = covering_rules(
        node.catalogue.standing_rules.values(),
        requester=request.requester,
        body=request.body,
        dimensions=plans.dimensions(plan, node.catalogue),
        today=node.clock().date(),
    )
    rule = DecisionKind.STANDING_RULE
    decided = {each.dataset for each in approvals(request, decisions) if each.kind is not rule}
    touched = plans.custodians(plan, node.catalogue)
    return tuple(sorted(touched.keys() - (covered.keys() & request.custodians.keys()) - decided))


def ask_of(request: Request) -> Ask:
    """The question as it was submitted."""
    joint = tuple(request.jointly_with)
    terms = (request.agreement, request.purpose)
    return Ask(request.sql, *terms, request.parameter_domain, joint, request.justification)


def _bounds(catalogue: Catalogue, request: Request, decisions: Sequence[Decision]) -> list[Bound]:
    """An agreement, a standing rule or a standard query that is no longer in the catalogue holds nothing up."""
    over = Bound(Ground.AGREEMENT, request.agreement, until=request.created_at)
    agreement = catalogue.agreements.get(request.agreement)
    bounds = [
        over
        if agreement is None
        else day_bound(Ground.AGREEMENT, agreement.agreement, agreement.start, agreement.end)
    ]
    delegation = delegated(request.delegation)
    if delegation is not None:
        bounds.append(day_bound(Ground.DELEGATION, delegation.delegation, None, delegation.until))
    for decision in approvals(request, decisions):
        ground, gone = _ground(catalogue, request, decision)
        until = decision.decided_at if gone else decision.valid_until
        bounds.append(Bound(ground, decision.decided_by, until=until))
        if ground is Ground.STANDARD_QUERY and not gone:  # which may have been shortened since
            last = catalogue.standard_queries[decision.decided_by].until
            bounds.append(day_bound(ground, decision.decided_by, None, last))
    return bounds


def _ground(catalogue: Catalogue, request: Request, decision: Decision) -> tuple[Ground, bool]:
    """What an approval rests on, and whether that is gone from the catalogue, or says something else now."""
    match decision.kind:
        case DecisionKind.STANDING_RULE:
            return Ground.STANDING_RULE, decision.decided_by not in catalogue.standing_rules
        case DecisionKind.STANDARD_QUERY:
            query = catalogue.standard_queries.get(decision.decided_by)
            asked = {name: tuple(values) for name, values in request.parameter_domain.items()}
            same = query is not None and (query.sql, domains_of(query, catalogue)) == (request.sql, asked)
            permitted = query is not None and (not query.bodies or request.body in query.bodies)
            return Ground.STANDARD_QUERY, not (same and permitted)
        case _:
            return Ground.APPROVAL, False
