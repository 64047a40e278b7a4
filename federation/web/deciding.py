"""What a custodian's form says, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from federation.service import decisions
from federation.service.decisions import Ruling
from federation.service.views import RequestView
from federation.state.lifecycle import Action
from federation.state.models import RefusalReason
from federation.web.language import mark
from federation.web.visitor import LONGEST_TEXT, TOO_LONG, Fault, Form, first, text_of

MOST_RUNS = 100_000

ACTS: Mapping[Action, Callable[..., RequestView]] = {
    Action.APPROVE: decisions.approve,
    Action.RETURN: decisions.send_back,
    Action.REFUSE: decisions.refuse,
    Action.SUSPEND: decisions.suspend,
    Action.RESUME: decisions.resume,
    Action.REVOKE: decisions.revoke,
}
"""The decisions that take a reason."""


@dataclass(frozen=True, slots=True)
class Said:
    """What the form held, to be shown again."""

    reason: str = ""
    code: str = ""
    conditions: str = ""
    maximum_runs: str = ""
    until: str = ""

    @classmethod
    def read(cls, form: Form) -> Said:
        return cls(*(first(form, name) for name in ("reason", "code", "conditions", "maximum_runs", "until")))

    @property
    def limited(self) -> bool:
        """Whether an approval would have terms."""
        return bool(self.conditions or self.maximum_runs or self.until)


@dataclass(frozen=True, slots=True)
class Decided:
    """The act and the ruling of a form; or ``faults``, by the field."""

    said: Said
    act: Action | None = None
    ruling: Ruling | None = None
    faults: list[Fault] = field(default_factory=list)


def decided(form: Form, today: date) -> Decided:
    """The decision that a form asks for, as of ``today``. The terms of an approval are read for an approval alone."""
    said = Said.read(form)
    act = next((each for each in ACTS if each == first(form, "decision")), None)
    faults: list[Fault] = []
    if act is None:
        faults.append({"text": mark("Choose what you decide"), "href": "#decision"})
    reason = text_of(
        said.reason, "reason", mark("Give a reason: the requester reads it, and it is kept"), faults
    )
    ruling = Ruling(reason, first(form, "plan_digest") or None)
    if act is Action.REFUSE:
        ruling = _refusal(ruling, said, faults)
    if act is Action.APPROVE:
        ruling = _approval(ruling, said, today, faults)
    return Decided(said, act, None if faults else ruling, faults)


def _refusal(ruling: Ruling, said: Said, faults: list[Fault]) -> Ruling:
    code = next((each for each in RefusalReason if each == said.code), None)
    if code is None:
        faults.append({"text": mark("Choose what kind of reason it is"), "href": "#code"})
    return Ruling(ruling.reason, ruling.plan_digest, code=code)


def _approval(ruling: Ruling, said: Said, today: date, faults: list[Fault]) -> Ruling:
    runs = int(said.maximum_runs) if said.maximum_runs.isdecimal() and len(said.maximum_runs) < 9 else 0
    if said.maximum_runs and not 1 <= runs <= MOST_RUNS:
        text = mark("Give the number of answers as a whole number, from 1 to 100,000")
        faults.append({"text": text, "href": "#maximum_runs"})
    if len(said.conditions) > LONGEST_TEXT:
        faults.append({"text": TOO_LONG, "href": "#conditions"})
    until = _end_of(said.until, today)
    if said.until and until is None:
        faults.append({"text": mark("Give a last day that is still to come, or none"), "href": "#until"})
    return Ruling(ruling.reason, ruling.plan_digest, until, said.conditions or None, runs or None)


def _end_of(day: str, today: date) -> datetime | None:
    """The end of a day in UTC, if it is one that has not passed.

    >>> _end_of("2026-03-31", date(2026, 1, 5)).isoformat()
    '2026-04-01T00:00:00+00:00'
    >>> _end_of("2025-12-31", date(2026, 1, 5)) is None
    True
    """
    try:
        found = date.fromisoformat(day)
        after = found + timedelta(days=1)
    except (ValueError, OverflowError):
        return None
    return datetime(after.year, after.month, after.day, tzinfo=UTC) if found >= today else None
