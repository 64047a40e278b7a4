"""The audit trail as JSON lines: one event a line, with all that its hash covers, to be kept and verified elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from federation.audit.chain import ChainFault, ChainFaultKind, ChainLink, ChainReport, verify_events
from federation.audit.events import AuditAction
from federation.audit.records import AuditRecord
from federation.client.digest import canonical_json

FIELDS = ("sequence", "time", "actor", "action", "subject", "details", "previous", "hash")


class ExportUnreadable(ValueError):
    """A line is no event of an export. ``line`` counts from 1."""

    def __init__(self, line: int) -> None:
        super().__init__(f"line {line} is no event of an audit trail")
        self.line = line


def line_of(record: AuditRecord) -> bytes:
    """One event as a line of canonical JSON. ``details`` is the very text that is hashed."""
    return canonical_json({name: getattr(record, name) for name in FIELDS}) + b"\n"


def read_lines(lines: Iterable[bytes]) -> Iterator[AuditRecord]:
    """The events of an export, each line to the byte as it was written: one that says a thing twice, say, would be read
    as one thing here and as another elsewhere.

    Raises:
        ExportUnreadable: a line is none.
    """
    for number, line in enumerate(lines, start=1):
        try:
            fields = json.loads(line)
            if set(fields) != set(FIELDS) or not isinstance(fields["sequence"], int):
                raise ExportUnreadable(number)
            if not all(isinstance(fields[name], str) for name in FIELDS[1:]):
                raise ExportUnreadable(number)
            if canonical_json(fields) != line.rstrip(b"\r\n"):
                raise ExportUnreadable(number)
        except (ValueError, TypeError):
            raise ExportUnreadable(number) from None
        yield AuditRecord(**fields)


def verify_export(lines: Iterable[bytes], checkpoint: ChainLink | None = None) -> ChainReport:
    """Follow the events of an export. Its last one records the export itself: what ends otherwise was cut off.

    Without a checkpoint it cannot be seen that it was cut off at an earlier export, or written anew as a whole.

    Raises:
        ExportUnreadable: a line is none of an export.
    """
    last: AuditRecord | None = None

    def followed() -> Iterator[AuditRecord]:
        nonlocal last
        for record in read_lines(lines):
            last = record
            yield record

    report = verify_events(followed(), checkpoint)
    if report.whole and (last is None or last.action != AuditAction.AUDIT_EXPORTED):
        return ChainReport(report.reached, ChainFault(ChainFaultKind.CUT_OFF, report.reached.sequence + 1))
    return report
