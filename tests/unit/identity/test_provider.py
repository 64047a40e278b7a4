"""A provider that is away, or is not what it says: known keys stay usable, all else is a clear refusal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from federation.identity import provider as module
from federation.identity.principal import ProviderUnavailable
from federation.identity.provider import FRESH_SECONDS, RETRY_SECONDS, Provider
from tests.support.node import running, write_node
from tests.support.provider import PAGES_SECRET, RunningProvider, new_key, node_settings, running_provider
from tests.unit.identity.conftest import ACCOUNTS, free_port

ISSUER = "https://id.example"
KEY = new_key()


@pytest.fixture
def passing() -> Iterator[RunningProvider]:
    """A provider of the test's own, which it may stop."""
    program = {
        "client_id": "dashboard",
        "client_secret": "secret",
        "grant_types": ["client_credentials"],
        "response_types": [],
    }
    with running_provider([program], ACCOUNTS) as found:
        yield found


def test_a_provider_that_goes_away_stops_nobody_who_is_known(
    passing: RunningProvider, tmp_path: Path
) -> None:
    port = free_port()
    directory = write_node(tmp_path, {"node.yaml": node_settings(passing.issuer, port)})
    form = {"grant_type": "client_credentials"}
    with running(directory, {"FEDERATION_SECRET_PAGES": PAGES_SECRET}, port=port) as node:
        answer = httpx.post(f"{passing.issuer}/token", data=form, auth=("dashboard", "secret"))
        good = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        assert httpx.get(f"{node.url}/v1/me", headers=good).status_code == 200
        passing.stop()
        keys = node.node.login.tokens.provider  # type: ignore[union-attr]
        keys._tried_at = keys._fetched_at = float("-inf")  # as if a while had gone by
        assert httpx.get(f"{node.url}/v1/me", headers=good).status_code == 200
        keys._keys = {}
        unknown = httpx.get(f"{node.url}/v1/me", headers=good)
        assert (unknown.status_code, unknown.json()["code"]) == (503, "identity_provider_unavailable")
        assert unknown.headers["Retry-After"] == "10"
        assert passing.issuer not in unknown.text
        keys._metadata = None
        assert httpx.get(f"{node.url}/login").status_code == 503
        assert httpx.get(f"{node.url}/healthz").status_code == 200


