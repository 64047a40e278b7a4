"""Requests and decisions against a real database."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from catalogue.models import StandingRule
from federation.audit.chain import events, verify_chain
from federation.audit.events import AuditAction
from federation.state import requests
from federation.state.database import Database
from federation.state.errors import (
    DecisionNotAllowed,
    NotFound,
    PlanChanged,
    StateError,
    TransitionNotAllowed,
)
from federation.state.lifecycle import RequestState, Role
from federation.state.models import DecisionKind
from federation.state.requests import Verdict
from tests.support.state import ANN, NOW, OLU, PLAN, approve, event, new_request, submitted

BOTH = {"learners": "dfe", "pay": "ons"}


def test_an_approval_binds_plan_person_reason_and_end(database: Database) -> None:
    with database.write() as session:
        request = submitted(session)
        verdict = Verdict(ANN, "within the agreement", PLAN, NOW + timedelta(days=30))
        happening = event(AuditAction.REQUEST_APPROVED, request.id, "ann")
        requests.approve(session, request.id, verdict, NOW, happening)
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
        request = submitted(session, custodians=BOTH)
        assert approve(session, request.id, ANN).state is RequestState.SUBMITTED
        assert requests.outstanding(session, request) == {"pay"}
        assert approve(session, request.id, OLU).state is RequestState.APPROVED
        assert requests.outstanding(session, request) == frozenset()


def test_one_custodian_refuses_for_all(database: Database) -> None:
    with database.write() as session:
        request = submitted(session, custodians=BOTH)
        approve(session, request.id, ANN)
        happening = event(AuditAction.REQUEST_REFUSED, request.id)
        refused = requests.refuse(session, request.id, Verdict(OLU, "too detailed", PLAN), NOW, happening)
        assert refused.state is RequestState.REFUSED
        with pytest.raises(TransitionNotAllowed):
            approve(session, request.id, OLU)


def test_a_revoked_request_stays_revoked(database: Database) -> None:
    with database.write() as session:
        request = approve(session, submitted(session).id)
        happening = event(AuditAction.REQUEST_REVOKED, request.id)
        requests.revoke(session, request.id, Verdict(ANN, "the purpose changed", PLAN), NOW, happening)
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
        requests.approve(session, request.id, verdict, NOW, happening)
    with database.read() as session:
        assert requests.get_request(session, request.id).state is RequestState.SUBMITTED
        assert requests.decisions(session, request.id) == []
        assert len(list(events(session))) == 1


def test_approving_twice_is_refused(database: Database) -> None:
    with database.write() as session:
        request = submitted(session, custodians=BOTH)
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
        request = submitted(session, custodians=BOTH)
        happening = event(AuditAction.REQUEST_APPROVED, request.id)
        requests.approve_by_rules(session, request.id, {"learners": standing()}, NOW, happening)
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
        requests.approve_by_rules(session, request.id, rules, NOW, happening)


def test_another_plan_supersedes(database: Database) -> None:
    with database.write() as session:
        request = approve(session, submitted(session).id)
        requests.supersede(session, request.id, event(AuditAction.REQUEST_SUPERSEDED, request.id))
        assert request.state is RequestState.SUPERSEDED


def test_lists_are_by_requester_custodian_and_state(database: Database) -> None:
    with database.write() as session:
        one = submitted(session)
        two = submitted(session, requester="eve", custodians=BOTH)
        approve(session, one.id)
    with database.read() as session:

        def ids(**filters: object) -> set[str]:
            return {request.id for request in requests.list_requests(session, **filters)}  # type: ignore[arg-type]

        assert ids() == ids(custodian="dfe") == {one.id, two.id}
        assert ids(requester="eve") == ids(custodian="ons") == ids(state=RequestState.SUBMITTED) == {two.id}
        assert ids(requester="eve", state=RequestState.APPROVED) == set()


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
            requests.submit(session, new, NOW, wrong)
    with database.read() as session:
        assert list(events(session)) == []
