"""What became of a request, in order: each submission, and each decision on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from federation.service.views import DecisionView, RequestView, VersionView
from federation.state.lifecycle import Role
from federation.state.models import DecisionKind, Outcome, RefusalReason
from federation.web.words import OUTCOMES, REFUSALS

Titles = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened. ``notes`` are its terms; ``before`` is the version that it submitted, if a later one
    took its place."""

    at: datetime
    what: str
    about: str
    text: str = ""
    notes: list[str] = field(default_factory=list)
    before: VersionView | None = None


def history_of(
    view: RequestView, versions: Sequence[VersionView], *, body_title: Titles, dataset_title: Titles
) -> list[Entry]:
    """The entries, the first one first. A decision on several datasets at once is one entry."""
    found = [_submitted(view, each) for each in versions]
    for made in _together(view.decisions):
        first = made[0]
        found.append(
            Entry(
                first.decided_at,
                OUTCOMES[Outcome(first.outcome)],
                f"for {_listed([dataset_title(each.dataset) for each in made])}, {_by(first, body_title)}",
                first.reason,
                _terms(first),
            )
        )
    return sorted(found, key=lambda entry: entry.at)


def _submitted(view: RequestView, version: VersionView) -> Entry:
    last = version.version == view.version
    what = "Submitted" if version.version == 1 else f"Submitted again as version {version.version}"
    return Entry(version.submitted_at, what, f"by {view.requester}", before=None if last else version)


def _together(decisions: Iterable[DecisionView]) -> list[list[DecisionView]]:
    """The decisions that were one act: alike but for their datasets."""
    acts: dict[tuple[object, ...], list[DecisionView]] = {}
    for each in decisions:
        act = (each.outcome, each.kind, each.decided_by, each.decided_at, each.reason, each.conditions)
        acts.setdefault(act, []).append(each)
    return list(acts.values())


def _by(decision: DecisionView, body_title: Titles) -> str:
    match DecisionKind(decision.kind):
        case DecisionKind.STANDING_RULE:
            return f"by the standing rule “{decision.decided_by}”"
        case DecisionKind.STANDARD_QUERY:
            return f"by the standard query “{decision.decided_by}”"
        case DecisionKind.HOLDER:
            return f"where it is held: {decision.decided_by}"
        case DecisionKind.PERSON if decision.outcome in (Outcome.ACCEPT, Outcome.APPEAL):
            return f"by {decision.decided_by}"
        case DecisionKind.PERSON:
            capacity = ", as reviewer" if decision.role == Role.REVIEWER else ""
            return (
                f"by {decision.decided_by}, {body_title(decision.custodian)}{capacity}{_delegated(decision)}"
            )


def _delegated(decision: DecisionView) -> str:
    given = decision.delegation
    return "" if given is None else f", by delegation until {given.until.isoformat()} ({given.instrument})"


def _terms(decision: DecisionView) -> list[str]:
    found = []
    if decision.code is not None:
        found.append(f"{REFUSALS[RefusalReason(decision.code)]}.")
    if decision.conditions is not None:
        found.append(f"On condition: {decision.conditions}")
    if decision.maximum_runs is not None:
        found.append(
            f"Good for {decision.maximum_runs:,} {'answer' if decision.maximum_runs == 1 else 'answers'}."
        )
    return found


def _listed(names: Sequence[str]) -> str:
    """Names in a sentence.

    >>> _listed(["People"]), _listed(["People", "Pay", "Posts"])
    ('People', 'People, Pay and Posts')
    """
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
