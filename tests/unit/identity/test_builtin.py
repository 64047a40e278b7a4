"""The built-in authorization server: who gets a token, and which tokens are accepted."""

from __future__ import annotations

import base64
import dataclasses
import hashlib

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey

from federation.identity.builtin import DEMO_GRANT, NOTICE, BuiltinIdentity, Client
from federation.identity.principal import AuthenticationError, NodeRole, Principal, TokenFault
from federation.identity.tokens import AccessTokens

PAT = Principal("pat", "Pat", "greater_manchester", frozenset({NodeRole.PLANNER}))
DASHBOARD = Principal("dashboard", "Dashboard", "greater_manchester", frozenset({NodeRole.ANALYST}))
URI = "http://127.0.0.1:8642/oauth/token"


@pytest.fixture
def identity() -> BuiltinIdentity:
    tokens = AccessTokens.with_new_key("http://127.0.0.1:8642", "http://127.0.0.1:8642/v1", 3600)
    secret = hashlib.sha256(b"a long secret").hexdigest()
    return BuiltinIdentity(tokens, {"dashboard": Client("dashboard", secret, DASHBOARD)}, {"pat": PAT})


def basic(client: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{client}:{secret}".encode()).decode()}


def test_a_program_gets_a_token_for_its_secret(identity: BuiltinIdentity) -> None:
    answer = identity.token(URI, {"grant_type": "client_credentials"}, basic("dashboard", "a long secret"))
    assert answer.status == 200
    assert answer.body["notice"] == NOTICE
    assert identity.authenticate(answer.body["access_token"]) == DASHBOARD


def test_the_secret_may_stand_in_the_form(identity: BuiltinIdentity) -> None:
    form = {"grant_type": "client_credentials", "client_id": "dashboard", "client_secret": "a long secret"}
    assert identity.token(URI, form, {}).status == 200


def test_a_demo_person_is_chosen_by_name(identity: BuiltinIdentity) -> None:
    answer = identity.token(URI, {"grant_type": DEMO_GRANT, "client_id": "demo", "person": "pat"}, {})
    assert identity.authenticate(answer.body["access_token"]) == PAT


@pytest.mark.parametrize(
    ("form", "headers", "error"),
    [
        ({"grant_type": "client_credentials"}, basic("dashboard", "wrong"), "invalid_client"),
        ({"grant_type": "client_credentials"}, {}, "invalid_client"),
        ({"grant_type": "client_credentials", "client_id": "demo"}, {}, "invalid_client"),
        ({"grant_type": DEMO_GRANT, "client_id": "demo", "person": "eve"}, {}, "invalid_grant"),
        ({"grant_type": DEMO_GRANT, "client_id": "dashboard", "person": "pat"}, {}, "invalid_client"),
        ({"grant_type": "password"}, {}, "unsupported_grant_type"),
        ({}, {}, "unsupported_grant_type"),
    ],
)
def test_everybody_else_gets_none(
    identity: BuiltinIdentity, form: dict[str, str], headers: dict[str, str], error: str
) -> None:
    answer = identity.token(URI, form, headers)
    assert answer.status in (400, 401)
    assert answer.body["error"] == error
    assert "access_token" not in answer.body


def test_without_demo_persons_there_is_no_demo_login(identity: BuiltinIdentity) -> None:
    closed = BuiltinIdentity(identity.tokens, {}, {})
    answer = closed.token(URI, {"grant_type": DEMO_GRANT, "client_id": "demo", "person": "pat"}, {})
    assert answer.body["error"] == "unsupported_grant_type"


def fault_of(identity: BuiltinIdentity, token: str) -> TokenFault:
    with pytest.raises(AuthenticationError) as caught:
        identity.authenticate(token)
    return caught.value.fault


def test_an_expired_token_is_refused(identity: BuiltinIdentity) -> None:
    token = identity.tokens.issue(PAT, "demo")
    later = dataclasses.replace(identity.tokens, now=lambda: identity.tokens.now() + 3601)
    assert fault_of(BuiltinIdentity(later, {}, {}), token) is TokenFault.EXPIRED


@pytest.mark.parametrize("change", [{"issuer": "http://127.0.0.1:1"}, {"audience": "other"}])
def test_a_token_for_somewhere_else_is_refused(identity: BuiltinIdentity, change: dict[str, str]) -> None:
    token = dataclasses.replace(identity.tokens, **change).issue(PAT, "demo")
    assert fault_of(identity, token) is TokenFault.INVALID


def test_other_keys_algorithms_and_types_are_refused(identity: BuiltinIdentity) -> None:
    tokens = identity.tokens
    claims = jwt.decode(tokens.issue(PAT, "demo"), tokens.key, algorithms=["Ed25519"]).claims
    other = OKPKey.generate_key("Ed25519")
    shared = OctKey.generate_key(256)
    forged = [
        jwt.encode({"alg": "Ed25519", "typ": "at+jwt"}, claims, other, algorithms=["Ed25519"]),
        jwt.encode({"alg": "HS256", "typ": "at+jwt"}, claims, shared, algorithms=["HS256"]),
        jwt.encode({"alg": "none", "typ": "at+jwt"}, claims, shared, algorithms=["none"]),
        jwt.encode({"alg": "Ed25519", "typ": "JWT"}, claims, tokens.key, algorithms=["Ed25519"]),
        "",
        "a.b.c",
    ]
    assert {fault_of(identity, token) for token in forged} == {TokenFault.INVALID}


def test_a_token_without_an_expiry_is_refused(identity: BuiltinIdentity) -> None:
    tokens = identity.tokens
    claims = dict(jwt.decode(tokens.issue(PAT, "demo"), tokens.key, algorithms=["Ed25519"]).claims)
    del claims["exp"]
    header = {"alg": "Ed25519", "typ": "at+jwt"}
    assert (
        fault_of(identity, jwt.encode(header, claims, tokens.key, algorithms=["Ed25519"]))
        is TokenFault.INVALID
    )


@pytest.mark.parametrize("credentials", ["/w==", "é", " ", "===", "ZGFzaGJvYXJk"])
def test_credentials_that_cannot_be_read_are_no_credentials(
    identity: BuiltinIdentity, credentials: str
) -> None:
    headers = {"Authorization": f"Basic {credentials}"}
    answer = identity.token(URI, {"grant_type": "client_credentials"}, headers)
    assert (answer.status, answer.body["error"]) == (401, "invalid_client")
