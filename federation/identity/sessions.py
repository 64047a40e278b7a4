"""Who is signed in at the pages: sessions in the node's database, so that every process of a node knows them.

A browser holds 256 random bits, the database their SHA-256: who reads the database can't take a session over. A
session is over when nobody has used it for a while, after its longest time, when the delegation that it was opened
under ends, and when the settings of identity have changed since: whom they no longer admit is not admitted.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from federation.audit.chain import append
from federation.audit.events import AuditAction, AuditEvent
from federation.identity.principal import Delegation, NodeRole, Principal
from federation.identity.recorded import for_whom
from federation.identity.records import WebSession
from federation.state.database import Database

NOTED_EVERY = timedelta(minutes=1)
"""Use is written down at most this often: a page read is not a write each time."""


class SessionOver(Exception):
    """The session that was to go on has ended."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody's session. ``csrf_token`` goes into every form of the session's pages, and comes back with it.

    ``own`` is who they are where they act for nobody else; None: they have no place of their own at this node."""

    principal: Principal
    own: Principal | None
    csrf_token: str


@dataclass(frozen=True, slots=True)
class Sessions:
    """The sessions of a node.

    Args:
        idle: how long one may lie unused.
        longest: how long one lasts at most.
        terms: digest of the settings of identity; a session of other ones is over.
    """

    database: Database
    idle: timedelta
    longest: timedelta
    terms: str

    def open(self, principal: Principal, own: Principal | None, now: datetime) -> str:
        """Begin a session and return what the browser holds: always new, so that none is fixed beforehand."""
        with self.database.write() as session:
            session.execute(delete(WebSession).where(WebSession.ends_at <= now))
            return self._begin(session, principal, own, now + self.longest, now)

    def act_for(self, cookie: str, principal: Principal, now: datetime) -> str:
        """Go on as ``principal``, which is the same person for another body. It is a new session, with another value
        and other tokens, so that no form that was begun for one body is sent for another; but it lasts no longer than
        the one that it takes the place of would have by itself.

        Raises:
            SessionOver: the browser has none any more.
        """
        with self.database.write() as session:
            mine = WebSession.digest == digest_of(cookie)
            row = session.scalars(delete(WebSession).where(mine).returning(WebSession)).one_or_none()
            if row is None or self._is_over(row, now):
                raise SessionOver
            before = row.principal
            append(session, _event(_read(before["principal"]), AuditAction.SESSION_CLOSED, now))
            own = None if before["own"] is None else _read(before["own"])
            return self._begin(session, principal, own, datetime.fromisoformat(before["longest"]), now)

    def _begin(
        self, session: Session, principal: Principal, own: Principal | None, longest: datetime, now: datetime
    ) -> str:
        cookie = secrets.token_urlsafe(32)
        delegation = principal.delegation
        append(session, _event(principal, AuditAction.SESSION_OPENED, now))
        session.add(
            WebSession(
                digest=digest_of(cookie),
                principal={
                    "principal": _written(principal),
                    "own": None if own is None else _written(own),
                    "longest": longest.isoformat(),
                },
                terms=self.terms,
                opened_at=now,
                seen_at=now,
                ends_at=longest if delegation is None else min(longest, _end_of(delegation.until)),
            )
        )
        return cookie

    def _is_over(self, row: WebSession, now: datetime) -> bool:
        return row.terms != self.terms or now >= min(row.ends_at, row.seen_at + self.idle)

    def find(self, cookie: str, now: datetime) -> SignedIn | None:
        """The session of a browser that holds ``cookie``, if there is one that is not over."""
        with self.database.read() as session:
            row = session.get(WebSession, digest_of(cookie))
        if row is None or self._is_over(row, now):
            return None
        if now - row.seen_at >= NOTED_EVERY:
            with self.database.write() as session:
                later = update(WebSession).where(WebSession.digest == row.digest, WebSession.seen_at < now)
                session.execute(later.values(seen_at=now))
        own = row.principal["own"]
        return SignedIn(
            _read(row.principal["principal"]), None if own is None else _read(own), csrf_token_of(cookie)
        )

    def close(self, cookie: str, now: datetime) -> None:
        """End the session of a browser, if it has one."""
        with self.database.write() as session:
            ended = delete(WebSession).where(WebSession.digest == digest_of(cookie))
            who = session.scalars(ended.returning(WebSession.principal)).one_or_none()
            if who is not None:
                append(session, _event(_read(who["principal"]), AuditAction.SESSION_CLOSED, now))


def digest_of(cookie: str) -> str:
    """What is stored of a value that a browser holds. It is random enough to need no salt."""
    return hashlib.sha256(cookie.encode("utf-8", "surrogatepass")).hexdigest()


def csrf_token_of(cookie: str) -> str:
    """The token of a session's forms: follows from what the browser alone holds, and gives nothing of it away."""
    return hmac.new(cookie.encode("utf-8", "surrogatepass"), b"csrf", hashlib.sha256).hexdigest()


def _end_of(day: date) -> datetime:
    """The first moment after ``day`` (UTC)."""
    return datetime.combine(day + timedelta(days=1), time(), UTC)


def _event(principal: Principal, action: AuditAction, now: datetime) -> AuditEvent:
    return AuditEvent(principal.subject, action, principal.subject, now, for_whom(principal))


def _written(principal: Principal) -> dict[str, Any]:
    delegation = principal.delegation
    return {
        "subject": principal.subject,
        "name": principal.name,
        "body": principal.body,
        "roles": sorted(principal.roles),
        "delegation": None
        if delegation is None
        else [delegation.delegation, delegation.instrument, delegation.until.isoformat()],
    }


def _read(written: dict[str, Any]) -> Principal:
    delegation = None
    if written["delegation"] is not None:
        name, instrument, until = written["delegation"]
        delegation = Delegation(name, instrument, date.fromisoformat(until))
    roles = frozenset(NodeRole(role) for role in written["roles"])
    return Principal(written["subject"], written["name"], written["body"], roles, delegation)
