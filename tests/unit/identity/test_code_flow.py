"""Log-in at the pages, at a real provider: what works, and what hostile browsers and answers get."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from federation.identity.code_flow import local_path
from tests.support.node import Running
from tests.support.provider import RunningProvider

SESSION = "federation-session"
LOGIN = "federation-login"


def begun(node: Running, browser: httpx.Client, **query: str) -> str:
    """Where the node sends a browser that wants to log in."""
    answer = browser.get(f"{node.url}/login", params=query)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def logged_in(
    node: Running, provider: RunningProvider, account: str = "u-pat", **query: str
) -> tuple[httpx.Client, httpx.Response]:
    """A browser after its return from the provider, and what the node answered it."""
    browser = httpx.Client(timeout=20)
    back = provider.log_in(begun(node, browser, **query), account, browser)
    return browser, browser.get(back)


def csrf_token(node: Running, browser: httpx.Client) -> str:
    found = node.node.sessions.find(browser.cookies[SESSION], node.node.clock())
    assert found is not None
    return found.csrf_token


def test_a_person_logs_in_and_comes_back_to_where_they_were(node: Running, provider: RunningProvider) -> None:
    browser, answer = logged_in(node, provider, next="/requests?state=submitted")
    assert (answer.status_code, answer.headers["location"]) == (303, "/requests?state=submitted")
    found = node.node.sessions.find(browser.cookies[SESSION], node.node.clock())
    assert found is not None
    who = found.principal
    assert (who.subject, who.name, who.body, set(who.roles)) == (
        "u-pat",
        "Pat Planner",
        "greater_ay",
        {"planner"},
    )
    (cookie,) = [text for text in answer.headers.get_list("set-cookie") if text.startswith(SESSION)]
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= {part.strip() for part in cookie.split(";")}
    assert "Domain" not in cookie
    assert LOGIN not in browser.cookies


def test_the_request_has_pkce_state_and_nonce(node: Running) -> None:
    with httpx.Client() as browser:
        asked = [parse_qs(urlsplit(begun(node, browser)).query) for _ in range(2)]
    for name in ("state", "nonce", "code_challenge"):
        assert asked[0][name] != asked[1][name]
        assert len(asked[0][name][0]) >= 43
    assert asked[0]["code_challenge_method"] == ["S256"]
    assert asked[0]["response_type"] == ["code"]


def test_the_provider_refuses_a_request_without_pkce(node: Running, provider: RunningProvider) -> None:
    with httpx.Client() as browser:
        url = urlsplit(begun(node, browser))
        query = {name: values[0] for name, values in parse_qs(url.query).items() if "challenge" not in name}
        back = provider.log_in(url._replace(query=urlencode(query)).geturl(), "u-pat", browser)
        answer = browser.get(back)
    assert (answer.status_code, answer.json()["code"]) == (403, "login_failed")
    assert "invalid_request" in answer.json()["detail"]
    assert SESSION not in browser.cookies


def test_an_answer_counts_once(node: Running, provider: RunningProvider) -> None:
    with httpx.Client(timeout=20) as browser:
        back = provider.log_in(begun(node, browser), "u-pat", browser)
        kept = browser.cookies[LOGIN]
        assert browser.get(back).status_code == 303
        replayed = httpx.get(back, cookies={LOGIN: kept})
    assert (replayed.status_code, replayed.json()["code"]) == (403, "login_failed")
    assert not replayed.cookies


def test_a_code_counts_once_even_where_everything_else_is_fresh(
    node: Running, provider: RunningProvider
) -> None:
    """The code of one log-in under the state of another: the verifier is not the one that it was asked with."""
    with httpx.Client(timeout=20) as mine, httpx.Client(timeout=20) as theirs:
        stolen = parse_qs(urlsplit(provider.log_in(begun(node, theirs), "u-olu", theirs)).query)["code"][0]
        state = parse_qs(urlsplit(begun(node, mine)).query)["state"][0]
        answer = mine.get(f"{node.url}/login/callback", params={"code": stolen, "state": state})
    assert (answer.status_code, answer.json()["code"]) == (403, "login_failed")
    assert SESSION not in mine.cookies


@pytest.mark.parametrize(
    "change", [{"state": "other"}, {"state": "é"}, {"state": ""}, {"iss": "https://evil.example"}]
)
def test_an_answer_to_something_else_is_refused(
    node: Running, provider: RunningProvider, change: dict[str, str]
) -> None:
    with httpx.Client(timeout=20) as browser:
        url = urlsplit(provider.log_in(begun(node, browser), "u-pat", browser))
        query = {name: values[0] for name, values in parse_qs(url.query).items()} | change
        answer = browser.get(url._replace(query=urlencode(query)).geturl())
    assert (answer.status_code, answer.json()["code"]) == (403, "login_failed")
    assert SESSION not in browser.cookies


def test_an_answer_in_another_browser_is_refused(node: Running, provider: RunningProvider) -> None:
    """Log-in CSRF: an attacker's answer, sent to somebody else, does not sign them in as the attacker."""
    with httpx.Client(timeout=20) as attacker, httpx.Client() as victim:
        back = provider.log_in(begun(node, attacker), "u-eve", attacker)
        begun(node, victim)
        answers = [httpx.get(back), victim.get(back)]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert SESSION not in victim.cookies


