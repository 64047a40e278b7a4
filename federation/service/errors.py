"""What a use case answers when it cannot do what was asked. Codes are stable and documented; no text holds data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from policies.refusals import Code, Position, Refusal


class ServiceCode(StrEnum):
    """Why the service did not do something, beside the refusals of a query (``policies.refusals.Code``)."""

    BODY_TOO_LARGE = "body_too_large"
    COMPILER_BUSY = "compiler_busy"
    COMPILER_TIMEOUT = "compiler_timeout"
    CSRF_REFUSED = "csrf_refused"
    DECISION_NOT_ALLOWED = "decision_not_allowed"
    DRY_RUN_FAILED = "dry_run_failed"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    IDENTITY_UNAVAILABLE = "identity_provider_unavailable"
    INTERNAL_ERROR = "internal_error"
    INVALID_REQUEST = "invalid_request"
    LOGIN_FAILED = "login_failed"
    MESSAGE_REFUSED = "message_refused"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    NOT_ACCEPTABLE = "not_acceptable"
    NOT_AUTHENTICATED = "not_authenticated"
    NOT_FOUND = "not_found"
    NOT_PERMITTED = "not_permitted"
    NOT_READY = "not_ready"
    NOT_USABLE = "request_not_usable"
    PLAN_CHANGED = "plan_changed"
    QUERY_REFUSED = "query_refused"
    RELEASE_RECALLED = "release_recalled"
    STATE_UNAVAILABLE = "state_unavailable"
    TOO_MANY_REQUESTS = "too_many_requests"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    WRONG_STATE = "wrong_state"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a request. ``pointer`` is a JSON pointer (RFC 6901) into its body."""

    code: str
    message: str
    remedy: str = ""
    rule: str = ""
    pointer: str | None = None
    position: Position | None = None
    suggestion: str | None = None

    @classmethod
    def of(cls, refusal: Refusal) -> Fault:
        return cls(
            code=str(refusal.code),
            message=refusal.message,
            remedy=refusal.remedy,
            rule=refusal.rule,
            pointer=_pointer(refusal),
            position=refusal.position,
            suggestion=refusal.suggestion,
        )


def _pointer(refusal: Refusal) -> str:
    """Where in the body the mistake is: what the SQL has a place for is in the SQL."""
    if refusal.parameter is not None:
        return f"/parameters/{refusal.parameter}"
    if refusal.position is None and refusal.code in (Code.NO_AGREEMENT, Code.AGREEMENT_EXPIRED):
        return "/agreement"
    return "/purpose" if refusal.code is Code.PURPOSE_NOT_PERMITTED else "/sql"


class ServiceError(Exception):
    """A use case was not carried out. ``faults`` lists everything that was found, where there is more to say."""

    def __init__(
        self, code: ServiceCode, detail: str, faults: tuple[Fault, ...] = (), retry_after: int | None = None
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.faults = faults
        self.retry_after = retry_after


def refused(refusals: tuple[Refusal, ...]) -> ServiceError:
    """A query that the compiler refuses, with all its reasons."""
    faults = tuple(Fault.of(refusal) for refusal in refusals)
    return ServiceError(ServiceCode.QUERY_REFUSED, "; ".join(fault.message for fault in faults), faults)
