"""Asking: a builder for those who do not write SQL beside an editor for those who do, and what the node says to it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from federation.api.dependencies import NodeDep
from federation.identity.principal import Principal
from federation.service import catalogue_view, questions, requests, standard_queries
from federation.service.errors import ServiceCode, ServiceError
from federation.service.node import Node
from federation.service.permissions import Act, require
from federation.service.questions import Ask, Value
from federation.service.views import AgreementView, CheckView, CodeView, DatasetView, RequestView
from federation.web import builder
from federation.web.builder import Building
from federation.web.language import language_of, mark, translations
from federation.web.rendering import page
from federation.web.visitor import LONGEST_TEXT, TOO_LONG, Fault, Fields, Form, OnceDep, Reader, Sender, first
from policies.refusals import Code

router = APIRouter()
CODES_SHOWN = 60
ALL_CODES = 100_000
LONGEST_QUERY = 8_000
"""A question that fits into an address can be linked to; a longer one is sent as a form."""


@dataclass(frozen=True, slots=True)
class CodeChoice:
    """The codes of one condition: those that match the search, and those picked already."""

    variable: str
    title: str
    search: str
    codes: list[CodeView]
    matches: int
    picked: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the form held: shown again with what is wrong with it.

    ``change`` is the draft or the returned request that it changes, ``replaces`` the approved one whose place it takes.
    """

    sql: str = ""
    agreement: str = ""
    purpose: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    change: str = ""
    replaces: str = ""
    justification: str = ""

    @classmethod
    def read(cls, form: Form) -> Asked:
        sql = first(form, "sql")
        values = {name: first(form, f"value-{name}") for name in parameters_of(sql)}
        # What is longer than a name or a purpose can be is none, and a draft would keep it.
        agreement = first(form, "agreement")[:64]
        purpose = (first(form, "purpose") or first(form, "other_purpose"))[:LONGEST_TEXT]
        return cls(
            sql,
            agreement,
            purpose,
            values,
            first(form, "change"),
            first(form, "replaces"),
            first(form, "justification"),
        )

    @classmethod
    def of(cls, view: RequestView) -> Asked:
        """The question of a request, to be asked again."""
        values = {name: ", ".join(map(str, allowed)) for name, allowed in view.parameters.items()}
        return cls(view.sql, view.agreement, view.purpose, values, justification=view.justification)

    def ask(self) -> Ask:
        domains = {name: domain_of(text) for name, text in self.values.items() if domain_of(text)}
        terms = (self.agreement or None, self.purpose or None)
        return Ask(self.sql, *terms, domains, justification=self.justification)

    @property
    def faults(self) -> list[Fault]:
        """What is wrong with it whatever it asks."""
        if not self.sql:
            return [{"text": mark("Write a question in SQL, or build one"), "href": "#sql"}]
        if len(self.justification) > LONGEST_TEXT:
            return [{"text": TOO_LONG, "href": "#justification"}]
        return []


@router.get("/ask")
def ask(
    node: NodeDep,
    request: Request,
    principal: Reader,
    dataset: Annotated[str, Query(max_length=64)] = "",
    sql: Annotated[str, Query(max_length=LONGEST_QUERY)] = "",
    copy_of: Annotated[str, Query(alias="copy", max_length=64)] = "",
    change: Annotated[str, Query(max_length=64)] = "",
    replaces: Annotated[str, Query(alias="replace", max_length=64)] = "",
) -> Response:
    """The page to ask on; with a dataset its builder, with a request that request's question: to ask it again, to
    change the request itself, or to take its place."""
    require(principal, Act.CHECK)
    asked = Asked(sql)
    if named := change or replaces or copy_of:
        view = requests.get(node, principal, named)
        asked = replace(Asked.of(view), change=change, replaces=replaces)
    form = {name: request.query_params.getlist(name) for name in request.query_params}
    building = None
    if dataset:
        view_of = catalogue_view.dataset(node.catalogue, dataset)
        building = Building.read(form, view_of)
        if "build" in form:
            asked = replace(asked, sql=builder.sql_of(building, view_of), values={})
    return _page(node, request, principal, asked, form, building)


@router.post("/ask")
def check(node: NodeDep, request: Request, principal: Sender, form: Fields, once: OnceDep) -> Response:
    """What would become of the question: the way to have it approved, or every reason against it. Or keep it as a
    draft."""
    asked = Asked.read(form)
    if suggestion := first(form, "use_suggestion"):
        asked = replace(asked, sql=suggestion)
    if asked.faults:
        return _page(node, request, principal, asked, {}, None, status=422, faults=asked.faults)
    if first(form, "save"):
        view = requests.save(
            node,
            principal,
            asked.ask(),
            once,
            draft=asked.change or None,
            supersedes=_replaced(node, principal, asked),
        )
        return RedirectResponse(f"/requests/{view.request}?done=save", 303)
    checked = questions.check(node, principal, asked.ask())
    faults = [] if checked.accepted else [_fault(each.message, each.code) for each in checked.refusals]
    return _page(
        node,
        request,
        principal,
        asked,
        {},
        None,
        checked=checked,
        faults=faults,
        status=422 if faults else 200,
    )


