"""Welsh has every word of the pages, and is used as the English is."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import httpx
import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from jinja2 import Environment

from federation.web.language import Language, translations
from tests.support.node import CUSTODIAN_SQL, PURPOSE, Running, running, write_node

WEB = Path(str(resources.files("federation.web")))
FOUND = {
    message: file
    for file, _, message, _, _ in extract_from_dir(
        WEB,
        method_map=[("**.py", "python"), ("**/templates/**.html", "jinja2.ext.babel_extract")],
        keywords={"_": None, "gettext": None, "ngettext": (1, 2), "mark": None},
        options_map={"**/templates/**.html": {"newstyle_gettext": "true"}},
    )
}


def test_every_marked_text_has_its_welsh_and_no_other_is_kept() -> None:
    with (WEB / "locale" / "cy" / "LC_MESSAGES" / "messages.po").open("rb") as stream:
        catalogue = read_po(stream, locale="cy")
    kept = {message.id: message.string for message in catalogue if message.id}
    assert set(kept) == set(FOUND)
    for message, welsh in kept.items():
        texts = (message,) if isinstance(message, str) else message
        given = (welsh,) if isinstance(welsh, str) else welsh
        assert all(given), message
        for text in given:
            assert set(re.findall(r"%\(\w+\)s", text)) == set(re.findall(r"%\(\w+\)s", texts[0])), message


NO_WORDS = {"standing rule ", "where it is held: ", "there is no such", "CSV", "Parquet", "Arrow"}
"""What templates compare with, and names."""


@pytest.mark.parametrize("template", sorted(path.name for path in (WEB / "templates").iterdir()))
def test_pages_say_nothing_outside_the_catalogue(template: str) -> None:
    text = (WEB / "templates" / template).read_text("utf-8")
    said, literals, expects = "", set(), 0
    for _, kind, value in Environment().lex(text):
        if kind == "data":
            said += value
        elif kind == "string" and expects:
            expects -= 1  # it is marked
        elif kind == "string":
            literals.add(value[1:-1])
        elif kind == "name":
            expects = {"_": 1, "ngettext": 2}.get(value, 0)
    labels = re.findall(r'(?:aria-label|title|alt|placeholder)="([^"]+)"', said)
    assert not [label for label in labels if label.strip()]
    assert not re.findall(r"[A-Za-z]{3,}", re.sub(r"<code>.*?</code>|<[^>]*>", " ", said, flags=re.DOTALL))
    words = {each for each in literals if re.search(r"^[A-Z][a-z]|[a-z] [a-z]", each) and "govuk" not in each}
    assert words <= NO_WORDS


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(write_node(tmp_path_factory.mktemp("node"), rows=300)) as found:
        yield found


def test_no_page_falls_back_to_english(node: Running) -> None:
    """What stands in English says so: names and descriptions are the catalogue's, reasons the compiler's."""
    english = {m for m in FOUND if isinstance(m, str) and "%" not in m and len(m) > 7}
    kept = {"CSV", "Parquet", "Skills planning", "Office of example statistics"}
    pat, olu, anybody = (welsh(node, who) for who in ("pat", "olu", ""))
    form = {"sql": CUSTODIAN_SQL, "agreement": "planning", "purpose": PURPOSE, "csrf_token": token(pat)}
    checked = pat.post("/ask", data=form)
    refused = pat.post("/ask", data={**form, "sql": "SELECT max(pay) AS most FROM people"})
    asked = pat.post("/requests", data=form).headers["location"]
    source = node.node.directory / "data" / "people.parquet"
    away = source.rename(source.with_suffix(".away"))
    failed = olu.post(f"{asked}/dry-run", data={"csrf_token": token(olu)})
    away.rename(source)
    assert (failed.status_code, "Have it put back" in failed.text) == (503, True)
    undecided = olu.post(f"{asked}/decision", data={"decision": "refuse", "csrf_token": token(olu)})
    ruling = {"decision": "return", "reason": "Pam?", "csrf_token": token(olu)}
    olu.post(f"{asked}/decision", data=ruling)
    pages = [
        checked,
        refused,
        failed,
        undecided,
        pat.get(asked),
        olu.get(asked),
        anybody.post("/verify", files={"x": b""}),
    ]
    for path in ("/", "/datasets", "/datasets/people", "/codelists/sex", "/ask?dataset=people&filter1=sex"):
        pages.append(pat.get(path))
    pages += [
        pat.get("/requests"),
        pat.get("/notices"),
        olu.get("/inbox"),
        olu.get("/datasets/people/released"),
    ]
    pages += [anybody.get(path) for path in ("/", "/register", "/verify", "/sign-in", "/nowhere")]
    for page in pages:
        assert '<html lang="cy"' in page.text, page.url
        shown = said_in(page.text)
        assert not {text for text in english - kept if text in shown}, page.url


def welsh(node: Running, person: str) -> httpx.Client:
    client = httpx.Client(base_url=node.url, headers={"Accept": "text/html"}, timeout=60)
    client.get("/?lang=cy")
    if person:
        client.post("/sign-in", data={"person": person})
    return client


def token(client: httpx.Client) -> str:
    found = re.search(r'name="csrf_token" value="(\w+)"', client.get("/").text)
    assert found
    return found[1]


def said_in(page: str) -> set[str]:
    """The pieces of text on a page that are not marked as English, and its labels."""
    page = re.sub(r'<(\w+)[^>]* lang="en"[^>]*>.*?</\1>', "", page, flags=re.DOTALL)
    labels = re.findall(r'aria-label="([^"]*)"', page)
    pieces = [*re.split(r"<[^>]*>", page), *labels]
    return {html.unescape(" ".join(piece.split())).strip(" :,.") for piece in pieces}


def test_numbers_choose_the_form() -> None:
    welsh = translations(Language.WELSH)
    assert welsh.ngettext("%(num)s time", "%(num)s times", 1) == "%(num)s tro"
    assert welsh.ngettext("%(num)s time", "%(num)s times", 2) == "%(num)s o weithiau"
