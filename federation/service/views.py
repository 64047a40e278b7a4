"""What the use cases return: plain values, as programs and people read them. Nothing here holds a raw cell."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from federation.state.lifecycle import RequestState, RunState


@dataclass(frozen=True, slots=True)
class DatasetSummary:
    """One line of the catalogue."""

    dataset: str
    title: str
    description: str
    publisher: str
    custodian: str
    population: str
    reference_period: str
    geography: str
    licence: str


@dataclass(frozen=True, slots=True)
class VariableView:
    """A column that a query may name, and how it may be used."""

    name: str
    role: str
    title: str
    description: str
    uses: list[str]
    codelist: str | None
    level: str | None
    unit: str
    nullable: bool
    sensitive: bool
    minimum: float | None
    maximum: float | None
    step: float | None


@dataclass(frozen=True, slots=True)
class RelationshipView:
    """Along which key a query may join, and to what."""

    name: str
    to: str
    from_column: str
    to_column: str


@dataclass(frozen=True, slots=True)
class DatasetView:
    """All that the catalogue says of a dataset, beside where it stands."""

    dataset: str
    title: str
    description: str
    publisher: str
    custodian: str
    population: str
    unit: str
    reference_period: str
    supersedes: str | None
    geography: str
    sampling: str
    known_limits: list[str]
    licence: str
    legal_basis: str
    profile: str
    profile_version: str
    minimum_frequency: int
    variables: list[VariableView]
    relationships: list[RelationshipView]


@dataclass(frozen=True, slots=True)
class CodeView:
    """A code of a classification, at one of its levels."""

    level: str
    code: str | int
    name: str


@dataclass(frozen=True, slots=True)
class CodeListSummary:
    codelist: str
    title: str
    vintage: str
    source: str
    levels: list[str]
    groupings: list[str]
    size: int


@dataclass(frozen=True, slots=True)
class CodeListView:
    """A classification and the codes that were searched for; ``matches`` counts those beyond the limit too."""

    codelist: str
    title: str
    vintage: str
    source: str
    levels: list[str]
    groupings: list[str]
    matches: int
    codes: list[CodeView]


@dataclass(frozen=True, slots=True)
class AgreementView:
    """An agreement that the reader's body is party to. ``in_force`` is as of today."""

    agreement: str
    title: str
    datasets: list[str]
    purposes: list[str]
    legal_gateway: str
    start: date
    review: date
    end: date
    in_force: bool


@dataclass(frozen=True, slots=True)
class ParameterView:
    """A parameter of a standard query, and every value that it may take. ``type`` is text, integer or number."""

    name: str
    title: str
    type: str
    values: list[str | int | Decimal]


@dataclass(frozen=True, slots=True)
class StandardQueryView:
    """A query that custodians published: ``bodies`` run it for its purpose, until a day, without a further hand.
    ``decided_by`` says for each custodian body who decided; ``datasets`` are those that it reads."""

    query: str
    title: str
    description: str
    sql: str
    agreement: str
    purpose: str
    bodies: list[str]
    parameters: list[ParameterView]
    datasets: list[str]
    decided_by: dict[str, str]
    until: date


@dataclass(frozen=True, slots=True)
class DatasetUser:
    """A body that may ask about a dataset, and for what."""

    body: str
    agreement: str
    purposes: list[str]


@dataclass(frozen=True, slots=True)
class RuleView:
    """A rule that changed or bounds the query, and what it put in."""

    rule: str
    effect: str


@dataclass(frozen=True, slots=True)
class ExplanationView:
    """What a query asks, and what becomes of it on its way to the source and back."""

    question: str
    sql_as_asked: str
    source_sql: list[str]
    presentation_sql: str
    rules: list[RuleView]


@dataclass(frozen=True, slots=True)
class FaultView:
    """A reason why a query is refused."""

    code: str
    message: str
    rule: str
    remedy: str
    line: int | None
    column: int | None
    offset: int | None
    suggestion: str | None


