"""What the node remembers of verifications: what was sound in its state, every outcome in the audit trail."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog

from connectors.protocol import Finding
from federation.audit.chain import append
from federation.audit.events import LONGEST_TEXT, AuditAction, AuditEvent, Detail, DetailValue
from federation.holders.verification import HeldData
from federation.state.database import Database
from federation.state.verified import add_verified, is_verified

NODE = "node"
log = structlog.get_logger(__name__)


class StoredVerifications:
    """Implements federation.holders.verification.VerificationRecord over the node's database.

    What was found wrong is not remembered: it is looked at again, since the custodian mends it.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def is_sound(self, held: HeldData) -> bool:
        with self._database.read() as session:
            return is_verified(session, held.dataset, held.snapshot, held.digest)

    def keep(self, held: HeldData, findings: tuple[Finding, ...]) -> None:
        now = self._clock()
        details: dict[Detail, DetailValue] = {Detail.SNAPSHOTS: (held.snapshot,), Detail.VERSION: held.digest}
        if findings:
            named = (f"{finding.column} {finding.kind}".strip()[:LONGEST_TEXT] for finding in findings)
            details[Detail.FINDINGS] = tuple(dict.fromkeys(named))
        action = AuditAction.DATA_REJECTED if findings else AuditAction.DATA_VERIFIED
        event = AuditEvent(NODE, action, held.dataset, now, details)
        with self._database.write() as session:
            if findings:
                append(session, event)
            else:
                add_verified(session, held.dataset, held.snapshot, held.digest, now, event)
        if findings:
            log.warning(
                "data_rejected", dataset=held.dataset, findings=sorted({str(f.kind) for f in findings})
            )
