"""Requests and decisions against a real database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from catalogue.models import StandingRule
from federation.audit.chain import events, verify_chain
from federation.audit.events import AuditAction, AuditEvent
from federation.state import asking, deciding, requests, runs
from federation.state.authority import Officer
from federation.state.database import Database
from federation.state.deciding import Verdict
from federation.state.errors import (
    DecisionNotAllowed,
    NotFound,
    PlanChanged,
    StateError,
    TransitionNotAllowed,
)
from federation.state.lifecycle import OPEN, RequestState, Role
from federation.state.models import DecisionKind, RefusalReason, Request
from federation.state.quorum import Quorum
from federation.state.request_steps import state_now
from tests.support.state import ANN, NOW, OLU, PLAN, approve, event, new_request, queued, submitted

BOTH = {"learners": Quorum("dfe"), "pay": Quorum("ons")}


def test_an_approval_binds_plan_person_reason_and_end(database: Database) -> None:
    with database.write() as session:
        request = submitted(session)
        verdict = Verdict(ANN, "within the agreement", PLAN, NOW + timedelta(days=30))
        happening = event(AuditAction.REQUEST_APPROVED, request.id, "ann")
        deciding.approve(session, request.id, verdict, NOW, happening)
    with database.read() as session:
        assert requests.get_request(session, request.id).state is RequestState.APPROVED
        (decision,) = requests.decisions(session, request.id)
        assert (decision.decided_by, decision.reason, decision.plan_digest) == ("ann", verdict.reason, PLAN)
        assert (decision.role, decision.kind, decision.custodian) == (
            Role.CUSTODIAN,
            DecisionKind.PERSON,
            "dfe",
        )
        assert decision.valid_until == NOW + timedelta(days=30)
        assert [happened.action for happened in events(session, subject=request.id)] == [
            AuditAction.REQUEST_SUBMITTED,
            AuditAction.REQUEST_APPROVED,
        ]
        assert verify_chain(session).whole


def test_every_custodian_decides_for_its_own_data(database: Database) -> None:
    with database.write() as session:
        request = submitted(session, quorums=BOTH)
        assert approve(session, request.id, ANN).state is RequestState.UNDER_REVIEW
        assert requests.undecided(request, requests.decisions(session, request.id)) == {"pay"}
        assert approve(session, request.id, OLU).state is RequestState.APPROVED
        assert requests.undecided(request, requests.decisions(session, request.id)) == frozenset()


def test_one_custodian_refuses_for_all(database: Database) -> None:
    with database.write() as session:
        request = submitted(session, quorums=BOTH)
        approve(session, request.id, ANN)
        happening = event(AuditAction.REQUEST_REFUSED, request.id)
        refused = deciding.refuse(session, request.id, Verdict(OLU, "too detailed", PLAN), NOW, happening)
        assert refused.state is RequestState.REFUSED
        with pytest.raises(TransitionNotAllowed):
            approve(session, request.id, OLU)


def test_a_revoked_request_stays_revoked(database: Database) -> None:
    with database.write() as session:
        request = approve(session, submitted(session).id)
        happening = event(AuditAction.REQUEST_REVOKED, request.id)
        deciding.revoke(session, request.id, Verdict(ANN, "the purpose changed", PLAN), NOW, happening)
        assert request.state is RequestState.REVOKED
    with pytest.raises(TransitionNotAllowed), database.write() as session:
        approve(session, request.id)


@pytest.mark.parametrize(
    ("changes", "verdict", "error"),
    [
        ({"requester": "ann"}, Verdict(ANN, "", PLAN), DecisionNotAllowed),
        ({}, Verdict(OLU, "", PLAN), DecisionNotAllowed),
        ({}, Verdict(ANN, "", "sha256:" + "9" * 64), PlanChanged),
    ],
)
def test_what_may_not_be_decided_leaves_no_trace(
    database: Database, changes: dict[str, str], verdict: Verdict, error: type[StateError]
) -> None:
    with database.write() as session:
        request = submitted(session, **changes)
    happening = event(AuditAction.REQUEST_APPROVED, request.id)
    with pytest.raises(error), database.write() as session:
        deciding.approve(session, request.id, verdict, NOW, happening)
    with database.read() as session:
        assert requests.get_request(session, request.id).state is RequestState.SUBMITTED
        assert requests.decisions(session, request.id) == []
        assert len(list(events(session))) == 1


def test_approving_twice_is_refused(database: Database) -> None:
    with database.write() as session:
        request = submitted(session, quorums=BOTH)
        approve(session, request.id, ANN)
    with pytest.raises(TransitionNotAllowed, match="already decided"), database.write() as session:
        approve(session, request.id, ANN)


def standing(**changes: object) -> StandingRule:
    fields: dict[str, object] = {
        "rule": "areas",
        "title": "Counts by area",
        "body": "gmca",
        "dataset": "learners",
        "dimensions": ("area",),
        "decided_by": "ann",
        "decided_on": date(2025, 12, 1),
        "until": date(2026, 3, 31),
    }
    return StandingRule.model_validate(fields | changes)


def test_a_standing_rule_is_named_as_what_decided(database: Database) -> None:
    with database.write() as session:
        request = submitted(session, quorums=BOTH)
        happening = event(AuditAction.REQUEST_APPROVED, request.id)
        deciding.approve_by_rules(session, request.id, {"learners": standing()}, NOW, happening)
        assert request.state is RequestState.SUBMITTED
        assert approve(session, request.id, OLU).state is RequestState.APPROVED
        by_rule, by_person = requests.decisions(session, request.id)
        assert (by_rule.kind, by_rule.decided_by, by_rule.role) == (
            "standing_rule",
            "areas",
            Role.STANDING_RULE,
        )
        assert by_rule.valid_until is not None
        assert by_rule.valid_until.date() == date(2026, 4, 1)
        assert (by_person.kind, by_person.decided_by) == ("person", "olu")


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"learners": standing(dataset="pay")},
        {"learners": standing(body="wmca")},
        {"learners": standing(decided_by="bob")},
        {"vacancies": standing(dataset="vacancies")},
    ],
)
def test_a_rule_about_something_else_does_not_decide(
    database: Database, rules: dict[str, StandingRule]
) -> None:
    with database.write() as session:
        request = submitted(session)
    happening = event(AuditAction.REQUEST_APPROVED, request.id)
    with pytest.raises(DecisionNotAllowed), database.write() as session:
        deciding.approve_by_rules(session, request.id, rules, NOW, happening)


def test_another_plan_supersedes(database: Database) -> None:
    with database.write() as session:
        request = approve(session, submitted(session).id)
        deciding.supersede(session, request.id, event(AuditAction.REQUEST_SUPERSEDED, request.id))
        assert request.state is RequestState.SUPERSEDED


def test_lists_are_by_requester_custodian_and_state(database: Database) -> None:
    with database.write() as session:
        one = submitted(session)
        two = submitted(session, requester="eve", quorums=BOTH)
        approve(session, one.id)
    with database.read() as session:

        def ids(**filters: object) -> set[str]:
            return {request.id for request in requests.list_requests(session, **filters)}  # type: ignore[arg-type]

        assert ids() == ids(reviewer="dfe") == {one.id, two.id}
        assert (
            ids(requester=("eve", "gmca"))
            == ids(reviewer="ons")
            == ids(states=[RequestState.SUBMITTED])
            == {two.id}
        )
        assert ids(requester=("eve", "gmca"), states=[RequestState.APPROVED]) == set()
        assert ids(requester=("eve", "dfe")) == set()


def test_what_is_unknown_is_not_found(database: Database) -> None:
    with database.read() as session, pytest.raises(NotFound):
        requests.get_request(session, "req_0")


def test_an_event_about_something_else_is_a_mistake(database: Database) -> None:
    new = new_request()
    for wrong in (
        event(AuditAction.REQUEST_APPROVED, new.id),
        event(AuditAction.REQUEST_SUBMITTED, "req_other"),
    ):
        with pytest.raises(ValueError, match="does not record"), database.write() as session:
            asking.submit(session, new, NOW, wrong)
    with database.read() as session:
        assert list(events(session)) == []


LATER = NOW + timedelta(days=90)
TOGETHER = {"learners": Quorum("dfe", frozenset({"ons"}), persons=2, organisations=2)}
ABE = Officer("abe", "dfe", is_custodian=True)
Step = Callable[[Session, str, Verdict, datetime, AuditEvent], Request]
RECORDED: dict[Step, AuditAction] = {
    deciding.approve: AuditAction.REQUEST_APPROVED,
    deciding.refuse: AuditAction.REQUEST_REFUSED,
    deciding.suspend: AuditAction.REQUEST_SUSPENDED,
    deciding.resume: AuditAction.REQUEST_RESUMED,
    deciding.revoke: AuditAction.REQUEST_REVOKED,
}


def decide(session: Session, step: Step, request_id: str, officer: Officer = ANN, **ruling: Any) -> Request:
    verdict = Verdict(officer, "because", PLAN, **ruling)
    return step(session, request_id, verdict, NOW, event(RECORDED[step], request_id, officer.subject))


def refused(session: Session, **changes: object) -> Request:
    request = submitted(session, **changes)
    return decide(session, deciding.refuse, request.id, code=RefusalReason.DISCLOSURE_RISK)


def sent_back(session: Session, request_id: str, officer: Officer = ANN, until: datetime = LATER) -> Request:
    verdict = Verdict(officer, "which year?", PLAN)
    happening = event(AuditAction.REQUEST_RETURNED, request_id)
    return deciding.send_back(session, request_id, verdict, until, NOW, happening)


def resubmitted(session: Session, request_id: str, **changes: object) -> Request:
    new = new_request(id=request_id, **changes)
    return asking.submit(session, new, NOW, event(AuditAction.REQUEST_SUBMITTED, request_id))


def appealed(session: Session, request_id: str, who: str = "bob") -> Request:
    happening = event(AuditAction.REQUEST_APPEALED, request_id)
    return asking.appeal(session, request_id, who, "it is by region", LATER, NOW, happening)


def accepted(session: Session, request_id: str, who: str = "bob") -> Request:
    return asking.accept(session, request_id, who, NOW, event(AuditAction.REQUEST_ACCEPTED, request_id))


def test_where_the_profile_asks_two_organisations_decide(database: Database) -> None:
    with database.write() as session:
        request = submitted(session, quorums=TOGETHER)
        assert approve(session, request.id, ANN).state is RequestState.UNDER_REVIEW
        assert approve(session, request.id, ABE).state is RequestState.UNDER_REVIEW
        assert approve(session, request.id, OLU).state is RequestState.APPROVED
        assert [each.custodian for each in requests.decisions(session, request.id)] == ["dfe", "dfe", "ons"]


def test_nobody_is_two_of_a_quorum_and_nothing_of_it_is_decided_in_advance(database: Database) -> None:
    with database.write() as session:
        request = submitted(session, quorums=TOGETHER)
        approve(session, request.id, ANN)
    with pytest.raises(TransitionNotAllowed), database.write() as session:
        approve(session, request.id, ANN)
    happening = event(AuditAction.REQUEST_APPROVED, request.id)
    with pytest.raises(DecisionNotAllowed, match="several"), database.write() as session:
        deciding.approve_by_rules(session, request.id, {"learners": standing()}, NOW, happening)


def test_what_is_returned_is_submitted_as_the_next_version_and_nothing_is_erased(database: Database) -> None:
    with database.write() as session:
        request = submitted(session, quorums=BOTH)
        approve(session, request.id, OLU)
        assert sent_back(session, request.id).state is RequestState.RETURNED
    with pytest.raises(TransitionNotAllowed), database.write() as session:
        approve(session, request.id, ANN)
    with database.write() as session:
        again = resubmitted(session, request.id, sql="select 1 from learners", quorums=BOTH)
        assert (again.state, again.version) == (RequestState.SUBMITTED, 2)
        kept = requests.versions(session, request.id)
        assert [each.sql for each in kept] == ["select count(*) from learners", "select 1 from learners"]
        assert requests.undecided(again, requests.decisions(session, again.id)) == {"learners", "pay"}, (
            "an approval was of what it saw"
        )
        assert [each.version for each in requests.decisions(session, request.id)] == [1, 1]
        approve(session, request.id, OLU)
        assert approve(session, request.id, ANN).state is RequestState.APPROVED


def test_only_what_was_returned_or_is_a_draft_is_submitted_again(database: Database) -> None:
    with database.write() as session:
        request = submitted(session)
    with pytest.raises(TransitionNotAllowed), database.write() as session:
        resubmitted(session, request.id)
    with database.write() as session:
        sent_back(session, request.id)
    with pytest.raises(DecisionNotAllowed), database.write() as session:
        resubmitted(session, request.id, requester="eve")


def test_a_draft_is_kept_changed_and_submitted_by_who_wrote_it(database: Database) -> None:
    draft = new_request(plan_digest="", question="", quorums={})
    with database.write() as session:
        asking.save(session, draft, NOW, event(AuditAction.REQUEST_SAVED, draft.id))
        changed = replace(draft, sql="select 2")
        request = asking.save(session, changed, NOW, event(AuditAction.REQUEST_SAVED, draft.id))
        assert (request.state, request.sql, request.version) == (RequestState.DRAFT, "select 2", 0)
    theirs = replace(draft, requester="eve")
    with pytest.raises(DecisionNotAllowed), database.write() as session:
        asking.save(session, theirs, NOW, event(AuditAction.REQUEST_SAVED, draft.id))
    with database.write() as session:
        request = resubmitted(session, draft.id)
        assert (request.state, request.version) == (RequestState.SUBMITTED, 1)
    with pytest.raises(TransitionNotAllowed), database.write() as session:
        asking.save(session, draft, NOW, event(AuditAction.REQUEST_SAVED, draft.id))


def test_an_appeal_goes_to_another_reviewer_once(database: Database) -> None:
    with database.write() as session:
        request = refused(session)
        (decision,) = requests.decisions(session, request.id)
        assert decision.code is RefusalReason.DISCLOSURE_RISK
        assert appealed(session, request.id).state is RequestState.UNDER_REVIEW
    with pytest.raises(DecisionNotAllowed, match="another"), database.write() as session:
        approve(session, request.id, ANN)
    with database.write() as session:
        decide(session, deciding.refuse, request.id, ABE)
    with pytest.raises(TransitionNotAllowed, match="stands"), database.write() as session:
        appealed(session, request.id)


def test_a_decision_has_the_capacity_and_the_delegation_of_who_made_it(database: Database) -> None:
    given = {"delegation": "rae_for_dfe", "body": "dfe", "instrument": "Minute 4", "until": "2026-12-31"}
    reviewer = Officer("rae", "dfe", is_reviewer=True, delegation=given)
    with database.write() as session:
        request = refused(session)
        appealed(session, request.id)
    taken = event(AuditAction.REQUEST_TAKEN_UP, request.id, "rae")
    with pytest.raises(TransitionNotAllowed), database.write() as session:
        deciding.take_up(session, request.id, Verdict(reviewer, "", PLAN), NOW, taken)
    with database.write() as session:
        assert decide(session, deciding.approve, request.id, reviewer).state is RequestState.APPROVED
    with database.read() as session:
        first, appeal, last = requests.decisions(session, request.id)
        assert (first.role, first.delegation) == (Role.CUSTODIAN, None)
        assert (appeal.role, last.role, last.delegation) == (Role.REQUESTER, Role.REVIEWER, given)


def test_what_was_asked_for_one_body_is_submitted_again_for_it_alone(database: Database) -> None:
    given = {"delegation": "bob_for_lcc", "body": "lcc", "instrument": "Deed", "until": "2026-12-31"}
    with database.write() as session:
        request = submitted(session, body="lcc", delegation=given)
        sent_back(session, request.id)
    with pytest.raises(DecisionNotAllowed, match="another body"), database.write() as session:
        resubmitted(session, request.id)
    with database.write() as session:
        again = resubmitted(session, request.id, body="lcc", delegation=given | {"until": "2027-12-31"})
        assert again.delegation == given | {"until": "2027-12-31"}


def test_what_others_approved_before_a_refusal_stands_on_appeal(database: Database) -> None:
    with database.write() as session:
        request = submitted(session, quorums=BOTH)
        approve(session, request.id, OLU)
        decide(session, deciding.refuse, request.id, ANN)
        appealed(session, request.id)
        assert approve(session, request.id, ABE).state is RequestState.APPROVED
        assert decide(session, deciding.revoke, request.id, ANN).state is RequestState.REVOKED


def test_conditions_are_accepted_before_anything_runs(database: Database) -> None:
    with database.write() as session:
        request = submitted(session)
        decide(session, deciding.approve, request.id, conditions="for the plan of 2026 alone")
    with pytest.raises(TransitionNotAllowed, match="conditions"), database.write() as session:
        queued(session, request.id)
    with pytest.raises(DecisionNotAllowed), database.write() as session:
        accepted(session, request.id, "eve")
    with database.write() as session:
        assert accepted(session, request.id).state is RequestState.ACTIVE
        queued(session, request.id)
    with pytest.raises(TransitionNotAllowed), database.write() as session:
        accepted(session, request.id)


def test_an_approval_without_conditions_is_taken_into_use_by_its_first_run(database: Database) -> None:
    with database.write() as session:
        request = approve(session, submitted(session).id)
    with pytest.raises(TransitionNotAllowed, match="no conditions"), database.write() as session:
        accepted(session, request.id)
    with database.write() as session:
        queued(session, request.id)
        assert requests.get_request(session, request.id).state is RequestState.ACTIVE


def test_no_more_runs_than_were_approved_are_used_or_under_way(database: Database) -> None:
    with database.write() as session:
        request = submitted(session)
        decide(session, deciding.approve, request.id, maximum_runs=2)
        first = queued(session, request.id)
        queued(session, request.id)
    with pytest.raises(TransitionNotAllowed, match="2 runs"), database.write() as session:
        queued(session, request.id)
    with database.write() as session:
        runs.request_cancel(session, first, NOW, event(AuditAction.RUN_CANCEL_REQUESTED, first))
        queued(session, request.id)


def test_each_custodian_resumes_what_it_suspended(database: Database) -> None:
    with database.write() as session:
        request = submitted(session, quorums=BOTH)
        approve(session, request.id, ANN)
        approve(session, request.id, OLU)
        decide(session, deciding.suspend, request.id, ANN)
    with pytest.raises(TransitionNotAllowed), database.write() as session:
        queued(session, request.id)
    with pytest.raises(TransitionNotAllowed, match="another"), database.write() as session:
        decide(session, deciding.resume, request.id, OLU)
    with database.write() as session:
        decide(session, deciding.suspend, request.id, OLU)
        assert decide(session, deciding.resume, request.id, ABE).state is RequestState.SUSPENDED
        assert decide(session, deciding.resume, request.id, OLU).state is RequestState.APPROVED
        queued(session, request.id)
        decide(session, deciding.suspend, request.id, ANN)
        assert decide(session, deciding.resume, request.id, ANN).state is RequestState.APPROVED


def test_what_nobody_acts_on_lapses_and_is_then_decided_by_nobody(database: Database) -> None:
    with database.write() as session:
        request = submitted(session, lapses_at=NOW)
        assert state_now(request, NOW - timedelta(seconds=1)) is RequestState.SUBMITTED
        assert state_now(request, NOW) is RequestState.LAPSED
        other = submitted(session, lapses_at=LATER)
        approve(session, other.id)
        assert state_now(other, LATER) is RequestState.APPROVED
    with pytest.raises(TransitionNotAllowed, match="lapsed"), database.write() as session:
        approve(session, request.id)


@pytest.mark.parametrize("state", OPEN)
def test_who_asked_withdraws_from_every_state_that_is_open(database: Database, state: RequestState) -> None:
    with database.write() as session:
        request = submitted(session)
        session.execute(update(Request).where(Request.id == request.id).values(state=state))
        happening = event(AuditAction.REQUEST_WITHDRAWN, request.id)
        assert asking.withdraw(session, request.id, "bob", NOW, happening).state is RequestState.WITHDRAWN