@pytest.mark.parametrize("error", ["access_denied", "<script>alert(1)</script>", "x" * 500])
def test_a_refusal_is_told_without_what_others_wrote(node: Running, error: str) -> None:
    with httpx.Client() as browser:
        state = parse_qs(urlsplit(begun(node, browser)).query)["state"][0]
        answer = browser.get(f"{node.url}/login/callback", params={"error": error, "state": state})
    assert answer.status_code == 403
    assert (error in answer.text) == (error == "access_denied")


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "evil.example", "", "/ x",
     "/a\nb", "/a\r\nSet-Cookie: x=1", "/é", "\\/evil.example", "/\t/evil.example", "/" + "a" * 3000],
)  # fmt: skip
def test_nobody_is_sent_to_another_site(path: str) -> None:
    assert local_path(path) == "/"


def test_nobody_is_sent_to_another_site_at_the_end_of_a_log_in(
    node: Running, provider: RunningProvider
) -> None:
    _, answer = logged_in(node, provider, next="//evil.example/login")
    assert answer.headers["location"] == "/"


@pytest.mark.parametrize(("account", "code"), [("u-eve", "body_not_known"), ("u-nil", "no_role")])
def test_whom_the_settings_do_not_name_is_not_admitted(
    node: Running, provider: RunningProvider, account: str, code: str
) -> None:
    browser, answer = logged_in(node, provider, account)
    assert (answer.status_code, answer.json()["code"]) == (403, "not_permitted")
    assert [fault["code"] for fault in answer.json()["errors"]] == [code]
    assert SESSION not in browser.cookies


def test_somebody_acts_for_another_body_by_delegation(node: Running, provider: RunningProvider) -> None:
    browser, answer = logged_in(node, provider, "u-eve", acting_for="greater_ay")
    assert answer.status_code == 303
    found = node.node.sessions.find(browser.cookies[SESSION], node.node.clock())
    assert found is not None
    assert (found.principal.body, set(found.principal.roles)) == ("greater_ay", {"analyst"})
    assert found.principal.delegation is not None
    assert found.principal.delegation.instrument == "Deed of 1 March 2026"
    _, answer = logged_in(node, provider, "u-eve", acting_for="office")
    assert [fault["code"] for fault in answer.json()["errors"]] == ["not_delegated"]


def test_a_session_that_an_attacker_planted_is_not_taken_up(node: Running, provider: RunningProvider) -> None:
    """Session fixation: neither a made-up value nor the attacker's own session is what a log-in goes on with."""
    attacker, _ = logged_in(node, provider, "u-olu")
    for planted in ("a" * 43, attacker.cookies[SESSION]):
        with httpx.Client(timeout=20, cookies={SESSION: planted}) as victim:
            back = provider.log_in(begun(node, victim), "u-pat", victim)
            victim.get(back)
        values = [cookie.value for cookie in victim.cookies.jar if cookie.name == SESSION]
        assert len(set(values) - {planted}) == 1
        assert node.node.sessions.find(planted, node.node.clock()) is None


def test_log_out_needs_the_token_of_the_session(node: Running, provider: RunningProvider) -> None:
    browser, _ = logged_in(node, provider)
    other, _ = logged_in(node, provider, "u-olu")
    cookie = browser.cookies[SESSION]
    for form in ({}, {"csrf_token": ""}, {"csrf_token": "é"}, {"csrf_token": csrf_token(node, other)}):
        answer = browser.post(f"{node.url}/logout", data=form)
        assert (answer.status_code, answer.json()["code"]) == (403, "csrf_refused")
    nobody = httpx.post(f"{node.url}/logout", data={"csrf_token": csrf_token(node, browser)})
    assert nobody.status_code == 403
    assert browser.get(f"{node.url}/logout").status_code == 405
    assert node.node.sessions.find(cookie, node.node.clock()) is not None


def test_who_logs_out_is_out_at_the_provider_too(node: Running, provider: RunningProvider) -> None:
    browser, _ = logged_in(node, provider)
    cookie = browser.cookies[SESSION]
    answer = browser.post(f"{node.url}/logout", data={"csrf_token": csrf_token(node, browser)})
    assert answer.status_code == 303
    assert node.node.sessions.find(cookie, node.node.clock()) is None
    assert SESSION not in browser.cookies
    # The provider asks whether to log out there too, and sends the browser back to the node.
    back = provider.log_in(answer.headers["location"], "", browser)
    assert back == f"{node.url}/"


def test_a_session_is_no_key_to_the_api(node: Running, provider: RunningProvider) -> None:
    browser, _ = logged_in(node, provider)
    assert browser.get(f"{node.url}/v1/me").status_code == 401
