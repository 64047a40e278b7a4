"""What the routes of pages need to know of a request: who is signed in, and what a form holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import Depends, Request

from federation.api.signed_in import CSRF_FIELD, require_csrf, session_of
from federation.client.digest import canonical_json
from federation.identity.principal import AuthenticationError, Principal, TokenFault
from federation.identity.sessions import SignedIn
from federation.service.once import Once
from federation.state.idempotency import request_digest
from federation.web.language import mark

FIELDS = 200
KEY_FIELD = "key"
"""The field by which a form that is sent twice is answered once."""

LONGEST_TEXT = 4000
"""Characters of a reason, a condition or a comment."""
TOO_LONG = mark("Write at most 4,000 characters")

Form = Mapping[str, Sequence[str]]
Fault = Mapping[str, str]
"""What is wrong with a form: ``text`` to read, marked for translation, and ``href``, the field."""


def reader(request: Request) -> Principal:
    """Who is signed in. Raises AuthenticationError where nobody is, which a page answers with the way to sign in."""
    session = session_of(request)
    if session is None:
        raise AuthenticationError(TokenFault.MISSING)
    return session.principal


def perhaps(request: Request) -> Principal | None:
    """Who is signed in, if anybody."""
    session = session_of(request)
    return None if session is None else session.principal


async def fields(request: Request) -> Form:
    """The text fields of a form, each with all its values."""
    form = await request.form(max_fields=FIELDS, max_files=0)
    found: dict[str, list[str]] = {}
    for name, value in form.multi_items():
        if isinstance(value, str) and name != CSRF_FIELD:
            # Browsers send line ends as CR LF; what was typed, and what SQL is stored as, has LF.
            found.setdefault(name, []).append(value.replace("\r\n", "\n"))
    return found


async def sender(session: Annotated[SignedIn, Depends(require_csrf)]) -> Principal:
    """Who sent a form of ours. Raises ServiceError CSRF_REFUSED for a form that is not."""
    return session.principal


def once(
    request: Request, principal: Annotated[Principal, Depends(sender)], form: Annotated[Form, Depends(fields)]
) -> Once | None:
    """The form's own key: a double click acts once, and both answers are the same."""
    key = first(form, KEY_FIELD)
    if not key:
        return None
    said = canonical_json({name: list(values) for name, values in form.items()})
    asked = f"{request.url.path} for {principal.body}"
    return Once(principal.subject, key[:255], request_digest("POST", asked, said))


def first(form: Form, name: str) -> str:
    """The only value of a field, without white space at its ends; empty where there is none."""
    return next(iter(form.get(name, ())), "").strip()


def text_of(text: str, field: str, missing: str, faults: list[Fault]) -> str:
    """A text that somebody has to write; adds to ``faults`` where it is missing, or too long to be kept."""
    if not text:
        faults.append({"text": missing, "href": f"#{field}"})
    elif len(text) > LONGEST_TEXT:
        faults.append({"text": TOO_LONG, "href": f"#{field}"})
    return text


Reader = Annotated[Principal, Depends(reader)]
Perhaps = Annotated[Principal | None, Depends(perhaps)]
Fields = Annotated[Form, Depends(fields)]
Sender = Annotated[Principal, Depends(sender)]
OnceDep = Annotated[Once | None, Depends(once)]
