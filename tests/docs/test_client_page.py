"""docs/client.md: its cells print what it shows, and it names every exception and every method.

After a change on purpose: ``python -m tests.docs.test_client_page`` writes the page's outputs anew.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest

import federation.client as client
from federation.client import Result, Session
from federation.client.check import Check
from federation.client.request import Request
from tests.docs.demo import SECRETS, write_demo
from tests.docs.pages import DOCS, code, first_codes, read, rows, section
from tests.docs.sessions import follow, settled
from tests.support.node import Running, running

PAGE = DOCS / "client.md"
FIELDS = {Result: {"release", "table", "source", "notes"}, Check: set(Check.__dataclass_fields__)}
"""What instances have beside the members of their class."""

REWRITE = "after a change on purpose: python -m tests.docs.test_client_page"


def test_the_cells_print_what_the_page_shows(demo_node: Running, tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    page = PAGE.read_text("utf-8")
    assert settled(follow(page, tmp_path, demo_node.url)) == settled(page), REWRITE


def test_every_exception_is_there() -> None:
    shown = first_codes(section(read("client.md"), "When something goes wrong"))
    exceptions = {name for name in client.__all__ if isinstance(getattr(client, name), type)}
    exceptions = {name for name in exceptions if issubclass(getattr(client, name), Exception)}
    assert set(shown) == exceptions - {"FederationError"}


@pytest.mark.parametrize("kind", [Session, Request, Result, Check])
def test_every_method_is_there(kind: type) -> None:
    table = {code(row[0]): row[1] for row in rows(section(read("client.md"), "Everything there is"))}
    shown = set(re.findall(r"`(\w+)`", table[kind.__name__]))
    members = {name for name in vars(kind) if not name.startswith("_")} - {"read"}
    assert shown == members | FIELDS.get(kind, set())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place, running(write_demo(Path(place)), SECRETS) as node:
        PAGE.write_text(follow(PAGE.read_text("utf-8"), Path(place), node.url), "utf-8")
