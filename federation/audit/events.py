"""What the audit trail records: who did what to which thing, when; and never a data value.

Details have keys of a closed set, each of which names an identifier, a digest, a code or a version. Numbers with
a fraction are refused, for nothing that is recorded is measured in them and released figures are. Free text that
people write (purposes, reasons) is held with the request or decision and enters here as its digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType

from federation.client.digest import canonical_json

GENESIS = "0" * 64
"""What the first event names as its previous hash."""

LONGEST_TEXT = 256

DetailValue = str | int | bool | None | tuple[str, ...]


class AuditAction(StrEnum):
    """Everything that is recorded. The event of an act that executes something is committed before it runs."""

    NODE_STARTED = "node.started"
    QUERY_REFUSED = "query.refused"
    REQUEST_SAVED = "request.saved"
    REQUEST_SUBMITTED = "request.submitted"
    REQUEST_TAKEN_UP = "request.taken_up"
    REQUEST_APPROVED = "request.approved"
    REQUEST_RETURNED = "request.returned"
    REQUEST_REFUSED = "request.refused"
    REQUEST_APPEALED = "request.appealed"
    REQUEST_ACCEPTED = "request.accepted"
    CONDITIONS_LEARNED = "conditions.learned"
    REQUEST_SUSPENDED = "request.suspended"
    REQUEST_RESUMED = "request.resumed"
    REQUEST_REVOKED = "request.revoked"
    REQUEST_WITHDRAWN = "request.withdrawn"
    REQUEST_SUPERSEDED = "request.superseded"
    DRY_RUN_STARTED = "dry_run.started"
    DRY_RUN_DONE = "dry_run.done"
    DRY_RUN_FAILED = "dry_run.failed"
    DATA_VERIFIED = "data.verified"
    DATA_REJECTED = "data.rejected"
    RUN_QUEUED = "run.queued"
    RUN_CLAIMED = "run.claimed"
    RUN_REQUEUED = "run.requeued"
    RUN_CANCEL_REQUESTED = "run.cancel_requested"
    RUN_CANCELLED = "run.cancelled"
    RUN_FAILED = "run.failed"
    RUN_VOIDED = "run.voided"
    FRAGMENT_STARTED = "fragment.started"
    RELEASE_ISSUED = "release.issued"
    RELEASE_FETCHED = "release.fetched"
    RELEASE_RECALLED = "release.recalled"
    PART_RECALLED = "part.recalled"
    JOINT_KEYS_GIVEN = "joint.keys_given"
    JOINT_VALUES_GIVEN = "joint.values_given"
    COMMENT_ADDED = "comment.added"
    CONTACT_CHANGED = "contact.changed"
    AUDIT_EXPORTED = "audit.exported"
    CHECKPOINT_SIGNED = "checkpoint.signed"
    MESSAGE_SENT = "message.sent"
    MESSAGE_RECEIVED = "message.received"
    SESSION_OPENED = "session.opened"
    SESSION_CLOSED = "session.closed"


class Detail(StrEnum):
    """The keys that an event may carry."""

    AGREEMENT = "agreement"
    ATTEMPT = "attempt"
    BODY = "body"
    CELLS = "cells"
    CODE = "code"
    CONDITIONS_DIGEST = "conditions_digest"
    DATASETS = "datasets"
    DELEGATION = "delegation"
    FILE_DIGEST = "file_digest"
    FINDINGS = "findings"
    IN_REPLY_TO = "in_reply_to"
    KEY_EPOCH = "key_epoch"
    KEY_ID = "key_id"
    KIND = "kind"
    MAXIMUM_RUNS = "maximum_runs"
    MESSAGE = "message"
    MESSAGE_DIGEST = "message_digest"
    NODES = "nodes"
    OWNER = "owner"
    PART = "part"
    PEER = "peer"
    PLAN_DIGEST = "plan_digest"
    REASON_DIGEST = "reason_digest"
    RELEASE = "release"
    REQUEST = "request"
    ROLE = "role"
    ROSTER = "roster"
    RUN = "run"
    SEQUENCE = "sequence"
    SESSION = "session"
    SNAPSHOTS = "snapshots"
    STANDARD_QUERY = "standard_query"
    STANDING_RULES = "standing_rules"
    TABLE_DIGEST = "table_digest"
    VALID_UNTIL = "valid_until"
    VERSION = "version"


class AuditDetailError(ValueError):
    """An event carries something that has no place in the audit trail."""

    code = "audit_detail_not_allowed"


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One act. ``actor`` and ``subject`` are identifiers, ``time`` has a zone.

    Raises:
        AuditDetailError: a detail's key is unknown, or its value is a number with a fraction or a long text.

    >>> AuditEvent("ann", AuditAction.RUN_QUEUED, "run-1", datetime(2026, 1, 5, tzinfo=UTC), {"pay": 512.5})
    Traceback (most recent call last):
    federation.audit.events.AuditDetailError: 'pay' is no key of an audit event
    """

    actor: str
    action: AuditAction
    subject: str
    time: datetime
    details: Mapping[Detail, DetailValue] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        if self.time.tzinfo is None:
            raise ValueError("an audit event needs a time with a zone")
        for key, value in self.details.items():
            if key not in set(Detail):
                raise AuditDetailError(f"{str(key)!r} is no key of an audit event")
            texts = value if isinstance(value, tuple) else (value,)
            if not all(text is None or isinstance(text, int | str) for text in texts):
                raise AuditDetailError(f"{str(key)!r} must be text, a whole number or a list of texts")
            if any(isinstance(text, str) and len(text) > LONGEST_TEXT for text in texts):
                raise AuditDetailError(f"{str(key)!r} is longer than {LONGEST_TEXT} characters")

    @property
    def time_text(self) -> str:
        """The time as it is hashed and stored: ISO 8601, UTC, microseconds."""
        return self.time.astimezone(UTC).isoformat(timespec="microseconds")

    @property
    def details_json(self) -> str:
        """The details as canonical JSON: the very text that is hashed and stored."""
        return canonical_json({str(key): value for key, value in self.details.items()}).decode()


def text_digest(text: str) -> str:
    """How free text enters the audit trail: bound to it, not readable in it."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def event_hash(
    *, sequence: int, time: str, actor: str, action: str, subject: str, details: str, previous: str
) -> str:
    """SHA-256 (hexadecimal) over the canonical JSON of an event's fields and the hash of the event before it.

    ``time`` and ``details`` are texts already (``AuditEvent.time_text``, ``details_json``) and hashed as such.
    """
    fields = {
        "sequence": sequence,
        "time": time,
        "actor": actor,
        "action": action,
        "subject": subject,
        "details": details,
        "previous": previous,
    }
    return hashlib.sha256(canonical_json(fields)).hexdigest()
