"""What the tests of the documentation read: pages, their code blocks, their tables and their links."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def read(page: str) -> str:
    """The text of a page, by its name in docs/ (README.md and CHANGELOG.md by theirs)."""
    place = ROOT / page if page in ("README.md", "CHANGELOG.md") else DOCS / page
    return place.read_text("utf-8")


def all_pages() -> dict[str, str]:
    """Every page by its path from the root of the repository."""
    places = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
    places += sorted((ROOT / "examples").rglob("README.md"))
    return {str(place.relative_to(ROOT)): place.read_text("utf-8") for place in places}


def blocks(text: str, language: str, mark: str = "") -> list[str]:
    """The fenced blocks of a language, those with ``mark`` after the language where one is given."""
    return [body for lang, marks, body in _FENCE.findall(text) if lang == language and mark in marks]


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next one of its level or above."""
    found = re.search(rf"^(#+) {re.escape(heading)}$", text, re.MULTILINE)
    assert found, f"there is no heading {heading!r}"
    rest = text[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def rows(text: str) -> list[list[str]]:
    """The rows of all tables in ``text`` without their headers, cell by cell."""
    found: list[list[str]] = []
    for table in re.findall(r"(?:^\|.*\|$\n?)+", text, re.MULTILINE):
        for line in table.splitlines()[2:]:
            found.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return found


def code(cell: str) -> str:
    """The first `code` of a cell."""
    found = re.search(r"`([^`]+)`", cell)
    assert found, f"no code in {cell!r}"
    return found[1]


def first_codes(text: str) -> list[str]:
    """The first `code` in each row of the tables in ``text``."""
    return [code(row[0]) for row in rows(text)]


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as repository hosts make them."""
    outside = _FENCE.sub("", text)
    titles = re.findall(r"^#+ (.+)$", outside, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def links(text: str) -> list[str]:
    """The targets of the links outside code."""
    return re.findall(r"\[[^\]]+\]\(([^)\s]+)\)", _FENCE.sub("", text))
