"""A custodian's form: what it comes to, and what is wrong with it."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from federation.state.lifecycle import Action
from federation.state.models import RefusalReason
from federation.web.deciding import decided

TODAY = date(2026, 1, 5)


def form(**fields: str) -> dict[str, list[str]]:
    return {name: [value] for name, value in fields.items()}


def test_the_terms_of_an_approval_are_read_for_an_approval_alone() -> None:
    terms = {
        "reason": "fine",
        "plan_digest": "sha256:1",
        "conditions": "destroy it",
        "maximum_runs": "3",
        "until": "2026-01-05",
        "code": "other",
    }
    ruling = decided(form(decision="approve", **terms), TODAY).ruling
    assert ruling is not None
    assert (ruling.conditions, ruling.maximum_runs, ruling.code) == ("destroy it", 3, None)
    assert ruling.valid_until == datetime(2026, 1, 6, tzinfo=UTC)
    refusal = decided(form(decision="refuse", **terms), TODAY).ruling
    assert refusal is not None
    assert (refusal.conditions, refusal.valid_until, refusal.code) == (None, None, RefusalReason.OTHER)
    assert refusal.plan_digest == "sha256:1"
    suspension = decided(form(decision="suspend", reason="wait"), TODAY)
    assert (suspension.act, suspension.faults) == (Action.SUSPEND, [])


@pytest.mark.parametrize(
    ("fields", "places"),
    [
        ({}, ["#decision", "#reason"]),
        ({"decision": "take_up", "reason": "r"}, ["#decision"]),
        ({"decision": "refuse"}, ["#reason", "#code"]),
        ({"decision": "refuse", "reason": "r", "code": "because"}, ["#code"]),
        ({"decision": "approve", "reason": "r" * 4001}, ["#reason"]),
        ({"decision": "approve", "reason": "r", "conditions": "c" * 4001}, ["#conditions"]),
        *(
            ({"decision": "approve", "reason": "r", "maximum_runs": number}, ["#maximum_runs"])
            for number in ("0", "-1", "1.5", "many", "100001", "9" * 5000)
        ),
        *(
            ({"decision": "approve", "reason": "r", "until": day}, ["#until"])
            for day in ("2026-01-04", "soon", "9999-12-31", "2026-02-30")
        ),
    ],
)
def test_what_is_wrong_is_said_at_its_field(fields: dict[str, str], places: list[str]) -> None:
    found = decided(form(**fields), TODAY)
    assert [fault["href"] for fault in found.faults] == places
    assert found.ruling is None
