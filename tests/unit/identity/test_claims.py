"""From claims to people: what the settings do not name gives nothing, and nobody passes for somebody else."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from federation.identity.claims import principal_of
from federation.identity.delegations import Delegations
from federation.identity.principal import AdmissionFault, AuthenticationError, NodeRole, NotAdmitted
from federation.identity.settings import DelegationSettings, IdentitySettings, ProviderSettings

PROVIDER: dict[str, Any] = {
    "issuer": "https://id.example",
    "client_id": "pages",
    "audience": "https://node.example/v1",
    "claims": {"body": "org", "roles": "realm_access.roles"},
    "bodies": {"org-1": "greater_ay"},
    "roles": {"planners": "planner", "auditors": "auditor"},
}
GIVEN: dict[str, Any] = {
    "delegation": "deed",
    "subject": "eve",
    "body": "effshire",
    "roles": ["analyst"],
    "instrument": "Deed of 1 March",
    "from": "2026-03-01",
    "until": "2026-03-31",
}
CLAIMS = {"sub": "eve", "name": "Eve", "org": "org-1", "realm_access": {"roles": ["planners", "cooks"]}}
DAY = date(2026, 3, 15)


def who(claims: dict[str, Any], acting_for: str | None = None, today: date = DAY) -> Any:
    delegations = Delegations((DelegationSettings.model_validate(GIVEN),))
    return principal_of(claims, ProviderSettings.model_validate(PROVIDER), delegations, acting_for, today)


def test_a_claim_may_lie_in_another() -> None:
    found = who(CLAIMS)
    assert (found.subject, found.name, found.body, found.roles) == (
        "eve",
        "Eve",
        "greater_ay",
        {NodeRole.PLANNER},
    )
    assert found.delegation is None


@pytest.mark.parametrize("name", [None, "", 7, "x" * 300])
def test_without_a_name_somebody_is_called_by_the_subject(name: object) -> None:
    assert who(CLAIMS | {"name": name}).name == "eve"


@pytest.mark.parametrize(
    "subject",
    ["node", "hub x for eve", "program dashboard", "address 127.0.0.1", " eve", "eve\u202e", "", None, 3],
)
def test_nobody_is_called_like_what_the_node_writes_beside_people(subject: object) -> None:
    with pytest.raises(AuthenticationError):
        who(CLAIMS | {"sub": subject})


@pytest.mark.parametrize("day", [1, 31])
def test_a_delegation_counts_from_its_first_day_to_its_last(day: int) -> None:
    found = who(CLAIMS, "effshire", date(2026, 3, day))
    assert (found.body, found.roles, found.delegation.instrument) == (
        "effshire",
        {NodeRole.ANALYST},
        "Deed of 1 March",
    )


@pytest.mark.parametrize("today", [date(2026, 2, 28), date(2026, 4, 1)])
def test_outside_these_days_it_does_not(today: date) -> None:
    with pytest.raises(NotAdmitted) as caught:
        who(CLAIMS, "effshire", today)
    assert caught.value.fault is AdmissionFault.NOT_DELEGATED


def test_a_delegation_is_for_one_person_and_one_body() -> None:
    for claims, body in ((CLAIMS | {"sub": "pat"}, "effshire"), (CLAIMS, "office"), (CLAIMS, "")):
        with pytest.raises(NotAdmitted):
            who(claims, body)


def test_whoever_has_no_body_of_their_own_may_still_be_delegated() -> None:
    assert who({"sub": "eve"}, "effshire").body == "effshire"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"issuer": "http://id.example"}, "issuer must be HTTPS"),
        ({"algorithms": ["HS256"]}, "algorithms"),
        ({"algorithms": ["none"]}, "algorithms"),
        ({"algorithms": []}, "algorithms"),
        ({"scopes": ["profile"]}, "scopes must hold openid"),
        ({"audience": "pages"}, "an ID token would pass for an access token"),
        ({"device_client_id": "https://node.example/v1"}, "an ID token would pass for an access token"),
        ({"roles": {"planners": "king"}}, "roles"),
        ({"bodies": {}}, "bodies"),
        ({"parameters": {"state": "x", "resource": "y"}}, "must leave state to the node"),
        ({"token_type": "any"}, "token_type"),
    ],
)
def test_settings_that_are_not_safe_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ProviderSettings.model_validate(PROVIDER | changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"until": "2026-02-01"}, "until must not be before from"),
        ({"delegation": "next", "from": "2026-03-31", "until": "2026-04-30"}, "overlap"),
        ({"subject": "pat"}, "two delegations deed"),
    ],
)
def test_delegations_that_contradict_each_other_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        IdentitySettings.model_validate({"delegations": [GIVEN, GIVEN | changes]})


@pytest.mark.parametrize(
    "other",
    [
        {"allow_builtin_identity": True},
        {"persons": [{"person": "pat", "name": "Pat", "body": "greater_ay", "roles": ["planner"]}]},
    ],
)
def test_there_is_one_identity_at_a_time(other: dict[str, Any]) -> None:
    IdentitySettings.model_validate({"provider": PROVIDER})
    with pytest.raises(ValidationError, match="not both at once"):
        IdentitySettings.model_validate({"provider": PROVIDER} | other)
