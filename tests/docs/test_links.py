"""Links lead somewhere, every page can be reached, and the pages keep to the project's spelling."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import pytest

from tests.docs.pages import DOCS, ROOT, all_pages, anchors, links

PAGES = all_pages()


def target(page: str, link: str) -> tuple[Path, str]:
    """The file that a link on a page leads to, and the anchor in it."""
    name, _, anchor = link.partition("#")
    return (ROOT / PurePosixPath(page).parent / name).resolve() if name else ROOT / page, anchor


def inner_links(page: str) -> list[str]:
    return [link for link in links(PAGES[page]) if not re.match(r"[a-z]+:", link)]


@pytest.mark.parametrize("page", list(PAGES))
def test_links_lead_somewhere(page: str) -> None:
    for link in inner_links(page):
        place, anchor = target(page, link)
        assert place.exists(), f"{page}: {link}"
        assert not anchor or anchor in anchors(place.read_text("utf-8")), f"{page}: {link}"


def test_every_page_can_be_reached_from_the_index() -> None:
    reached = {target("docs/index.md", link)[0] for link in inner_links("docs/index.md")}
    reached |= {target("docs/adr/index.md", link)[0] for link in inner_links("docs/adr/index.md")}
    assert set(DOCS.rglob("*.md")) - {DOCS / "index.md"} <= reached


@pytest.mark.parametrize("page", sorted(str(place.name) for place in (DOCS / "adr").glob("*.md")))
def test_a_decision_is_listed_under_its_own_title(page: str) -> None:
    if page == "index.md":
        return
    title = (DOCS / "adr" / page).read_text("utf-8").splitlines()[0].removeprefix("# ")
    assert f"- [{title}]({page})" in PAGES["docs/adr/index.md"]
    for part in ("**Context.**", "**Decision.**", "**Consequences.**"):
        assert part in PAGES[f"docs/adr/{page}"]


@pytest.mark.parametrize("page", list(PAGES))
def test_pages_are_in_british_english(page: str) -> None:
    american = r"\b(\w*ization\w*|\w+yze[sd]?|colors?|behaviors?|centers?|licensed? under|favorite|labeled)\b"
    outside_code = re.sub(r"```.*?```|`[^`]*`", "", PAGES[page], flags=re.DOTALL)
    found = set(re.findall(american, outside_code, re.IGNORECASE)) - {"authorization"}
    assert not found
