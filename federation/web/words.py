"""States, marks and roles as pages say them. Each is marked for translation here and translated where it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from federation.identity.principal import NodeRole
from federation.state.lifecycle import RequestState, Role, RunState
from federation.state.models import Outcome, RefusalReason
from federation.web.language import mark


@dataclass(frozen=True, slots=True)
class Tag:
    """A state in a coloured tag; the colour says nothing that the words do not."""

    text: str
    colour: str


REQUEST_TAGS: Mapping[RequestState, Tag] = {
    RequestState.DRAFT: Tag(mark("Draft"), "grey"),
    RequestState.SUBMITTED: Tag(mark("Waiting for a decision"), "yellow"),
    RequestState.UNDER_REVIEW: Tag(mark("Being reviewed"), "yellow"),
    RequestState.RETURNED: Tag(mark("Returned for changes"), "orange"),
    RequestState.APPROVED: Tag(mark("Approved"), "green"),
    RequestState.ACTIVE: Tag(mark("In use"), "green"),
    RequestState.SUSPENDED: Tag(mark("Suspended"), "orange"),
    RequestState.REFUSED: Tag(mark("Refused"), "red"),
    RequestState.WITHDRAWN: Tag(mark("Withdrawn"), "grey"),
    RequestState.LAPSED: Tag(mark("Lapsed"), "grey"),
    RequestState.REVOKED: Tag(mark("Taken back"), "red"),
    RequestState.EXPIRED: Tag(mark("Expired"), "grey"),
    RequestState.EXHAUSTED: Tag(mark("Used up"), "grey"),
    RequestState.SUPERSEDED: Tag(mark("Replaced"), "grey"),
}

OUTCOMES: Mapping[Outcome, str] = {
    Outcome.APPROVE: mark("Approved"),
    Outcome.RETURN: mark("Returned for changes"),
    Outcome.REFUSE: mark("Refused"),
    Outcome.APPEAL: mark("Appealed"),
    Outcome.ACCEPT: mark("Conditions accepted"),
    Outcome.SUSPEND: mark("Suspended"),
    Outcome.RESUME: mark("Resumed"),
    Outcome.REVOKE: mark("Approval taken back"),
}

REFUSALS: Mapping[RefusalReason, str] = {
    RefusalReason.PURPOSE_NOT_PERMITTED: mark("The purpose is not permitted"),
    RefusalReason.DISCLOSURE_RISK: mark("It could disclose something about somebody"),
    RefusalReason.INSUFFICIENT_DETAIL: mark("The request does not say enough"),
    RefusalReason.DATA_UNSUITABLE: mark("The data cannot answer the question"),
    RefusalReason.AUTHORITY_MISSING: mark("There is no authority for it"),
    RefusalReason.OTHER: mark("Another reason"),
}

RUN_TAGS: Mapping[RunState, Tag] = {
    RunState.QUEUED: Tag(mark("Waiting to start"), "yellow"),
    RunState.RUNNING: Tag(mark("Running"), "blue"),
    RunState.DONE: Tag(mark("Done"), "green"),
    RunState.FAILED: Tag(mark("Failed"), "red"),
    RunState.CANCELLED: Tag(mark("Stopped"), "grey"),
    RunState.VOID: Tag(mark("Came to nothing"), "grey"),
}

MARKS: Mapping[str, str] = {
    "[c]": mark("Confidential: withheld to protect the people or organisations it is about"),
    "[low]": mark("Low: rounds to zero"),
    "[part]": mark("A part is missing: a node did not answer, see the notes"),
    "[u]": mark("Unreliable: the sample is small, use with care"),
    "[x]": mark("Not available"),
    "[z]": mark("Not applicable: nothing to compute from"),
}

ROLES: Mapping[NodeRole, str] = {
    NodeRole.PLANNER: mark("planner"),
    NodeRole.ANALYST: mark("analyst"),
    NodeRole.CUSTODIAN: mark("custodian"),
    NodeRole.REVIEWER: mark("reviewer"),
    NodeRole.AUDITOR: mark("auditor"),
    NodeRole.ADMINISTRATOR: mark("administrator"),
}


CAPACITIES: Mapping[Role, str] = {
    Role.CUSTODIAN: mark("custodian"),
    Role.REVIEWER: mark("reviewer"),
    Role.STANDING_RULE: mark("standing rule"),
    Role.STANDARD_QUERY: mark("published query"),
    Role.NODE: mark("where the data is held"),
}
"""In what capacity somebody, or something, approved."""


def request_tag(state: RequestState) -> Tag:
    return REQUEST_TAGS[state]


def run_tag(state: RunState) -> Tag:
    return RUN_TAGS[state]
