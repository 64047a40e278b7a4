"""States, marks and roles as pages say them. Each is marked for translation here and translated where it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from federation.identity.principal import NodeRole
from federation.state.lifecycle import RequestState, RunState
from federation.web.language import mark


@dataclass(frozen=True, slots=True)
class Tag:
    """A state in a coloured tag; the colour says nothing that the words do not."""

    text: str
    colour: str


REQUEST_TAGS: Mapping[RequestState, Tag] = {
    RequestState.SUBMITTED: Tag(mark("Waiting for a decision"), "yellow"),
    RequestState.APPROVED: Tag(mark("Approved"), "green"),
    RequestState.REFUSED: Tag(mark("Refused"), "red"),
    RequestState.REVOKED: Tag(mark("Taken back"), "red"),
    RequestState.EXPIRED: Tag(mark("Expired"), "grey"),
    RequestState.SUPERSEDED: Tag(mark("Replaced"), "grey"),
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

UNKNOWN = Tag(mark("See the details"), "grey")


def request_tag(state: RequestState) -> Tag:
    return REQUEST_TAGS.get(state, UNKNOWN)


def run_tag(state: RunState) -> Tag:
    return RUN_TAGS.get(state, UNKNOWN)
