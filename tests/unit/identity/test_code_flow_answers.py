"""What a provider could answer to a code that a real one never does, and two who bring the same answer at once."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt

from federation.identity.code_flow import MINUTES_TO_LOG_IN, CodeFlow, Finished, LoginFailed
from federation.identity.delegations import Delegations
from federation.identity.principal import ProviderUnavailable
from federation.identity.provider import Provider
from federation.identity.provider_tokens import ProviderTokens
from federation.identity.settings import ProviderSettings
from federation.state.database import Database
from tests.support import postgresql
from tests.support.provider import new_key
from tests.unit.identity.test_claims import PROVIDER
from tests.unit.identity.test_provider import documents

KEY = new_key()
SETTINGS = ProviderSettings.model_validate(PROVIDER)


@dataclass
class Flow:
    """The pages as a client of a provider that is made up: it answers a code with ``answer``."""

    flow: CodeFlow
    answer: httpx.Response = field(default_factory=lambda: httpx.Response(500))
    cookie: str = ""
    asked: dict[str, str] = field(default_factory=dict)
    ways: list[str] = field(default_factory=lambda: ["client_secret_basic"])
    sent: list[httpx.Request] = field(default_factory=list)

    def begin(self, now: datetime) -> None:
        begun = self.flow.begin("/", None, now)
        self.cookie = begun.cookie
        self.asked = {name: values[0] for name, values in parse_qs(urlsplit(begun.url).query).items()}

    def finish(self, now: datetime) -> Finished:
        return self.flow.finish(self.cookie, {"state": self.asked["state"], "code": "c"}, now)

    def tokens(self, access: dict[str, Any] | None = None, identity: dict[str, Any] | None = None) -> None:
        """Answer with good tokens but for the changes; the value None takes a claim away."""
        now = int(time.time())
        common = {"iss": SETTINGS.issuer, "sub": "pat", "iat": now, "exp": now + 60}
        one = common | {"aud": SETTINGS.audience, "org": "org-1", "realm_access": {"roles": ["planners"]}}
        other = common | {"aud": SETTINGS.client_id, "nonce": self.asked["nonce"]}
        signed = {
            "access_token": _signed(one | (access or {}), "at+jwt"),
            "id_token": _signed(other | (identity or {}), "JWT"),
        }
        self.answer = httpx.Response(200, json={"token_type": "Bearer", **signed})


def _signed(claims: dict[str, Any], kind: str) -> str:
    given = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": "RS256", "typ": kind, "kid": KEY.kid}, given, KEY)


@pytest.fixture(params=["sqlite", "postgresql"])
def flow(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Flow]:
    with ExitStack() as stack:
        sqlite = request.param == "sqlite"
        database = Database.open(tmp_path / "s" if sqlite else stack.enter_context(postgresql.server()))
        stack.callback(database.close)

        def answer(asked: httpx.Request) -> httpx.Response:
            path = asked.url.path
            if path == "/token":
                made.sent.append(asked)
                return made.answer
            described = documents(token_endpoint_auth_methods_supported=made.ways)
            keys = {"keys": [KEY.as_dict(private=False)]}
            return httpx.Response(200, json=keys if path == "/jwks" else described)

        provider = Provider("https://id.example", httpx.Client(transport=httpx.MockTransport(answer)))
        tokens = ProviderTokens(SETTINGS, provider, Delegations(), time.time)
        made = Flow(CodeFlow(tokens, database, "https://node.example", "secret"))
        yield made


NOW = datetime.now(UTC)
only_sqlite = pytest.mark.parametrize("flow", ["sqlite"], indirect=True)


def test_of_two_who_bring_the_same_answer_one_is_logged_in(flow: Flow) -> None:
    flow.begin(NOW)
    flow.tokens()
    ends: Counter[str] = Counter()
    barrier = threading.Barrier(6)

    def come() -> None:
        barrier.wait()
        try:
            ends[flow.finish(NOW).principal.subject] += 1
        except LoginFailed:
            ends["failed"] += 1

    threads = [threading.Thread(target=come) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ends == {"pat": 1, "failed": 5}


@only_sqlite
@pytest.mark.parametrize(
    ("secret", "ways", "header", "in_form"),
    [
        # RFC 6749, section 2.3.1: both halves are encoded like a form before they are joined.
        (
            "a+b %:",
            ["client_secret_basic"],
            "Basic " + base64.b64encode(b"pages:a%2Bb+%25%3A").decode(),
            set(),
        ),
        ("a+b %:", ["client_secret_post"], None, {"client_id", "client_secret"}),
        (None, ["none"], None, {"client_id"}),
    ],
)
def test_the_pages_prove_who_they_are_as_the_provider_asks(
    flow: Flow, secret: str | None, ways: list[str], header: str | None, in_form: set[str]
) -> None:
    flow.flow, flow.ways = replace(flow.flow, secret=secret), ways
    flow.begin(NOW)
    flow.tokens()
    flow.finish(NOW)
    (sent,) = flow.sent
    form = parse_qs(sent.content.decode())
    assert sent.headers.get("Authorization") == header
    assert {name for name in form if name.startswith("client_")} == in_form
    assert form.get("client_secret", [secret]) == [secret]
    digest = hashlib.sha256(form["code_verifier"][0].encode()).digest()
    assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == flow.asked["code_challenge"]  # RFC 7636


@only_sqlite
def test_a_log_in_is_over_after_a_while(flow: Flow) -> None:
    flow.begin(NOW)
    flow.tokens()
    with pytest.raises(LoginFailed):
        flow.finish(NOW + MINUTES_TO_LOG_IN)
    flow.begin(NOW)
    flow.tokens()
    assert flow.finish(NOW + MINUTES_TO_LOG_IN - timedelta(seconds=1)).next_path == "/"


@only_sqlite
@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": None},
        {"nonce": "another"},
        {"nonce": 1},
        {"aud": "another-client"},
        {"aud": ["pages", "another-client"]},
        {"aud": PROVIDER["audience"]},
        {"iss": "https://evil.example"},
        {"exp": 1},
        {"exp": None},
        {"sub": "olu"},
        {"sub": None},
    ],
)
def test_an_id_token_that_does_not_fit_logs_nobody_in(flow: Flow, changes: dict[str, Any]) -> None:
    flow.begin(NOW)
    flow.tokens(identity=changes)
    with pytest.raises(LoginFailed):
        flow.finish(NOW)


@only_sqlite
def test_an_id_token_for_several_is_taken_where_it_was_issued_to_this_one(flow: Flow) -> None:
    flow.begin(NOW)
    flow.tokens(identity={"aud": ["pages", "another-client"], "azp": "pages"})
    assert flow.finish(NOW).principal.subject == "pat"


@only_sqlite
@pytest.mark.parametrize("changes", [{"aud": "pages"}, {"exp": 1}, {"sub": "olu"}])
def test_an_access_token_that_does_not_fit_logs_nobody_in(flow: Flow, changes: dict[str, Any]) -> None:
    flow.begin(NOW)
    flow.tokens(access=changes)
    with pytest.raises(LoginFailed):
        flow.finish(NOW)


@only_sqlite
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(500), ProviderUnavailable),
        (httpx.Response(302, headers={"location": "https://evil.example"}), ProviderUnavailable),
        (httpx.Response(200, text="<html>"), ProviderUnavailable),
        (httpx.Response(200, json=[1]), ProviderUnavailable),
        (httpx.Response(400, json={"error": "invalid_grant"}), LoginFailed),
        (httpx.Response(200, json={}), LoginFailed),
        (httpx.Response(200, json={"access_token": 1, "id_token": {}}), LoginFailed),
        (httpx.Response(200, json={"access_token": "opaque", "id_token": "a.b.c"}), LoginFailed),
    ],
)
def test_an_answer_that_is_none_is_told(flow: Flow, answer: httpx.Response, error: type[Exception]) -> None:
    flow.begin(NOW)
    flow.answer = answer
    with pytest.raises(error):
        flow.finish(NOW)
