"""Bearer tokens of a real provider at the API: which are accepted, and every hostile one that is not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws, jwt
from joserfc.jwk import ECKey, RSAKey
from joserfc.registry import HeaderParameter

from tests.support.node import Running
from tests.support.provider import AUDIENCE, PAGES_CLIENT, RunningProvider, new_key

OTHER = new_key()


def me(node: Running, token: str, **headers: str) -> httpx.Response:
    return httpx.get(f"{node.url}/v1/me", headers={"Authorization": f"Bearer {token}", **headers})


def program_token(provider: RunningProvider) -> str:
    form = {"grant_type": "client_credentials"}
    answer = httpx.post(
        f"{provider.issuer}/token", data=form, auth=("dashboard", "a secret of the dashboard's")
    )
    token: str = answer.json()["access_token"]
    return token


def claims(provider: RunningProvider, **changes: Any) -> dict[str, Any]:
    """The claims of a good token, with changes; None takes one away."""
    now = int(time.time())
    good = {
        "iss": provider.issuer,
        "aud": AUDIENCE,
        "sub": "u-pat",
        "client_id": "federation-cli",
        "iat": now,
        "exp": now + 300,
        "name": "Pat Planner",
        "org": "org-1",
        "groups": ["skills-planners"],
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def signed(
    provider: RunningProvider,
    *,
    header: dict[str, Any] | None = None,
    key: Any = None,
    algorithm: str = "RS256",
    **changes: Any,
) -> str:
    fields = {"alg": algorithm, "typ": "at+jwt", "kid": provider.key.kid, **(header or {})}
    return jwt.encode(
        {name: value for name, value in fields.items() if value is not None},
        claims(provider, **changes),
        key or provider.key,
        algorithms=[algorithm],
        default_type=None,
        registry=jws.JWSRegistry(
            {"new": HeaderParameter("New", "int")}, [algorithm], strict_check_header=False
        ),
    )


def test_a_good_token_is_accepted(node: Running, provider: RunningProvider) -> None:
    answer = me(node, signed(provider))
    assert answer.json() == {
        "subject": "u-pat",
        "name": "Pat Planner",
        "body": "greater_ay",
        "roles": ["planner"],
        "run_seconds": 300.0,
    }


def test_a_program_with_credentials_is_kept_apart_from_people(
    node: Running, provider: RunningProvider
) -> None:
    found = me(node, program_token(provider)).json()
    assert found == {
        "subject": "program dashboard",
        "name": "program dashboard",
        "body": "greater_ay",
        "roles": ["planner"],
        "run_seconds": 300.0,
    }
    # A person who chose that name for themselves is not that program.
    assert me(node, signed(provider, sub="dashboard")).json()["subject"] == "dashboard"
    assert me(node, signed(provider, sub="program dashboard")).status_code == 401


def test_a_role_and_a_body_come_by_the_settings_alone(node: Running, provider: RunningProvider) -> None:
    several = me(
        node, signed(provider, groups=["skills-custodians", "planner", "custodian", "skills-auditors"])
    )
    assert several.json()["roles"] == ["auditor", "custodian"]
    for changes, code in (
        ({"groups": ["planner"]}, "no_role"),
        ({"groups": None}, "no_role"),
        ({"groups": {"skills-planners": True}}, "no_role"),
        ({"groups": [["skills-planners"]]}, "no_role"),
        ({"org": "greater_ay"}, "body_not_known"),
        ({"org": None}, "body_not_known"),
        ({"org": ["org-1", "org-2"]}, "body_not_known"),
        ({"org": 1}, "body_not_known"),
    ):
        answer = me(node, signed(provider, **changes))
        assert (answer.status_code, answer.json()["code"]) == (403, "not_permitted")
        assert [fault["code"] for fault in answer.json()["errors"]] == [code], changes


HOSTILE: dict[str, Callable[[RunningProvider], str]] = {
    "of another issuer": lambda p: signed(p, iss="https://evil.example"),
    "of the issuer with a slash": lambda p: signed(p, iss=f"{p.issuer}/"),
    "of no issuer": lambda p: signed(p, iss=None),
    "of a list of issuers": lambda p: signed(p, iss=[p.issuer]),
    "for another audience": lambda p: signed(p, aud="https://other.example"),
    "for no audience": lambda p: signed(p, aud=None),
    "for an audience that begins the same": lambda p: signed(p, aud=f"{AUDIENCE}/x"),
    "without an end": lambda p: signed(p, exp=None),
    "with an end that is no number": lambda p: signed(p, exp="9999999999"),
    "with an end that is not a number": lambda p: signed(p, exp=float("nan")),
    "not yet valid": lambda p: signed(p, nbf=int(time.time()) + 120),
    "from the future": lambda p: signed(p, iat=int(time.time()) + 120),
    "without a subject": lambda p: signed(p, sub=None),
    "with an empty subject": lambda p: signed(p, sub=""),
    "with a subject that is too long": lambda p: signed(p, sub="a" * 241),
    "with a subject that holds a line break": lambda p: signed(p, sub="u-pat\n"),
    "with a subject that is a list": lambda p: signed(p, sub=["u-pat"]),
    "of an unknown key": lambda p: signed(p, key=OTHER, header={"kid": OTHER.kid}),
    "of a swapped key": lambda p: signed(p, key=OTHER),
    "of no key that it names": lambda p: signed(p, header={"kid": None}),
    "of a key that is a number": lambda p: (
        _unsigned({"alg": "RS256", "typ": "at+jwt", "kid": 1}, claims(p)) + "AA"
    ),
    "with its own key in the header": lambda p: signed(
        p, key=(own := ECKey.generate_key("P-256")), algorithm="ES256", header={"jwk": own.as_dict()}
    ),
    "with an address of keys in the header": lambda p: signed(
        p, key=OTHER, header={"jku": "http://127.0.0.1:1/jwks", "x5u": "http://127.0.0.1:1/cert"}
    ),
    "without a signature": lambda p: _unsigned({"alg": "none", "typ": "at+jwt", "kid": p.key.kid}, claims(p)),
    "with an empty signature": lambda p: _unsigned(
        {"alg": "RS256", "typ": "at+jwt", "kid": p.key.kid}, claims(p)
    ),
    "with the public key as a shared secret": lambda p: _shared(
        {"alg": "HS256", "typ": "at+jwt", "kid": p.key.kid}, claims(p), _pem(p.key)
    ),
    "with another algorithm of the same key": lambda p: signed(p, key=_bare(p.key), algorithm="PS256"),
    "with an algorithm that is not on the list": lambda p: signed(p, key=_bare(p.key), algorithm="RS512"),
    "of another type": lambda p: signed(p, header={"typ": "JWT"}),
    "of no type": lambda p: signed(p, header={"typ": None}),
    "with something critical that nobody knows": lambda p: signed(p, header={"crit": ["new"], "new": 1}),
    "in five parts": lambda p: signed(p) + ".a.b",
    "that is too large": lambda p: signed(p, filler="a" * 20_000),
    "that is no token": lambda p: "a.b.c",
    "that is nested too deeply": lambda p: (
        _unsigned({"alg": "RS256", "kid": p.key.kid}, None, "[" * 9_000) + "AA"
    ),
}


def _unsigned(header: dict[str, Any], payload: Any, text: str = "") -> str:
    parts = (json.dumps(header), text or json.dumps(payload))
    return ".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts) + "."


def _shared(header: dict[str, Any], payload: Any, secret: bytes) -> str:
    begun = _unsigned(header, payload).removesuffix(".")
    code = hmac.new(secret, begun.encode(), hashlib.sha256).digest()
    return f"{begun}.{base64.urlsafe_b64encode(code).rstrip(b'=').decode()}"


def _bare(key: RSAKey) -> RSAKey:
    """The key without a word on what it is for."""
    return RSAKey.import_key(
        {name: value for name, value in key.as_dict(private=True).items() if name not in ("alg", "use")}
    )


def _pem(key: RSAKey) -> bytes:
    return key.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("what", list(HOSTILE))
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_a_token_is_refused(node: Running, provider: RunningProvider, what: str) -> None:
    token = HOSTILE[what](provider)
    answer = me(node, token)
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated"), what
    assert [fault["code"] for fault in answer.json()["errors"]] == ["token_invalid"]
    assert token not in answer.text


def test_a_token_counts_until_its_end_give_or_take_the_skew(node: Running, provider: RunningProvider) -> None:
    now = int(time.time())
    assert me(node, signed(provider, exp=now - 10)).status_code == 200
    assert me(node, signed(provider, iat=now + 10, nbf=now + 10)).status_code == 200
    late = me(node, signed(provider, exp=now - 60))
    assert [fault["code"] for fault in late.json()["errors"]] == ["token_expired"]


def test_an_id_token_is_no_access_token(node: Running, provider: RunningProvider) -> None:
    as_issued = signed(provider, header={"typ": None}, aud=PAGES_CLIENT, nonce="n")
    as_typed = signed(provider, aud=PAGES_CLIENT, nonce="n")
    assert [me(node, token).status_code for token in (as_issued, as_typed)] == [401, 401]


def test_somebody_acts_for_another_body_while_the_delegation_lasts(
    node: Running, provider: RunningProvider
) -> None:
    token = signed(provider, sub="u-eve", org="org-9")
    found = me(node, token, **{"Acting-For": "greater_ay"}).json()
    assert (found["body"], found["roles"]) == ("greater_ay", ["analyst"])
    for headers, code in (
        ({}, "body_not_known"),
        ({"Acting-For": "office"}, "not_delegated"),
        ({"Acting-For": "skills_board"}, "not_delegated"),
    ):
        answer = me(node, token, **headers)
        assert [fault["code"] for fault in answer.json()["errors"]] == [code]
    own = signed(provider)
    assert me(node, own, **{"Acting-For": "greater_ay"}).json()["roles"] == ["planner"]
    assert me(node, own, **{"Acting-For": "office"}).status_code == 403


def test_another_key_is_found_and_a_withdrawn_one_forgotten(node: Running, provider: RunningProvider) -> None:
    """Rotation: the new key is fetched when a token first names it; not more than once in a while for unknown ones."""
    keys = node.node.login.tokens.provider  # type: ignore[union-attr]
    before, old_token = provider.key, signed(provider)
    fresh = new_key()
    provider.rotate([fresh, before])
    keys._tried_at = keys._fetched_at = float("-inf")  # as if a while had gone by
    assert me(node, signed(provider)).status_code == 200
    assert me(node, old_token).status_code == 200
    fetched = keys._tried_at
    assert me(node, signed(provider, key=OTHER, header={"kid": OTHER.kid})).status_code == 401
    assert keys._tried_at == fetched
    provider.rotate([fresh])
    keys._tried_at = keys._fetched_at = float("-inf")
    assert me(node, signed(provider)).status_code == 200
    assert me(node, old_token).status_code == 401
