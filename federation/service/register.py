"""The public register: who ran which approved question on which data under which authority. Never a result."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from federation.service.node import Node
from federation.state import published
from federation.state import requests as store
from federation.state.lifecycle import Role
from federation.state.models import Request
from federation.state.published import Word


@dataclass(frozen=True, slots=True)
class RegisteredDataset:
    """``decided`` says in what capacities its use was approved: custodian, reviewer, rule, or where it is held."""

    dataset: str
    title: str
    custodian: str
    custodian_title: str
    decided: list[Role]


@dataclass(frozen=True, slots=True)
class RegisterEntry:
    """A question that was answered. Names no person: bodies answer for what they ask."""

    body: str
    body_title: str
    question: str
    purpose: str
    agreement: str
    legal_gateway: str
    datasets: list[RegisteredDataset]
    answered_at: datetime
    answers: int


@dataclass(frozen=True, slots=True)
class Sought:
    """What is looked for in the register: all ``words``, one body, one dataset. Empty: anything."""

    words: str = ""
    body: str = ""
    dataset: str = ""


ANYTHING = Sought()
MOST_WORDS = 10


def entries(
    node: Node, sought: Sought = ANYTHING, *, limit: int = 50, offset: int = 0
) -> list[RegisterEntry]:
    """What was answered, the latest first, under agreements that do not opt out (``public_register: false``).

    An agreement that is no longer in the catalogue can't be asked whether it opts out, and is left out.
    """
    agreements = node.catalogue.agreements
    words = [_word(node, word) for word in sought.words.split()[:MOST_WORDS]]
    with node.database.read() as session:
        return [
            RegisterEntry(
                body=found.request.body,
                body_title=_body(node, found.request.body),
                question=found.request.question,
                purpose=found.request.purpose,
                agreement=agreements[found.request.agreement].title,
                legal_gateway=agreements[found.request.agreement].legal_gateway,
                datasets=[
                    RegisteredDataset(
                        name,
                        _dataset(node, name),
                        custodian,
                        _body(node, custodian),
                        _decided(session, found.request, name),
                    )
                    for name, custodian in found.request.custodians.items()
                ],
                answered_at=found.last,
                answers=found.releases,
            )
            for found in published.with_releases(
                session,
                _shown(node),
                limit,
                offset,
                words=words,
                body=sought.body,
                dataset=sought.dataset,
            )
        ]


def _decided(session: Session, request: Request, dataset: str) -> list[Role]:
    approvals = store.approvals(request, store.decisions(session, request.id))
    return sorted({each.role for each in approvals if each.dataset == dataset})


def names(node: Node) -> tuple[dict[str, str], dict[str, str]]:
    """The bodies and the datasets that are in the register, with their titles."""
    with node.database.read() as session:
        bodies, datasets = published.registered(session, _shown(node))
    return (
        dict(sorted(((name, _body(node, name)) for name in bodies), key=lambda each: each[1])),
        dict(sorted(((name, _dataset(node, name)) for name in datasets), key=lambda each: each[1])),
    )


def _shown(node: Node) -> list[str]:
    return [name for name, agreement in node.catalogue.agreements.items() if agreement.public_register]


def _word(node: Node, text: str) -> Word:
    """What a word may be found in: what the register shows of a request."""
    catalogue, plain = node.catalogue, text.casefold()
    bodies = {name: body.title for name, body in catalogue.bodies.items()}
    agreements = {name: f"{each.title} {each.legal_gateway}" for name, each in catalogue.agreements.items()}
    datasets = {name: each.document.title for name, each in catalogue.datasets.items()}
    found = [
        frozenset(name for name, title in titles.items() if plain in title.casefold())
        for titles in (bodies, agreements, datasets)
    ]
    return Word(text, *found)


def _body(node: Node, name: str) -> str:
    body = node.catalogue.bodies.get(name)
    return name if body is None else body.title


def _dataset(node: Node, name: str) -> str:
    dataset = node.catalogue.datasets.get(name)
    return name if dataset is None else dataset.document.title