def documents(**changes: Any) -> dict[str, Any]:
    return {
        "issuer": ISSUER,
        "authorization_endpoint": f"{ISSUER}/auth",
        "token_endpoint": f"{ISSUER}/token",
        "jwks_uri": f"{ISSUER}/jwks",
    } | changes


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def provider(answer: Callable[[httpx.Request], httpx.Response], clock: Clock) -> tuple[Provider, list[str]]:
    """A provider whose documents are made up, and which addresses were asked."""
    asked: list[str] = []

    def recorded(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return answer(request)

    return Provider(ISSUER, httpx.Client(transport=httpx.MockTransport(recorded)), clock), asked


def serving(keys: list[Any], **changes: Any) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(
            200, json={"keys": keys} if request.url.path == "/jwks" else documents(**changes)
        )

    return answer


def test_keys_are_fetched_when_needed_and_not_more_often_than_bearable() -> None:
    clock = Clock()
    found, asked = provider(serving([KEY.as_dict(private=False)]), clock)
    assert asked == []
    assert found.key(KEY.kid or "") is not None
    assert len(asked) == 2
    for _ in range(50):  # tokens that name a key that nobody has
        assert found.key("unknown") is None
    assert len(asked) == 2
    clock.now += RETRY_SECONDS
    for _ in range(50):
        assert found.key("unknown") is None
    assert len(asked) == 4
    clock.now += FRESH_SECONDS - 1
    assert found.key(KEY.kid or "") is not None
    assert len(asked) == 4
    clock.now += 1
    assert found.key(KEY.kid or "") is not None
    assert len(asked) == 6


def test_while_it_is_away_known_keys_serve_and_others_wait() -> None:
    clock, away = Clock(), False

    def answer(request: httpx.Request) -> httpx.Response:
        if away:
            raise httpx.ConnectError("away")
        return serving([KEY.as_dict(private=False)])(request)

    found, asked = provider(answer, clock)
    assert found.key(KEY.kid or "") is not None
    away = True
    clock.now += FRESH_SECONDS
    assert found.key(KEY.kid or "") is not None
    for _ in range(20):
        with pytest.raises(ProviderUnavailable):
            found.key("unknown")
    assert len(asked) == 3
    away = False
    clock.now += RETRY_SECONDS
    assert found.key("unknown") is None


def test_while_it_is_away_nobody_waits_for_another_who_asks() -> None:
    def away(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("away")

    clock = Clock()
    found, asked = provider(away, clock)
    with pytest.raises(ProviderUnavailable):
        found.metadata()
    clock.now += RETRY_SECONDS
    with (
        found._lock,
        pytest.raises(ProviderUnavailable),
    ):  # as if another were asking, for as long as that takes
        found.key("unknown")
    assert len(asked) == 1


@pytest.mark.parametrize("ways", [None, 7, {}, ["client_secret_post"]])
def test_how_a_secret_is_sent_is_taken_from_a_list_alone(ways: object) -> None:
    found, _ = provider(serving([], token_endpoint_auth_methods_supported=ways), Clock())
    assert found.metadata().secret_in_form == (ways == ["client_secret_post"])


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://evil.example"},
        {"issuer": f"{ISSUER}/"},
        {"issuer": None},
        {"jwks_uri": "http://id.example/jwks"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": None},
        {"token_endpoint": "http://10.0.0.1/token"},
        {"authorization_endpoint": ["https://id.example/auth"]},
        {"end_session_endpoint": "javascript:alert(1)"},
    ],
)
def test_a_configuration_that_is_not_safe_is_not_used(changes: dict[str, Any]) -> None:
    found, _ = provider(serving([KEY.as_dict(private=False)], **changes), Clock())
    with pytest.raises(ProviderUnavailable):
        found.metadata()
    with pytest.raises(ProviderUnavailable):
        found.key(KEY.kid or "")


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>"),
        httpx.Response(200, text="[" * 100_000),
        httpx.Response(200, json=[1]),
        httpx.Response(302, headers={"location": "https://evil.example"}),
        httpx.Response(500),
        httpx.Response(200, content=b" " * (module.LARGEST_DOCUMENT + 1)),
        httpx.Response(200, stream=httpx.ByteStream(b"{}"), headers={"content-encoding": "gzip"}),
    ],
)
def test_an_answer_that_is_none_is_not_used(answer: httpx.Response) -> None:
    found, asked = provider(lambda _: answer, Clock())
    with pytest.raises(ProviderUnavailable):
        found.metadata()
    assert asked == [f"{ISSUER}/.well-known/openid-configuration"]


@pytest.mark.filterwarnings("ignore:Key size")
def test_keys_that_prove_nothing_are_left_out() -> None:
    """Shared secrets, weak keys, keys for other uses, and what is no key at all."""
    weak = RSAKey.generate_key(1024, {"use": "sig"}, auto_kid=True)
    other = ECKey.generate_key("P-256", {"use": "enc"}, auto_kid=True)
    good = ECKey.generate_key("P-256", auto_kid=True)
    shared = OctKey.generate_key(256, auto_kid=True)
    keys: list[Any] = [
        weak.as_dict(private=False),
        other.as_dict(private=False),
        shared.as_dict(private=True),
    ]
    keys += [{}, None, 1, "x", {"kty": "RSA", "kid": "no-numbers"}, {"kty": "new", "kid": "new"}]
    found, _ = provider(serving([*keys, good.as_dict(private=False)]), Clock())
    assert found.key(good.kid or "") is not None
    assert set(found._keys) == {good.kid}
