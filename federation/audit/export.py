"""The audit trail as JSON lines: one event a line, with all that its hash covers, to be kept and verified elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

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
    """The events of an export, for ``federation.audit.chain.verify_events``.

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
        except (ValueError, TypeError):
            raise ExportUnreadable(number) from None
        yield AuditRecord(**fields)
