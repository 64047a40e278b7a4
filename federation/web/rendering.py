"""Pages out of templates: one environment, and what every page is told of its reader."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cache, partial
from gettext import NullTranslations
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

from babel.dates import format_date
from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import ChainableUndefined, ChoiceLoader, Environment, PackageLoader, PrefixLoader
from starlette.types import Scope

from federation.identity.sessions import SignedIn
from federation.service.node import Node
from federation.service.permissions import Act, permitted
from federation.web import assets
from federation.web.language import COOKIE, Language, language_of, translations
from federation.web.words import MARKS, REQUEST_TAGS, ROLES, request_tag, run_tag

STATIC = Path(__file__).parent / "static"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action {targets}; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Vary": "Cookie",
}


def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **context: object,
) -> HTMLResponse:
    """The page of a template. It knows its reader, their language, and where in the site it is; ``faults`` are put into
    that language."""
    node: Node = request.app.state.node
    signed_in: SignedIn | None = getattr(request.state, "signed_in", None)
    language = language_of(request)
    if faults := context.get("faults"):
        said = translations(language).gettext
        context["faults"] = [
            {**each, "text": said(each["text"])} for each in cast(Sequence[Mapping[str, str]], faults)
        ]
    response = HTMLResponse(
        render(node, request.scope, signed_in, language, template, context),
        status,
        {**headers_of(node), **(headers or {})},
    )
    if "lang" in request.query_params:
        # The choice is kept for a year. It says nothing about who the reader is.
        secure = node.settings.public_url.startswith("https:")
        response.set_cookie(COOKIE, language, 31_536_000, secure=secure, httponly=True, samesite="lax")
    return response


def headers_of(node: Node) -> dict[str, str]:
    """The headers of every page. Logging out leads on to the provider, which browsers count to the form."""
    provider = node.settings.identity.provider
    url = None if provider is None else urlsplit(provider.issuer)
    targets = "'self'" if url is None else f"'self' {url.scheme}://{url.netloc}"
    return {**HEADERS, "Content-Security-Policy": POLICY.format(targets=targets)}


def render(
    node: Node,
    scope: Scope,
    signed_in: SignedIn | None,
    language: Language,
    template: str,
    context: Mapping[str, Any],
) -> str:
    principal = None if signed_in is None else signed_in.principal
    reader = {
        "site_title": node.settings.title,
        "language": language,
        "languages": tuple(Language),
        "path": scope["path"],
        "in_language": lambda other: f"{scope['path']}?{_with_language(scope, other)}",
        "principal": principal,
        "acts_for_others": principal is not None
        and bool(node.delegations.of(principal.subject, node.clock().date())),
        "csrf_token": "" if signed_in is None else signed_in.csrf_token,
        "may": lambda act: principal is not None and permitted(principal, Act[act]),
        "demo": node.token_issuer is not None and bool(node.token_issuer.persons),
        "today": node.clock().date(),
        "body_title": lambda name: title_of(node, name),
        "agreement_title": lambda name: _agreement_title(node, name),
        "dataset_title": lambda name: dataset_title(node, name),
        "node_title": lambda name: node_title(node, name),
    }
    return environment(language).get_template(template).render({**reader, **context})


@cache
def environment(language: Language) -> Environment:
    """The templates in a language."""
    made = Environment(
        loader=ChoiceLoader(
            [
                PackageLoader("federation.web"),
                PrefixLoader({"govuk_frontend_jinja": PackageLoader("govuk_frontend_jinja")}),
            ]
        ),
        undefined=ChainableUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    words: NullTranslations = translations(language)
    made.install_gettext_translations(words, newstyle=True)  # type: ignore[attr-defined]
    made.filters |= {
        "day": partial(day, language),
        "moment": partial(moment, language),
        "number": number,
        "tally": partial(tally, words),
    }
    made.globals |= {
        "static": static,
        "styled": assets.present(),
        "request_tag": request_tag,
        "run_tag": run_tag,
        "MARKS": MARKS,
        "ROLES": ROLES,
        "new_key": lambda: uuid.uuid4().hex,
    }
    return made


@cache
def static(name: str) -> str:
    """The address of a file of ours, with its digest, so that a browser may keep it for good."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def day(language: Language, value: date) -> str:
    return format_date(value, "d MMMM y", locale=str(language))


def moment(language: Language, value: datetime) -> str:
    """To the minute, in UTC, which is what the audit trail says."""
    return f"{day(language, value)}, {value:%H:%M} UTC"


def number(value: float) -> str:
    return f"{value:,}"


def tally(words: NullTranslations, counts: Mapping[str, int]) -> str:
    """How many requests are in which state, in a language.

    >>> tally(NullTranslations(), {"approved": 2, "under_review": 1})
    '1 being reviewed, 2 approved'
    """
    return ", ".join(
        f"{counts[state]} {words.gettext(tag.text).lower()}"
        for state, tag in REQUEST_TAGS.items()
        if state in counts
    )


def _with_language(scope: Scope, language: Language) -> str:
    pairs = [(k, v) for k, v in parse_qsl(scope["query_string"].decode("latin-1")) if k != "lang"]
    return urlencode([*pairs, ("lang", language)])


def title_of(node: Node, name: str) -> str:
    """A body as people read it."""
    body = node.catalogue.bodies.get(name)
    return name if body is None else body.title


def dataset_title(node: Node, name: str) -> str:
    """A dataset as people read it."""
    dataset = node.catalogue.datasets.get(name)
    return name if dataset is None else dataset.document.title


def node_title(node: Node, name: str) -> str:
    """Another node as people read it."""
    peer = node.settings.federation.peers.get(name)
    return name if peer is None else peer.title


def _agreement_title(node: Node, name: str) -> str:
    agreement = node.catalogue.agreements.get(name)
    return name if agreement is None else agreement.title
