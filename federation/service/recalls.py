"""Wrong releases: taken back by their custodians, and what anybody may know of that."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from federation.audit.events import AuditAction, AuditEvent, Detail, text_digest
from federation.identity.principal import Principal
from federation.notices.events import tell_of_recall
from federation.service.errors import ServiceCode, ServiceError
from federation.service.hubs import hub_of
from federation.service.node import Node
from federation.service.once import Once, act
from federation.service.permissions import Act, require
from federation.service.releases import find
from federation.state import recalls as store
from federation.state.authority import Officer
from federation.state.models import Recall, Request
from federation.state.releases import get_release
from federation.state.requests import get_request


@dataclass(frozen=True, slots=True)
class RecallView:
    """What stands in the place of a release that was recalled: never what was in it."""

    release: str
    table_digest: str
    reason: str
    body: str
    recalled_at: datetime


def recall(
    node: Node, principal: Principal, release_id: str, reason: str, once: Once | None = None
) -> RecallView:
    """Take a release back: from now on nobody is given its table here any more.

    Raises:
        ServiceError: NOT_FOUND for one that is not the custodian's, too.
    """
    require(principal, Act.DECIDE)
    release = find(node, principal, release_id)
    now = node.clock()
    officer = Officer(principal.subject, principal.body, is_custodian=True)
    details = {
        Detail.BODY: principal.body,
        Detail.TABLE_DIGEST: release.table_digest,
        Detail.REASON_DIGEST: text_digest(reason),
    }

    def do(session: Session) -> RecallView:
        event = AuditEvent(principal.subject, AuditAction.RELEASE_RECALLED, release_id, now, details)
        request = get_request(session, release.request)
        made = store.recall(session, release_id, officer, reason, given_to(node, request), now, event)
        tell_of_recall(session, release_id, request, now)
        return _view(session, made)

    return act(node.database, once, RecallView, now, do)


def given_to(node: Node, request: Request) -> list[str]:
    """The nodes that the releases of a request went to."""
    hub = hub_of(request, node.wire.peers)
    return [] if hub is None else [hub]


def recalled(node: Node, release_id: str) -> RecallView | None:
    """What stands in the place of a release, if it was recalled. Looked up each time: another process may do it."""
    with node.database.read() as session:
        found = store.find_recall(session, release_id)
        return None if found is None else _view(session, found)


def require_standing(node: Node, release_id: str) -> None:
    """Raises ServiceError RELEASE_RECALLED with the reason, for a release that was taken back."""
    found = recalled(node, release_id)
    if found is not None:
        detail = (
            f"{found.body} recalled this release on {found.recalled_at.date().isoformat()}: {found.reason}"
        )
        raise ServiceError(ServiceCode.RELEASE_RECALLED, detail)


def listing(node: Node, *, release: str | None = None, limit: int = 100, offset: int = 0) -> list[RecallView]:
    """What was recalled, the newest first; of one release where it is named. For anybody who holds a copy."""
    if release is not None:
        found = recalled(node, release)
        return [] if found is None else [found]
    with node.database.read() as session:
        return [_view(session, each) for each in store.list_recalls(session, limit=limit, offset=offset)]


def _view(session: Session, made: Recall) -> RecallView:
    return RecallView(
        release=made.release_id,
        table_digest=get_release(session, made.release_id).table_digest,
        reason=made.reason,
        body=made.body,
        recalled_at=made.recalled_at,
    )