@router.post("/requests")
def submit(node: NodeDep, request: Request, principal: Sender, form: Fields, once: OnceDep) -> Response:
    """Ask for the question to be approved: anew, in another one's place, or as the next version of one."""
    asked = Asked.read(form)
    if asked.faults:
        return _page(node, request, principal, asked, {}, None, status=422, faults=asked.faults)
    try:
        if asked.change:
            before = requests.get(node, principal, asked.change)
            ask = replace(asked.ask(), jointly_with=tuple(before.jointly_with))
            view = requests.submit_again(node, principal, asked.change, ask, once)
        else:
            view = requests.submit(node, principal, asked.ask(), once, supersedes=asked.replaces or None)
    except ServiceError as error:
        if error.code is not ServiceCode.QUERY_REFUSED:
            raise
        checked = questions.check(node, principal, asked.ask())
        faults = [_fault(each.message, each.code) for each in error.faults]
        return _page(node, request, principal, asked, {}, None, checked=checked, faults=faults, status=422)
    return RedirectResponse(f"/requests/{view.request}", 303)


def _fault(message: str, code: str) -> Fault:
    """A reason of the compiler against a question, at the field that it is about."""
    return {"text": message, "href": "#purpose" if code == Code.PURPOSE_NOT_PERMITTED else "#sql"}


def _replaced(node: Node, principal: Principal, asked: Asked) -> str | None:
    """The request whose place the question is to take; that of a draft was named when it was first kept."""
    if asked.change:
        return requests.get(node, principal, asked.change).supersedes
    return asked.replaces or None


def parameters_of(sql: str) -> list[str]:
    """The names after a dollar sign, in order: a guess for the form, which the compiler corrects."""
    return list(dict.fromkeys(re.findall(r"\$([A-Za-z_]\w{0,62})", sql)))[:20]


def domain_of(text: str) -> tuple[Value, ...]:
    """Values as somebody lists them: parted by commas, whole numbers as numbers.

    >>> domain_of("2024, 2025"), domain_of("F"), domain_of("01")
    ((2024, 2025), ('F',), ('01',))
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return tuple(int(part) if re.fullmatch(r"0|-?[1-9]\d{0,17}", part) else part for part in parts)


def _page(
    node: Node,
    request: Request,
    principal: Principal,
    asked: Asked,
    form: Mapping[str, Sequence[str]],
    building: Building | None,
    *,
    checked: CheckView | None = None,
    faults: Sequence[Mapping[str, str]] = (),
    status: int = 200,
) -> Response:
    today = node.clock().date()
    agreements = [a for a in catalogue_view.agreements(node.catalogue, principal.body, today) if a.in_force]
    covered = {name for agreement in agreements for name in agreement.datasets}
    datasets = [d for d in catalogue_view.datasets(node.catalogue) if d.dataset in covered]
    name = (form.get("dataset") or [""])[0]
    dataset = catalogue_view.dataset(node.catalogue, name) if name else None
    return page(
        request,
        "ask.html",
        status=status,
        asked=asked,
        agreements=agreements,
        agreement=_agreement(asked, agreements),
        purposes=_purposes(agreements),
        datasets=datasets,
        dataset=dataset,
        building=building,
        measures=builder.measures_of(dataset, translations(language_of(request))) if dataset else [],
        groupable=builder.groupable_of(dataset) if dataset else [],
        filterable=builder.filterable_of(dataset) if dataset else [],
        groups=builder.GROUPS,
        filters=builder.FILTERS,
        choices=_choices(node, dataset, building, form) if dataset and building else [],
        parameters=parameters_of(asked.sql),
        checked=checked,
        lines=_lines(asked.sql, checked),
        faults=list(faults),
        standard=standard_queries.listing(node, principal),
        changes=requests.get(node, principal, asked.change) if asked.change else None,
    )


def _purposes(agreements: Sequence[AgreementView]) -> dict[str, list[str]]:
    """Every purpose that an agreement permits, with the titles of those that do."""
    found: dict[str, list[str]] = {}
    for each in agreements:
        for purpose in each.purposes:
            found.setdefault(purpose, []).append(each.title)
    return found


def _agreement(asked: Asked, agreements: Sequence[AgreementView]) -> AgreementView | None:
    """The agreement that was chosen, or the only one."""
    chosen = [each for each in agreements if each.agreement == asked.agreement]
    if not chosen and len(agreements) == 1:
        return agreements[0]
    return chosen[0] if chosen else None


def _choices(
    node: Node, dataset: DatasetView, building: Building, form: Mapping[str, Sequence[str]]
) -> list[CodeChoice]:
    """The codes to tick for each condition. What was ticked stays in the list, whatever is searched for."""
    titles = {variable.name: variable.title for variable in dataset.variables}
    found = []
    for picked in building.picked:
        name = picked.variable
        search = (form.get(f"search-{name}") or [""])[0][:100]
        values = partial(catalogue_view.values, node.catalogue, dataset.dataset, name)
        codes, matches = values(search=search, limit=CODES_SHOWN)
        ticked = [code for code in values(limit=ALL_CODES)[0] if str(code.code) in picked.codes]
        others = [code for code in codes if code not in ticked]
        found.append(CodeChoice(name, titles[name], search, ticked + others, matches, picked.codes))
    return found


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the SQL as typed, and below which of its characters a caret stands."""

    number: int
    text: str
    carets: tuple[int, ...]

    @property
    def pointer(self) -> str:
        return "".join("^" if column in self.carets else " " for column in range(1, max(self.carets) + 1))


def _lines(sql: str, checked: CheckView | None) -> list[Line]:
    """The SQL by lines, where something in it was refused that has a place."""
    if checked is None or checked.accepted:
        return []
    places = [(fault.line, fault.column) for fault in checked.refusals if fault.line and fault.column]
    if not places:
        return []
    return [
        Line(number, text, tuple(sorted({column for line, column in places if line == number and column})))
        for number, text in enumerate(sql.splitlines(), 1)
    ]