@dataclass(frozen=True, slots=True)
class CheckView:
    """Whether a query would be accepted: an explanation, or every reason for refusing it.

    ``purpose`` is ``permitted``, ``not_permitted`` or ``needs_a_person``. ``decided_by`` says for each dataset who
    decides: a standing rule, or the custodian body.
    """

    accepted: bool
    explanation: ExplanationView | None
    refusals: list[FaultView]
    warnings: list[str]
    columns: list[str]
    cells: int
    plan_digest: str | None
    purpose: str
    decided_by: dict[str, str]


@dataclass(frozen=True, slots=True)
class DelegationView:
    """What lets somebody act for ``body``, which is not their own, until the end of a day."""

    delegation: str
    body: str
    instrument: str
    until: date


@dataclass(frozen=True, slots=True)
class DecisionView:
    """A decision on one dataset of a request, made for the body ``custodian`` on the request's ``version``.

    ``kind`` is ``person``, ``standing_rule``, ``standard_query`` or ``holder``. ``role`` is in what capacity a person
    acted: ``custodian``, ``reviewer``, or ``requester``, whose ``outcome`` is ``accept`` or ``appeal``; else it is the
    kind, or ``node``. ``delegation`` is there where a person decided for a body not their own. A refusal
    has a ``code``; an approval may have ``conditions`` to accept, and a number of releases that it is good for.
    """

    dataset: str
    custodian: str
    outcome: str
    kind: str
    role: str
    decided_by: str
    delegation: DelegationView | None
    reason: str
    code: str | None
    conditions: str | None
    maximum_runs: int | None
    version: int
    decided_at: datetime
    valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class VersionView:
    """A request as it was submitted at one time."""

    version: int
    agreement: str
    purpose: str
    justification: str
    sql: str
    question: str
    parameters: dict[str, Any]
    plan_digest: str
    submitted_at: datetime


@dataclass(frozen=True, slots=True)
class ConditionView:
    """What a body asks the requester to accept."""

    body: str
    text: str


@dataclass(frozen=True, slots=True)
class NodeConditionsView:
    """Conditions on which ``node`` approved its part of a request, which it knows as ``request``. ``digest`` is that of
    these very words, by which they are accepted; ``accepted_by`` and ``accepted_at`` are there once they were."""

    node: str
    request: str
    conditions: list[ConditionView]
    digest: str
    learned_at: datetime
    accepted_by: str | None
    accepted_at: datetime | None


@dataclass(frozen=True, slots=True)
class RequestView:
    """A question that somebody asks to have approved.

    ``state`` is what holds now: an approval whose time is over reads ``expired``. ``usable`` says whether it
    can be run now and ``reason`` why not. ``waiting_for`` names the bodies that can decide, while they have to;
    ``lapses_at`` is when it ends if nobody acts. ``runs_left`` is there where its approvals limit the releases.
    ``purpose_answer`` is ``needs_a_person`` where the agreement does not name the purpose. ``justification`` is what
    the answer is for in the requester's words, empty where they gave none. ``version`` counts submissions, a draft's
    is 0; ``created_at`` is the time of the last one. ``delegation`` is there where the requester asked for a body not
    their own. ``node_conditions`` are those of other nodes, which give nothing before they were accepted. ``hub`` is
    the node that asked for somebody there, whose word it is who asks and what for; None where it was asked here.
    """

    request: str
    state: RequestState
    usable: bool
    reason: str
    valid_until: datetime | None
    requester: str
    body: str
    delegation: DelegationView | None
    hub: str | None
    agreement: str
    purpose: str
    purpose_answer: str
    justification: str
    sql: str
    question: str
    plan_digest: str
    datasets: dict[str, str]
    parameters: dict[str, Any]
    jointly_with: list[str]
    version: int
    supersedes: str | None
    waiting_for: list[str]
    lapses_at: datetime | None
    runs_left: int | None
    decisions: list[DecisionView]
    node_conditions: list[NodeConditionsView]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class RequestDetail:
    """A request as its reviewer sees it: with the explanation of what would run now."""

    request: RequestView
    explanation: ExplanationView | None
    refusals: list[FaultView]


@dataclass(frozen=True, slots=True)
class RunView:
    """One execution of a request. ``progress`` is a percentage, ``release`` is there when ``state`` is done."""

    run: str
    request: str
    state: RunState
    progress: int
    error: str | None
    message: str
    release: str | None
    created_at: datetime
    ended_at: datetime | None
