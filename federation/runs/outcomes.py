"""How a run can end without a release: stable codes, and what each means to the person who waits."""

from __future__ import annotations

from enum import StrEnum

from catalogue.fragment import SourceFault
from federation.sandbox.model import Fault as PresentationFault
from federation.state.lifecycle import RunState


class RunFault(StrEnum):
    """Why a run ended, beside the faults of sources (``SourceFault``) and of the presentation."""

    NOT_USABLE = "request_not_usable"
    SUPERSEDED = "superseded"
    APPROVAL_WITHDRAWN = "approval_withdrawn"
    HOLDER_DECLINED = "holder_declined"
    HOLDERS_UNAVAILABLE = "holders_unavailable"
    PARTITIONS_EXHAUSTED = "partitions_exhausted"
    PART_RECALLED = "part_recalled"
    PROTECTION_FAILED = "protection_failed"
    STORAGE_FULL = "storage_full"
    STORAGE_FAILED = "storage_failed"
    REFUSED = "query_refused"
    COMPILER = "compiler_failed"
    ATTEMPTS_EXHAUSTED = "attempts_exhausted"
    INTERNAL = "internal_error"


_MEANINGS: dict[str, str] = {
    RunFault.NOT_USABLE: "the approval is not in force: look at the request",
    RunFault.SUPERSEDED: "what would run is no longer what was approved: ask again",
    RunFault.APPROVAL_WITHDRAWN: "the approval was withdrawn while the run was going",
    RunFault.HOLDER_DECLINED: "a holder of part of the data has not agreed to answer",
    RunFault.HOLDERS_UNAVAILABLE: "the nodes that hold the data gave nothing that can be shown",
    RunFault.PARTITIONS_EXHAUSTED: (
        "this population has been divided as often as its profile allows: ask with divisions used before"
    ),
    RunFault.PART_RECALLED: "a node recalled what it had given for this while the run was going: run again",
    RunFault.PROTECTION_FAILED: "the answer could not be protected, so nothing was released: tell the custodian",
    RunFault.STORAGE_FULL: "the node has no room for the release: run again when its operator has made some",
    RunFault.STORAGE_FAILED: "the node could not store the release: tell its operator",
    RunFault.REFUSED: "with these values the question is refused: check it with them in place of the parameters",
    RunFault.COMPILER: "the node could not compile the question: tell its operator",
    RunFault.ATTEMPTS_EXHAUSTED: "the run was begun several times and never came to its end: tell the operator",
    RunFault.INTERNAL: "an unforeseen error: tell the operator of the node",
    **{str(fault): fault.meaning for fault in PresentationFault},
    SourceFault.UNREACHABLE: "the source does not answer: run again later, or tell the custodian",
    SourceFault.MISSING: "the source has no such table or file: tell the custodian, who has to put it back",
    SourceFault.DENIED: (
        "the node may not read the source: tell the custodian, who finds out with `federation sources check`"
    ),
    SourceFault.UNSUPPORTED: (
        "the source cannot compute what the question or its profile needs: ask without it, or tell the custodian"
    ),
    SourceFault.SCHEMA: (
        "the data lacks a column or has another type than the catalogue says; running again cannot help: tell the "
        "custodian, who finds it with `federation check --data` and mends the data or the catalogue"
    ),
    SourceFault.UNSOUND: (
        "the data is not what the catalogue says, so it could not be protected; running again cannot help: tell the "
        "custodian, who finds what is wrong with `federation check --data` and mends the data or the catalogue"
    ),
    SourceFault.CHANGED: "the data changed while it was read: run again",
    SourceFault.TIMEOUT: "the source took longer than a run may: ask for less, or tell the custodian",
    SourceFault.CANCELLED: "somebody asked for the run to stop",
    SourceFault.RESOURCES: "the source had too little memory or disk: ask for less, or tell the custodian",
    SourceFault.FAILED: "the source failed, by a damaged file for instance: tell the custodian",
}

_STATES = {
    RunState.QUEUED: "waiting for a worker",
    RunState.RUNNING: "running",
    RunState.DONE: "released",
    RunState.CANCELLED: "cancelled: nothing was released",
}


def message_of(state: RunState, error_code: str | None, about: str | None = None) -> str:
    """What to tell the person who waits; ``about`` names the nodes that it is about.

    >>> message_of(RunState.FAILED, "storage_full")
    'the node has no room for the release: run again when its operator has made some'
    """
    if state in _STATES:
        return _STATES[state]
    meaning = _meaning(error_code)
    return f"{meaning}: {about}" if about else meaning


def meaning_of(error_code: str) -> str:
    """What happened, without what who asked can do about it.

    >>> meaning_of("source_timeout")
    'the source took longer than a run may'
    """
    return _meaning(error_code).partition(": ")[0]


def _meaning(error_code: str | None) -> str:
    return _MEANINGS.get(error_code or RunFault.INTERNAL, _MEANINGS[RunFault.INTERNAL])
