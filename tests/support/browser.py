"""A real browser for the tests of pages, where one is installed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.support.thorough import THOROUGH

NO_BROWSER = "Chromium is not installed"
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 375, "height": 800}
OWN_BYTES = 200_000
_QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser for as many tests as like; the test is skipped where there is none."""
    place = shutil.which("chromium")
    if place is None:
        pytest.skip(NO_BROWSER)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=place, args=["--no-sandbox", *_QUIET])
        yield browser
        browser.close()


_TOO_WIDE = """width => document.documentElement.scrollWidth <= width ? [] :
  [document.documentElement.scrollWidth, ...[...document.querySelectorAll("*")]
    .filter(each => each.getBoundingClientRect().right > width + 0.01)
    .map(each => each.outerHTML.slice(0, 80))]"""
"""What sticks out of a page of a width."""


class Visitor:
    """Somebody at the pages of a node, in a browser session of their own. Each page that they see is inspected:
    axe finds nothing, it is small, and it does not scroll sideways on a phone."""

    seen: ClassVar[set[tuple[str, ...]]] = set()

    def __init__(self, browser: Browser, url: str, *, scripts: bool = True) -> None:
        self.url = url
        self.scripts = scripts
        self.context: BrowserContext = browser.new_context(
            viewport=WIDE,  # type: ignore[arg-type]
            java_script_enabled=scripts,
            base_url=url,
        )
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.page.on("console", self._said)
        self.blocked: list[str] = []

    def _said(self, message: Any) -> None:
        if "Content Security Policy" in message.text or message.type == "warning":
            self.blocked.append(message.text)

    def sign_in(self, person: str) -> Visitor:
        self.page.goto("/sign-in")
        self.page.check(f"input[value={person}]")
        self.page.click("main button")
        return self

    def inspect(self) -> Visitor:
        """What holds of every page. One with the same headings and buttons is not looked at again, every day none of
        the same address."""
        where = self.page.url
        self.page.wait_for_load_state()
        assert not self.blocked, (where, self.blocked)
        assert len(self.page.content().encode()) < OWN_BYTES, where
        place = re.sub(r"_[0-9a-f]{30}", "", urlsplit(where).path)
        parts = self.page.locator("h2, h3, main button, .govuk-error-message").all_inner_texts()
        looks = (place, self.page.get_attribute("html", "lang") or "", *(parts if THOROUGH else ()))
        if not self.scripts or looks in self.seen:
            return self
        self.seen.add(looks)
        self.page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        wide = self.page.evaluate(_TOO_WIDE, PHONE["width"])
        found = Axe().run(self.page).response["violations"]
        self.page.set_viewport_size(WIDE)  # type: ignore[arg-type]
        assert not wide, (where, wide)
        assert not found, (where, [(each["id"], each["nodes"][0]["html"]) for each in found])
        return self

    def go(self, path: str) -> Visitor:
        self.page.goto(path)
        return self.inspect()

    def click(self, words: str) -> Visitor:
        """Click the link or button that says this."""
        found = self.page.get_by_role("button", name=words, exact=True).or_(
            self.page.get_by_role("link", name=words, exact=True)
        )
        found.first.click()
        return self

    @property
    def text(self) -> str:
        """What the main part says."""
        return self.page.inner_text("main")

    def leave(self) -> None:
        self.context.close()
