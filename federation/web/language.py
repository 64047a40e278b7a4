"""English and Welsh: which one a page is in, and its words by gettext. No Welsh speaker has reviewed the Welsh."""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from gettext import GNUTranslations, NullTranslations
from importlib import resources
from io import BytesIO

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from fastapi import Request

COOKIE = "federation-language"


class Language(StrEnum):
    """By its IETF tag (RFC 5646)."""

    ENGLISH = "en"
    WELSH = "cy"

    @property
    def own_name(self) -> str:
        return {"en": "English", "cy": "Cymraeg"}[self.value]


def language_of(request: Request) -> Language:
    """What ``?lang=`` asks for, else what the reader chose before, else English."""
    for given in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if given in set(Language):
            return Language(given)
    return Language.ENGLISH


@cache
def translations(language: Language) -> NullTranslations:
    """The words of a language, compiled in memory from the catalogue that translators edit."""
    if language is Language.ENGLISH:
        return NullTranslations()
    place = resources.files("federation.web") / "locale" / language / "LC_MESSAGES" / "messages.po"
    compiled = BytesIO()
    with place.open("rb") as stream:
        write_mo(compiled, read_po(stream, locale=str(language)))
    compiled.seek(0)
    return GNUTranslations(compiled)


def mark(text: str) -> str:
    """Have ``text`` extracted for translation where it stands; it is translated where it is shown."""
    return text
