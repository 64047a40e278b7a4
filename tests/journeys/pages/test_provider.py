"""Signing in and out through a real OpenID Connect provider, as a person does in a browser."""

from __future__ import annotations

import socket
from pathlib import Path

from playwright.sync_api import Browser

from tests.support.browser import Visitor
from tests.support.node import running, write_node
from tests.support.provider import PAGES_CLIENT, PAGES_SECRET, node_settings, running_provider
from tests.support.thorough import thorough

ACCOUNTS = {"u-eve": {"name": "Eve Elsewhere", "org": "org-2", "groups": ["skills-auditors"]}}
DELEGATIONS = """\
  delegations:
    - delegation: eve_for_ay
      subject: u-eve
      body: greater_ay
      roles: [planner]
      instrument: Deed of 1 March 2026
      from: 2020-01-01
      until: 2090-12-31
"""


@thorough
def test_a_person_signs_in_acts_for_another_body_and_signs_out(browser: Browser, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    client = {
        "client_id": PAGES_CLIENT,
        "client_secret": PAGES_SECRET,
        "grant_types": ["authorization_code"],
        "redirect_uris": [f"{address}/login/callback"],
        "post_logout_redirect_uris": [f"{address}/"],
    }
    with running_provider([client], ACCOUNTS) as provider:
        settings = node_settings(provider.issuer, port, DELEGATIONS)
        write_node(tmp_path, {"node.yaml": settings}, rows=50)
        with running(tmp_path, {"FEDERATION_SECRET_PAGES": PAGES_SECRET}, port=port):
            eve = Visitor(browser, address)
            try:
                _journey(eve, provider.issuer)
            finally:
                eve.leave()


def _journey(eve: Visitor, issuer: str) -> None:
    eve.go("/datasets")
    assert "You sign in with your organisation's own account" in eve.text
    assert "Greater Ay Combined Authority" in eve.page.inner_html("main")
    eve.page.click("main .govuk-button")
    eve.page.wait_for_url(f"{issuer}/**")
    eve.page.fill("input[name=login]", "u-eve")
    eve.page.fill("input[name=password]", "any")
    eve.page.click("button[type=submit]")
    eve.page.wait_for_selector("text=Continue")
    eve.page.click("button[type=submit]")
    eve.page.wait_for_url(f"{eve.url}/datasets")
    header = ".site-header__who"
    assert "Eve Elsewhere, Office of example statistics" in eve.page.inner_text(header)
    assert "2 datasets" in eve.inspect().text

    eve.page.click(f"{header} a")
    assert "By delegation: Deed of 1 March 2026, until 31 December 2090." in eve.inspect().text
    eve.page.check("label:text-is('Greater Ay Combined Authority')")
    eve.click("Act for this body").inspect()
    assert "Eve Elsewhere, acting for Greater Ay Combined Authority" in eve.page.inner_text(header)
    assert "Ask a question" in eve.text

    eve.click("Sign out")
    eve.page.wait_for_url(f"{issuer}/**")
    eve.page.click("button[type=submit]")
    eve.page.wait_for_url(f"{eve.url}/")
    assert not eve.page.locator(header).count()
    eve.page.goto("/requests")
    assert "You sign in with" in eve.text
