"""What a person is told: their notices, where they are sent, and reminders of what is about to end."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from federation.audit.events import AuditAction, AuditEvent, Detail
from federation.identity.principal import Principal
from federation.notices.feed import atom
from federation.notices.words import NoticeKind, sentence
from federation.service.errors import Fault, ServiceCode, ServiceError
from federation.service.node import Node
from federation.service.permissions import Act, permitted
from federation.service.use import use_of, waiting_for
from federation.state import notices as store
from federation.state import releases
from federation.state import requests as requests_store
from federation.state.lifecycle import GRANTED, UNDECIDED, RequestState
from federation.state.models import Request

FEED_ENTRIES = 100
MOST_REQUESTS = 10_000


@dataclass(frozen=True, slots=True)
class NoticeView:
    """One thing that the reader was told."""

    notice: int
    kind: str
    about: str
    text: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SubscriptionView:
    """Where notices go. ``feed`` is shown this once: whoever has the address can read it."""

    email: str | None
    feed: str


def subscribe(node: Node, principal: Principal, email: str | None) -> SubscriptionView:
    """Be told from now on, in a feed of one's own and, with an address, by e-mail. A feed from before ends.

    Raises:
        ServiceError: INVALID_REQUEST, e-mail does not go to this address.
    """
    if email is not None:
        _check_address(node, email)
    token = secrets.token_urlsafe(32)
    now = node.clock()
    event = AuditEvent(
        principal.subject,
        AuditAction.CONTACT_CHANGED,
        principal.subject,
        now,
        {Detail.BODY: principal.body, Detail.KIND: "feed" if email is None else "feed and e-mail"},
    )
    decides = permitted(principal, Act.DECIDE)
    with node.database.write() as session:
        store.subscribe(session, principal.subject, principal.body, decides, email, token, now, event)
    return SubscriptionView(email, f"{node.settings.public_url}/v1/feed/{token}")


def listing(node: Node, principal: Principal, limit: int = FEED_ENTRIES) -> list[NoticeView]:
    """What the reader was told, the newest first."""
    with node.database.read() as session:
        return [
            NoticeView(
                each.id, each.kind, each.about, sentence(each.kind, each.about, each.day), each.created_at
            )
            for each in store.notices_of(session, principal.subject, limit)
        ]


def feed(node: Node, token: str) -> bytes:
    """The Atom feed that a token leads to. NOT_FOUND for one that leads nowhere."""
    with node.database.read() as session:
        contact = store.contact_of_feed(session, token)
        if contact is None:
            raise ServiceError(ServiceCode.NOT_FOUND, "there is no such feed")
        told = store.notices_of(session, contact.subject, FEED_ENTRIES)
    settings = node.settings
    return atom(settings.node, settings.title, settings.public_url, told, contact.updated_at)


def remind(node: Node) -> None:
    """Tell people of what ends within ``remind_days``, each once."""
    now = node.clock()
    until = now + timedelta(days=node.settings.notices.remind_days)
    with node.database.write() as session:
        states = (*UNDECIDED, RequestState.RETURNED, *GRANTED)
        for request in requests_store.list_requests(session, states=states, limit=MOST_REQUESTS):
            _remind_of(node, session, request, now, until)
        for agreement in node.catalogue.agreements.values():
            if now.date() <= agreement.end <= until.date():
                day = agreement.end.isoformat()
                people = store.contacts(session, bodies=agreement.bodies)
                once = f"agreement:{agreement.agreement}:{day}"
                kind = NoticeKind.AGREEMENT_ENDS
                store.tell(session, people, kind, agreement.agreement, once, now, day=day)


def _remind_of(node: Node, session: Session, request: Request, now: datetime, until: datetime) -> None:
    decisions = requests_store.decisions(session, request.id)
    if request.state in GRANTED:
        released = releases.count_releases(session, request.id)
        use = use_of(node.catalogue, request, decisions, request.plan_digest, released, now)
        ends, kind = use.until, NoticeKind.EXPIRES
        people = store.contacts(session, subjects=[request.requester])
    else:
        ends, kind = request.lapses_at, NoticeKind.LAPSES
        returned = request.state is RequestState.RETURNED
        deciding = [] if returned else waiting_for(request, decisions)
        people = store.contacts(
            session, subjects=[request.requester] if returned else [], deciding_for=deciding
        )
    if ends is not None and now < ends <= until:
        day = ends.date().isoformat()
        store.tell(session, people, kind, request.id, f"{request.id}:{kind}:{day}", now, day=day)


def _check_address(node: Node, email: str) -> None:
    name, _, domain = email.rpartition("@")
    if node.settings.notices.smtp is None:
        message = "this node sends no e-mail: use the feed"
    elif not name or domain.lower() not in node.settings.notices.domains:
        message = "this node does not send e-mail to addresses of this domain"
    else:
        return
    fault = Fault("email_not_allowed", message, "use the feed, or another address", pointer="/email")
    raise ServiceError(ServiceCode.INVALID_REQUEST, message, (fault,))
