"""What a notice says: that something happened to which thing, never what anybody wrote, and never a data value."""

from __future__ import annotations

from enum import StrEnum


class NoticeKind(StrEnum):
    """What people are told of."""

    TO_DECIDE = "to_decide"
    TAKEN_UP = "taken_up"
    APPROVED = "approved"
    RETURNED = "returned"
    REFUSED = "refused"
    APPEALED = "appealed"
    SUSPENDED = "suspended"
    RESUMED = "resumed"
    REVOKED = "revoked"
    WITHDRAWN = "withdrawn"
    SUPERSEDED = "superseded"
    COMMENTED = "commented"
    RECALLED = "recalled"
    LAPSES = "lapses"
    EXPIRES = "expires"
    AGREEMENT_ENDS = "agreement_ends"


_SENTENCES = {
    NoticeKind.TO_DECIDE: "The request {about} waits for a decision of your body",
    NoticeKind.TAKEN_UP: "A custodian has begun to review your request {about}",
    NoticeKind.APPROVED: "A custodian approved your request {about}; see whether conditions have to be accepted",
    NoticeKind.RETURNED: "Your request {about} was returned with comments: change it and submit it again",
    NoticeKind.REFUSED: "Your request {about} was refused",
    NoticeKind.APPEALED: "The refusal of the request {about} was appealed: another custodian decides",
    NoticeKind.SUSPENDED: "The approval of your request {about} is suspended for now",
    NoticeKind.RESUMED: "The approval of your request {about} was resumed",
    NoticeKind.REVOKED: "The approval of your request {about} was revoked",
    NoticeKind.WITHDRAWN: "The request {about} on your data was withdrawn",
    NoticeKind.SUPERSEDED: "Your request {about} was superseded: what would run is no longer what was approved",
    NoticeKind.COMMENTED: "There is a comment on {about}",
    NoticeKind.RECALLED: "The release {about} was recalled: do not use copies of it",
    NoticeKind.LAPSES: "The request {about} lapses on {day} unless somebody acts on it",
    NoticeKind.EXPIRES: "The approval of your request {about} ends on {day}",
    NoticeKind.AGREEMENT_ENDS: "The agreement {about} ends on {day}",
}


def sentence(kind: str, about: str, day: str | None) -> str:
    """A notice as a sentence without its full stop.

    >>> sentence("expires", "req_1", "2026-03-31")
    'The approval of your request req_1 ends on 2026-03-31'
    """
    return _SENTENCES[NoticeKind(kind)].format(about=about, day=day or "a day to come")
