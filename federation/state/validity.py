"""Whether an approval holds now: computed whenever it is used, from everything that it rests on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from federation.state.lifecycle import RUNNABLE, RequestState


class Ground(StrEnum):
    """What an approval rests on."""

    AGREEMENT = "agreement"
    APPROVAL = "approval"
    STANDING_RULE = "standing_rule"
    STANDARD_QUERY = "standard_query"
    DELEGATION = "delegation"


@dataclass(frozen=True, slots=True)
class Bound:
    """``name`` (an agreement, a rule…) holds from ``start`` until just before ``until``; None is unbounded."""

    ground: Ground
    name: str
    start: datetime | None = None
    until: datetime | None = None


def day_bound(ground: Ground, name: str, first: date | None, last: date | None) -> Bound:
    """A bound in whole days of UTC, ``last`` included.

    >>> day_bound(Ground.AGREEMENT, "a", None, date(2026, 3, 31)).until.isoformat()
    '2026-04-01T00:00:00+00:00'
    """
    return Bound(
        ground,
        name,
        None if first is None else datetime.combine(first, time(), UTC),
        None if last is None else datetime.combine(last + timedelta(days=1), time(), UTC),
    )


@dataclass(frozen=True, slots=True)
class Usable:
    """The approval holds until just before ``until`` (None: until something changes)."""

    until: datetime | None


@dataclass(frozen=True, slots=True)
class Unusable:
    """``state`` is what the request is at this moment; ``bound`` is what is not yet, or no longer, in force.

    An approved request without a bound awaits the acceptance of its conditions.
    """

    state: RequestState
    bound: Bound | None = None


def check_use(
    state: RequestState,
    *,
    approved_digest: str,
    plan_digest: str,
    bounds: Iterable[Bound],
    accepted: bool,
    releases: int,
    maximum_runs: int | None,
    now: datetime,
) -> Usable | Unusable:
    """Whether a request may be used at ``now``: the minimum over agreement, delegation and approvals.

    Args:
        state: the stored state of the request, unless it has lapsed.
        approved_digest: the plan digest that the approval binds.
        plan_digest: the digest of the plan compiled now; another one means superseded.
        bounds: everything that the approval rests on.
        accepted: whether the requester has accepted all conditions.
        releases: how many the request has had, of ``maximum_runs``; None: no limit.

    A bound that has not begun makes the request unusable in the state in which it is stored.
    """
    if state not in RUNNABLE:
        return Unusable(state)
    if approved_digest != plan_digest:
        return Unusable(RequestState.SUPERSEDED)
    held = tuple(bounds)
    for bound in held:
        if bound.until is not None and now >= bound.until:
            return Unusable(RequestState.EXPIRED, bound)
        if bound.start is not None and now < bound.start:
            return Unusable(state, bound)
    if maximum_runs is not None and releases >= maximum_runs:
        return Unusable(RequestState.EXHAUSTED)
    if not accepted:
        return Unusable(state)
    return Usable(min((bound.until for bound in held if bound.until is not None), default=None))
