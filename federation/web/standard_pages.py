"""Questions that custodians published: chosen, given values, answered at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from catalogue.standard import may_run, names_of
from federation.api.dependencies import NodeDep
from federation.identity.principal import Principal
from federation.service import runs, standard_queries
from federation.service.node import Node
from federation.service.permissions import Act, permitted
from federation.service.questions import Value
from federation.service.views import StandardQueryView
from federation.web.language import language_of, translations
from federation.web.rendering import page
from federation.web.visitor import Fault, Fields, Form, OnceDep, Reader, Sender, first

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Choice:
    """A parameter with its values by what people read; ``given`` is the one that was chosen, as text."""

    name: str
    title: str
    values: Mapping[str, Value]
    given: str

    @property
    def value(self) -> Value | None:
        return self.values.get(self.given)


@router.get("/standard/{query}")
def get(node: NodeDep, request: Request, principal: Reader, query: str) -> Response:
    """One published question, to run with values for its parameters."""
    view = standard_queries.get(node, principal, query)
    return _page(node, request, principal, view, _choices(node, view, {}))


@router.post("/standard/{query}")
def run(
    node: NodeDep, request: Request, principal: Sender, form: Fields, once: OnceDep, query: str
) -> Response:
    """Ask it and run it. Where a custodian has not taken part, the request waits for its decision."""
    view = standard_queries.get(node, principal, query)
    choices = _choices(node, view, form)
    text = translations(language_of(request)).gettext("Choose one of the values of %(title)s")
    faults = [
        {"text": text % {"title": each.title}, "href": f"#value-{each.name}"}
        for each in choices
        if each.value is None
    ]
    if faults:
        return _page(node, request, principal, view, choices, faults)
    asked = standard_queries.ask(node, principal, query, once)
    if not asked.usable:
        return RedirectResponse(f"/requests/{asked.request}", 303)
    values = {each.name: each.value for each in choices if each.value is not None}
    # The form acts twice, so that its key is two.
    then = None if once is None else replace(once, key=f"{once.key[:250]} run")
    started = runs.start(node, principal, asked.request, values, then)
    return RedirectResponse(f"/runs/{started.run}", 303)


def _page(
    node: Node,
    request: Request,
    principal: Principal,
    view: StandardQueryView,
    choices: Sequence[Choice],
    faults: Sequence[Fault] = (),
) -> Response:
    today = node.clock().date()
    query = node.catalogue.standard_queries[view.query]
    held = {node.catalogue.datasets[name].document.custodian for name in view.datasets}
    runs_it = permitted(principal, Act.RUN) and may_run(query, node.catalogue, principal.body, today)
    return page(
        request,
        "standard.html",
        status=422 if faults else 200,
        query=view,
        choices=choices,
        runs_it=runs_it,
        waits=sorted(held - view.decided_by.keys()),
        faults=list(faults),
    )


def _choices(node: Node, view: StandardQueryView, form: Form) -> list[Choice]:
    query = node.catalogue.standard_queries[view.query]
    found = []
    for each in view.parameters:
        names = names_of(query.parameters[each.name], node.catalogue.codelists)
        values = {names.get(value, str(value)): value for value in each.values}
        if len(values) < len(each.values):  # two codes of one name: codes tell them apart
            values = {f"{names.get(value, '')} ({value})": value for value in each.values}
        found.append(Choice(each.name, each.title, values, first(form, f"value-{each.name}")))
    return found
