"""Welsh has every word of the core pages, and is used as the English is."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from federation.web.language import Language, translations

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


@pytest.mark.parametrize("template", ["layout", "start", "datasets", "dataset", "release", "register"])
def test_core_pages_say_nothing_outside_the_catalogue(template: str) -> None:
    text = (WEB / "templates" / f"{template}.html").read_text("utf-8")
    bare = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}|<[^>]*>", " ", text, flags=re.DOTALL)
    assert not re.findall(r"[A-Za-z]{3,}", bare)


def test_numbers_choose_the_form() -> None:
    welsh = translations(Language.WELSH)
    assert welsh.ngettext("%(num)s time", "%(num)s times", 1) == "%(num)s tro"
    assert welsh.ngettext("%(num)s time", "%(num)s times", 2) == "%(num)s o weithiau"
