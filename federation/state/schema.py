"""All tables together, as migrations compare them."""

from __future__ import annotations

from federation.audit.records import AuditRecord
from federation.identity.records import WebSession
from federation.state.models import LedgerEntry

METADATA = LedgerEntry.metadata
if AuditRecord.metadata is not METADATA or WebSession.metadata is not METADATA:
    raise AssertionError("the audit trail commits with what it records: it needs the same database")
