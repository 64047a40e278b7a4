"""Whether a request may be used now: computed from agreement, decisions and plan whenever it is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from catalogue.catalogue import Catalogue
from federation.service.questions import Ask
from federation.state.lifecycle import RequestState
from federation.state.models import Decision, DecisionKind, Outcome, Request
from federation.state.validity import Bound, Ground, Unusable, Usable, check_use, day_bound

_REASONS = {
    RequestState.SUBMITTED: "it awaits the decision of: {waiting}",
    RequestState.REFUSED: "it was refused",
    RequestState.REVOKED: "its approval was revoked",
    RequestState.EXPIRED: "its approval has expired",
    RequestState.SUPERSEDED: "what would run is no longer what was approved: ask again",
    RequestState.APPROVED: "its approval is not in force yet",
}


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
    catalogue: Catalogue, request: Request, decisions: Sequence[Decision], plan_digest: str, now: datetime
) -> Use:
    """The validity of ``request`` at ``now``. ``plan_digest`` is that of the plan as it compiles now."""
    outcome = check_use(
        request.state,
        approved_digest=request.plan_digest,
        plan_digest=plan_digest,
        bounds=_bounds(catalogue, request, decisions),
        now=now,
    )
    match outcome:
        case Usable(until=until):
            return Use(request.state, "", until)
        case Unusable(state=state, bound=bound):
            decided = {decision.dataset for decision in decisions}
            waiting = sorted({body for name, body in request.custodians.items() if name not in decided})
            reason = _REASONS[state].format(waiting=", ".join(waiting))
            return Use(state, reason if bound is None else f"{reason} ({bound.name})", None)


def ask_of(request: Request) -> Ask:
    """The question as it was submitted."""
    return Ask(request.sql, request.agreement, request.purpose, request.parameter_domain)


def _bounds(catalogue: Catalogue, request: Request, decisions: Sequence[Decision]) -> list[Bound]:
    """An agreement or a standing rule that is no longer in the catalogue holds nothing up: it is over."""
    over = Bound(Ground.AGREEMENT, request.agreement, until=request.created_at)
    agreement = catalogue.agreements.get(request.agreement)
    bounds = [
        over
        if agreement is None
        else day_bound(Ground.AGREEMENT, agreement.agreement, agreement.start, agreement.end)
    ]
    for decision in decisions:
        if decision.outcome is not Outcome.APPROVE:
            continue
        by_rule = decision.kind is DecisionKind.STANDING_RULE
        ground = Ground.STANDING_RULE if by_rule else Ground.APPROVAL
        gone = by_rule and decision.decided_by not in catalogue.standing_rules
        until = decision.decided_at if gone else decision.valid_until
        bounds.append(Bound(ground, decision.decided_by, until=until))
    return bounds
