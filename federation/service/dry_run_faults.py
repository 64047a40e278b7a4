"""Why a dry run came to nothing, and what to do about it: whoever looks is the custodian that others are sent to."""

from __future__ import annotations

from catalogue.fragment import SourceFault
from federation.runs.outcomes import RunFault, meaning_of
from federation.sandbox.model import Fault as PresentationFault
from federation.service.errors import Fault, ServiceCode, ServiceError

_AGAIN = "look again in a while"
_MEND = "have the data or the catalogue mended: `federation check --data` finds what is wrong"
_LESS = "look again when the source has less to do, or return the request, to be asked for less"
_REMEDIES: dict[str, str] = {
    SourceFault.UNREACHABLE: "look again in a while, or have whoever keeps the source see why",
    SourceFault.MISSING: "have it put back, or the catalogue say where it is now",
    SourceFault.DENIED: "have the node given its rights back: `federation sources check` says which",
    SourceFault.SCHEMA: _MEND,
    SourceFault.UNSUPPORTED: "return the request, to be asked without it",
    SourceFault.UNSOUND: _MEND,
    SourceFault.CHANGED: _AGAIN,
    SourceFault.TIMEOUT: _LESS,
    SourceFault.RESOURCES: _LESS,
    SourceFault.FAILED: "have whoever keeps the source see why",
    RunFault.REFUSED: "look with other values, or return the request",
    RunFault.PROTECTION_FAILED: "do not approve it before the operator of the node has seen why",
    ServiceCode.COMPILER_BUSY: _AGAIN,
    ServiceCode.COMPILER_TIMEOUT: _AGAIN,
    **dict.fromkeys(map(str, PresentationFault), "return the request, to be asked for less"),
}
_OTHERWISE = "tell the operator of the node"


def failed(code: str) -> ServiceError:
    """The refusal for a dry run that ended with ``code``: what happened, and what whoever looked can do."""
    meaning, remedy = meaning_of(code), _REMEDIES.get(code, _OTHERWISE)
    return ServiceError(
        ServiceCode.DRY_RUN_FAILED, f"{meaning}: {remedy}", (Fault(code, meaning, remedy=remedy),)
    )
