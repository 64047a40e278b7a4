"""What became of a request, in order: each submission, and each decision on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from gettext import NullTranslations

from federation.service.views import DecisionView, NodeConditionsView, RequestView, VersionView
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
    view: RequestView,
    versions: Sequence[VersionView],
    *,
    body_title: Titles,
    dataset_title: Titles,
    node_title: Titles,
    words: NullTranslations,
) -> list[Entry]:
    """The entries in a language, the first one first. A decision on several datasets at once is one entry."""
    found = [_submitted(view, each, words) for each in versions]
    found += [
        _accepted(each, each.accepted_at, node_title, words)
        for each in view.node_conditions
        if each.accepted_at is not None
    ]
    for made in _together(view.decisions):
        first = made[0]
        found.append(
            Entry(
                first.decided_at,
                words.gettext(OUTCOMES[Outcome(first.outcome)]),
                words.gettext("for %(datasets)s, %(by)s")
                % {
                    "datasets": _listed([dataset_title(each.dataset) for each in made], words),
                    "by": _by(first, body_title, words),
                },
                first.reason,
                _terms(first, words),
            )
        )
    return sorted(found, key=lambda entry: entry.at)


def _submitted(view: RequestView, version: VersionView, words: NullTranslations) -> Entry:
    last = version.version == view.version
    what = words.gettext("Submitted")
    if version.version > 1:
        what = words.gettext("Submitted again as version %(number)s") % {"number": version.version}
    by = words.gettext("by %(person)s") % {"person": view.requester}
    return Entry(version.submitted_at, what, by, before=None if last else version)


def _accepted(
    conditions: NodeConditionsView, at: datetime, node_title: Titles, words: NullTranslations
) -> Entry:
    about = words.gettext("for %(node)s, by %(person)s")
    named = {"node": node_title(conditions.node), "person": conditions.accepted_by}
    texts = [words.gettext("On condition: %(text)s") % {"text": each.text} for each in conditions.conditions]
    return Entry(at, words.gettext(OUTCOMES[Outcome.ACCEPT]), about % named, notes=texts)


def _together(decisions: Iterable[DecisionView]) -> list[list[DecisionView]]:
    """The decisions that were one act: alike but for their datasets."""
    acts: dict[tuple[object, ...], list[DecisionView]] = {}
    for each in decisions:
        act = (each.outcome, each.kind, each.decided_by, each.decided_at, each.reason, each.conditions)
        acts.setdefault(act, []).append(each)
    return list(acts.values())


def _by(decision: DecisionView, body_title: Titles, words: NullTranslations) -> str:
    who = {"name": decision.decided_by, "person": decision.decided_by, "nodes": decision.decided_by}
    match DecisionKind(decision.kind):
        case DecisionKind.STANDING_RULE:
            return words.gettext("by the standing rule “%(name)s”") % who
        case DecisionKind.STANDARD_QUERY:
            return words.gettext("by the standard query “%(name)s”") % who
        case DecisionKind.HOLDER:
            return words.gettext("where it is held: %(nodes)s") % who
        case DecisionKind.PERSON if decision.outcome in (Outcome.ACCEPT, Outcome.APPEAL):
            return words.gettext("by %(person)s") % who
        case DecisionKind.PERSON:
            capacity = words.gettext(", as reviewer") if decision.role == Role.REVIEWER else ""
            by = words.gettext("by %(person)s") % who
            return f"{by}, {body_title(decision.custodian)}{capacity}{_delegated(decision, words)}"


def _delegated(decision: DecisionView, words: NullTranslations) -> str:
    given = decision.delegation
    if given is None:
        return ""
    text = words.gettext(", by delegation until %(day)s (%(instrument)s)")
    return text % {"day": given.until.isoformat(), "instrument": given.instrument}


def _terms(decision: DecisionView, words: NullTranslations) -> list[str]:
    found = []
    if decision.code is not None:
        found.append(f"{words.gettext(REFUSALS[RefusalReason(decision.code)])}.")
    if decision.conditions is not None:
        found.append(words.gettext("On condition: %(text)s") % {"text": decision.conditions})
    if decision.maximum_runs is not None:
        text = words.ngettext("Good for %(num)s answer.", "Good for %(num)s answers.", decision.maximum_runs)
        found.append(text % {"num": f"{decision.maximum_runs:,}"})
    return found


def _listed(names: Sequence[str], words: NullTranslations) -> str:
    """Names in a sentence.

    >>> _listed(["People"], NullTranslations()), _listed(["People", "Pay", "Posts"], NullTranslations())
    ('People', 'People, Pay and Posts')
    """
    *others, last = names
    if not others:
        return last
    return words.gettext("%(others)s and %(last)s") % {"others": ", ".join(others), "last": last}
