"""What journeys through the pages have in common: asking, and running what was approved."""

from __future__ import annotations

from tests.support.browser import Visitor


def ask(visitor: Visitor, sql: str) -> Visitor:
    """Write a question, have it checked, and ask for approval."""
    visitor.go("/ask").page.fill("#sql", sql)
    visitor.click("Check the question").inspect()
    assert "This can be asked" in visitor.text
    return visitor.click("Ask for approval").inspect()


def run(visitor: Visitor) -> Visitor:
    visitor.click("Run it").page.wait_for_url("**/releases/**")
    return visitor.inspect()
