"""The pure rules: life cycle, who may decide, validity at use, standing rules."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.models import StandingRule
from federation.state.authority import DenialReason, MayDecide, MayNotDecide, Officer, may_decide
from federation.state.lifecycle import (
    COMPUTED_STATES,
    GRANTED,
    REQUEST_TRANSITIONS,
    RUN_TRANSITIONS,
    RUNNABLE,
    UNDECIDED,
    Action,
    RequestState,
    Role,
    RunState,
    When,
    request_transition,
    stored_as,
)
from federation.state.quorum import Quorum
from federation.state.standing import covering_rules
from federation.state.validity import Bound, Ground, Unusable, Usable, check_use, day_bound

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)


def test_every_state_is_reached_and_the_final_ones_are_final() -> None:
    reached = {row.target for row in REQUEST_TRANSITIONS}
    assert reached == set(RequestState)
    left = {row.source for row in REQUEST_TRANSITIONS}
    assert set(RequestState) - left == {
        RequestState.WITHDRAWN,
        RequestState.LAPSED,
        RequestState.REVOKED,
        RequestState.EXPIRED,
        RequestState.EXHAUSTED,
        RequestState.SUPERSEDED,
    }
    assert {row.target for row in RUN_TRANSITIONS} == set(RunState)
    assert set(RunState) - {row.source for row in RUN_TRANSITIONS} == {
        RunState.DONE,
        RunState.FAILED,
        RunState.CANCELLED,
        RunState.VOID,
    }


def test_one_act_leads_to_one_state() -> None:
    for row in REQUEST_TRANSITIONS:
        twins = [
            r
            for r in REQUEST_TRANSITIONS
            if (r.source, r.action, r.role) == (row.source, row.action, row.role)
        ]
        assert len({twin.when for twin in twins}) == len(twins)
        assert len(twins) == 1 or When.ALWAYS not in {twin.when for twin in twins}


def test_only_a_custodian_a_reviewer_or_a_rule_approves_and_time_only_ends() -> None:
    """And the node, for what other nodes hold: there a custodian decides, each time (``approve_where_held``)."""
    assert {row.role for row in REQUEST_TRANSITIONS if row.target is RequestState.APPROVED} == {
        Role.CUSTODIAN,
        Role.REVIEWER,
        Role.STANDING_RULE,
        Role.STANDARD_QUERY,
        Role.NODE,
    }
    by_time = [row for row in REQUEST_TRANSITIONS if row.role is Role.CLOCK]
    assert {row.target for row in by_time} == COMPUTED_STATES - {RequestState.EXHAUSTED}


def test_a_reviewer_does_nothing_that_a_custodian_may_not_and_stops_nothing() -> None:
    acts = {role: {r.action for r in REQUEST_TRANSITIONS if r.role is role} for role in Role}
    assert acts[Role.REVIEWER] == {Action.APPROVE, Action.RETURN, Action.REFUSE} < acts[Role.CUSTODIAN]


def test_what_is_in_use_was_approved_and_only_the_requester_takes_it_into_use() -> None:
    to_active = [row for row in REQUEST_TRANSITIONS if row.target is RequestState.ACTIVE]
    assert {(row.source, row.role) for row in to_active} == {(RequestState.APPROVED, Role.REQUESTER)}
    assert {row.source for row in REQUEST_TRANSITIONS if row.target is RequestState.SUSPENDED} == set(GRANTED)


@given(st.sampled_from(list(RequestState)), st.sampled_from(list(Action)))
def test_a_requester_approves_nothing(state: RequestState, action: Action) -> None:
    row = request_transition(state, action, Role.REQUESTER)
    assert row is None or row.target not in GRANTED or row.source in GRANTED


def test_what_is_computed_is_sought_among_what_is_stored() -> None:
    assert stored_as(RequestState.EXPIRED) == set(GRANTED)
    assert stored_as(RequestState.LAPSED) == {*UNDECIDED, RequestState.RETURNED}
    assert stored_as(RequestState.REFUSED) == {RequestState.REFUSED}


@pytest.mark.parametrize(
    ("officer", "expected"),
    [
        (Officer("ann", "dfe", is_custodian=True), MayDecide(("learners", "providers"))),
        (Officer("olu", "ons", is_custodian=True), MayDecide(("pay",))),
        (Officer("bob", "dfe", is_custodian=True), MayNotDecide(DenialReason.OWN_REQUEST)),
        (Officer("eve", "dfe", is_custodian=False), MayNotDecide(DenialReason.NOT_CUSTODIAN)),
        (Officer("gus", "gmca", is_custodian=True), MayNotDecide(DenialReason.NOT_OWN_DATASET)),
    ],
)
def test_who_may_decide(officer: Officer, expected: MayDecide | MayNotDecide) -> None:
    quorums = {"providers": Quorum("dfe"), "learners": Quorum("dfe"), "pay": Quorum("ons")}
    assert may_decide(officer, "bob", quorums) == expected


def test_who_refused_does_not_decide_on_the_appeal_and_bodies_beside_the_custodian_decide_too() -> None:
    quorums = {"pay": Quorum("ons", frozenset({"dfe"}), persons=2, organisations=2)}
    ann = Officer("ann", "dfe", is_custodian=True)
    assert may_decide(ann, "bob", quorums) == MayDecide(("pay",))
    assert may_decide(ann, "bob", quorums, {"ann"}) == MayNotDecide(DenialReason.REFUSED_BEFORE)
    assert may_decide(ann, "bob", quorums, {"abe"}) == MayDecide(("pay",))


def test_a_reviewer_decides_on_appeals_and_beside_another_body() -> None:
    quorums = {"pay": Quorum("ons", frozenset({"dfe"}), persons=2, organisations=2), "sites": Quorum("ons")}
    at_custodian, beside = (Officer("rae", body, is_reviewer=True) for body in ("ons", "dfe"))
    assert may_decide(at_custodian, "bob", quorums) == MayNotDecide(DenialReason.NO_APPEAL)
    assert may_decide(at_custodian, "bob", quorums, {"olu"}) == MayDecide(("pay", "sites"))
    assert may_decide(at_custodian, "bob", quorums, {"rae"}) == MayNotDecide(DenialReason.REFUSED_BEFORE)
    assert may_decide(beside, "bob", quorums) == MayDecide(("pay",))
    assert may_decide(beside, "rae", quorums) == MayNotDecide(DenialReason.OWN_REQUEST)


@pytest.mark.parametrize(
    ("approvals", "reached"),
    [
        ([], False),
        ([("ons", "olu")], False),
        ([("ons", "olu"), ("ons", "oma")], False),
        ([("ons", "olu"), ("ons", "olu")], False),
        ([("dfe", "ann"), ("dfe", "abe")], False),
        ([("ons", "olu"), ("gmca", "gus")], False),
        ([("ons", "olu"), ("dfe", "olu")], False),
        ([("ons", "olu"), ("dfe", "ann")], True),
    ],
)
def test_a_quorum_is_of_persons_and_of_organisations(approvals: list[tuple[str, str]], reached: bool) -> None:
    assert Quorum("ons", frozenset({"dfe"}), persons=2, organisations=2).reached(approvals) is reached


@given(st.text(), st.booleans(), st.dictionaries(st.text(), st.sampled_from(["dfe", "ons"])))
def test_nobody_decides_on_their_own_request(
    subject: str, custodian: bool, custodians: dict[str, str]
) -> None:
    quorums = {name: Quorum(body) for name, body in custodians.items()}
    assert isinstance(may_decide(Officer(subject, "dfe", custodian), subject, quorums), MayNotDecide)


def use(
    state: RequestState = RequestState.APPROVED, digest: str = "d", *bounds: Bound, **terms: Any
) -> Usable | Unusable:
    given = {"accepted": True, "releases": 0, "maximum_runs": None} | terms
    return check_use(state, approved_digest="d", plan_digest=digest, bounds=bounds, now=NOW, **given)


def test_conditions_come_first_and_runs_are_counted() -> None:
    assert use(accepted=False) == Unusable(RequestState.APPROVED)
    assert use(RequestState.ACTIVE, releases=1, maximum_runs=2) == Usable(None)
    assert use(RequestState.ACTIVE, releases=2, maximum_runs=2) == Unusable(RequestState.EXHAUSTED)


def test_validity_is_the_minimum_of_what_it_rests_on() -> None:
    agreement = day_bound(Ground.AGREEMENT, "skills", date(2026, 1, 1), date(2026, 3, 31))
    approval = Bound(Ground.APPROVAL, "1", until=NOW + timedelta(days=2))
    assert use(RequestState.APPROVED, "d", agreement, approval) == Usable(NOW + timedelta(days=2))
    assert use() == Usable(None)


def test_what_has_ended_is_expired_and_names_what_ended() -> None:
    ended = Bound(Ground.AGREEMENT, "skills", until=NOW)
    assert use(RequestState.APPROVED, "d", ended) == Unusable(RequestState.EXPIRED, ended)
    early = Bound(Ground.AGREEMENT, "skills", start=NOW + timedelta(seconds=1))
    assert use(RequestState.APPROVED, "d", early) == Unusable(RequestState.APPROVED, early)


def test_the_last_day_counts() -> None:
    today = day_bound(Ground.AGREEMENT, "skills", None, NOW.date())
    yesterday = day_bound(Ground.AGREEMENT, "skills", None, NOW.date() - timedelta(days=1))
    assert isinstance(use(RequestState.APPROVED, "d", today), Usable)
    assert isinstance(use(RequestState.APPROVED, "d", yesterday), Unusable)


def test_another_plan_is_superseded_and_other_states_stay_what_they_are() -> None:
    assert use(RequestState.APPROVED, "other") == Unusable(RequestState.SUPERSEDED)
    for state in set(RequestState) - set(RUNNABLE):
        assert use(state) == Unusable(state)


def rule(**changes: object) -> StandingRule:
    fields: dict[str, object] = {
        "rule": "areas",
        "title": "Counts by area",
        "body": "gmca",
        "dataset": "learners",
        "dimensions": ("area", "age"),
        "decided_by": "ann",
        "decided_on": date(2025, 12, 1),
        "until": date(2026, 1, 5),
    }
    return StandingRule.model_validate(fields | changes)


def covered(*rules: StandingRule, requester: str = "bob", **dimensions: set[str]) -> dict[str, str]:
    found = covering_rules(rules, requester=requester, body="gmca", dimensions=dimensions, today=NOW.date())
    return {dataset: rule.rule for dataset, rule in found.items()}


def test_a_rule_covers_its_own_class_of_query_and_no_more() -> None:
    assert covered(rule(), learners={"area"}) == {"learners": "areas"}
    assert covered(rule(), learners=set()) == {"learners": "areas"}
    assert covered(rule(), learners={"area", "sex"}) == {}
    assert covered(rule(), pay={"area"}) == {}
    assert covered(rule(body="wmca"), learners={"area"}) == {}
    assert covered(rule(until=date(2026, 1, 4)), learners={"area"}) == {}
    assert covered(rule(decided_on=date(2026, 1, 6)), learners={"area"}) == {}


def test_a_rule_does_not_decide_for_who_made_it() -> None:
    assert covered(rule(), requester="ann", learners={"area"}) == {}


def test_of_several_rules_the_first_decides_and_uncovered_datasets_stay_open() -> None:
    rules = (rule(rule="b"), rule(rule="a"))
    assert covered(*rules, learners={"area"}, pay={"area"}) == {"learners": "a"}
