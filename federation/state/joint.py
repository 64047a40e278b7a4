"""Which joint counts a node takes part in: each cell with one roster, on one snapshot, ever.

If a cell could be asked with all nodes and again with all but one, the difference would be the part of that one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from federation.audit.events import AuditAction, AuditEvent
from federation.state.changes import record
from federation.state.errors import RosterTaken
from federation.state.models import JointCell

AT_A_TIME = 500
"""Cells in one statement: every engine takes as many parameters."""


def give(
    session: Session,
    action: AuditAction,
    release: str,
    cells: Sequence[str],
    snapshot: str,
    roster: str,
    now: datetime,
    event: AuditEvent,
) -> None:
    """Record that keys or values (``action``) of a joint count are given, and with which roster, before they are.

    ``release`` is that of the node's own round A, ``cells`` what is given of it.

    Raises:
        RosterTaken: one of them was counted with another roster. Roll back.
    """
    record(session, event, action, release)
    distinct = list(dict.fromkeys(cells))
    for start in range(0, len(distinct), AT_A_TIME):
        some = distinct[start : start + AT_A_TIME]
        query = select(JointCell).where(JointCell.cell.in_(some), JointCell.snapshot == snapshot)
        known = {row.cell: row.roster for row in session.scalars(query)}
        if any(taken != roster for taken in known.values()):
            raise RosterTaken("a cell of this question was counted with other nodes before")
        session.add_all(
            JointCell(cell=cell, snapshot=snapshot, roster=roster, created_at=now)
            for cell in some
            if cell not in known
        )
        session.flush()
