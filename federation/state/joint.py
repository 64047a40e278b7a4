"""With whom a node counts jointly: what one snapshot holds with one roster, ever.

If a count could be asked with all nodes and again with all but one, the difference would be the part of that one. The
same people make up many cells: all of them, say, are those of the North and those of the South. So the roster is bound
to the whole snapshot, and not cell by cell.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from federation.audit.events import AuditAction, AuditEvent
from federation.state.changes import record
from federation.state.errors import RosterTaken
from federation.state.models import JointRoster


def give(
    session: Session,
    action: AuditAction,
    release: str,
    snapshot: str,
    roster: str,
    now: datetime,
    event: AuditEvent,
) -> None:
    """Record that keys or values (``action``) of a joint count are given, and with which roster, before they are.

    ``release`` is that of the node's own round A.

    Raises:
        RosterTaken: the snapshot was counted with another roster. Roll back.
    """
    record(session, event, action, release)
    known = session.get(JointRoster, snapshot)
    if known is None:
        session.add(JointRoster(snapshot=snapshot, roster=roster, created_at=now))
        session.flush()
    elif known.roster != roster:
        raise RosterTaken("this data was counted with other nodes before")
