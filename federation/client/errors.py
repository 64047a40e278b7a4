"""What can go wrong between a program and a node, as exceptions that print what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason. ``line`` and ``column`` (from 1) point into the SQL that was sent, where it is about that."""

    code: str
    message: str
    remedy: str = ""
    rule: str = ""
    line: int | None = None
    column: int | None = None
    suggestion: str | None = None

    @classmethod
    def read(cls, item: Mapping[str, Any]) -> Fault:
        position = item.get("position") or item
        return cls(
            code=str(item.get("code", "")),
            message=str(item.get("message", "")),
            remedy=str(item.get("remedy") or ""),
            rule=str(item.get("rule") or ""),
            line=position.get("line"),
            column=position.get("column"),
            suggestion=item.get("suggestion"),
        )

    def show(self, sql: str | None = None) -> str:
        """The reason, its place under the line of SQL, the rule, and what to do.

        >>> print(Fault("unknown_column", "no column x", "use y", line=1, column=8).show("SELECT x"))
        unknown_column: no column x
            SELECT x
                   ^
            what to do: use y
        """
        lines = [f"{self.code}: {self.message}"]
        typed = [] if sql is None else sql.splitlines()
        if self.line is not None and self.column is not None and 0 < self.line <= len(typed):
            # A tab in the typed line stays a tab under it, so that the caret stands where it should.
            before = typed[self.line - 1][: self.column - 1]
            caret = "".join(character if character == "\t" else " " for character in before) + "^"
            lines += [f"    {typed[self.line - 1]}", f"    {caret}"]
        if self.rule:
            lines.append(f"    rule: {self.rule}")
        if self.remedy:
            lines.append(f"    what to do: {self.remedy}")
        if self.suggestion:
            lines.append(f"    this would be accepted: {self.suggestion}")
        return "\n".join(lines)


class FederationError(Exception):
    """Root of the client's errors. ``code`` is stable; ``faults`` lists every reason that the node gave."""

    code = "federation_error"

    def __init__(
        self, message: str, *, code: str | None = None, faults: tuple[Fault, ...] = (), sql: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.faults = faults
        self.sql = sql

    def __str__(self) -> str:
        if not self.faults:
            return f"{self.code}: {self.message}"
        return "\n".join(fault.show(self.sql) for fault in self.faults)


class NodeUnreachable(FederationError):
    """The node did not answer, or what answered is no node."""

    code = "node_unreachable"


class NotAuthenticated(FederationError):
    """The node accepts neither the token nor the credentials."""

    code = "not_authenticated"


class NotPermitted(FederationError):
    """The role, or the body, does not allow this."""

    code = "not_permitted"


class NotFound(FederationError):
    """There is no such thing, or it is not for this body to see."""

    code = "not_found"


class QueryRefused(FederationError):
    """The compiler refuses the query; every reason is in ``faults`` and printed with its place."""

    code = "query_refused"


class NotUsable(FederationError):
    """The request cannot be run now: it awaits a decision, or was refused, revoked, superseded or is expired."""

    code = "request_not_usable"


class Recalled(FederationError):
    """The custodian took the release back as wrong; the message has the reason."""

    code = "release_recalled"


class RunFailed(FederationError):
    """The run ended without a release. ``code`` says why."""

    code = "run_failed"


class TooManyRequests(FederationError):
    """The node asks to wait ``retry_after`` seconds."""

    code = "too_many_requests"

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


_KINDS: Mapping[str, type[FederationError]] = {
    kind.code: kind for kind in (NotAuthenticated, NotPermitted, NotFound, QueryRefused, NotUsable)
}
_BY_STATUS: Mapping[int, type[FederationError]] = {
    401: NotAuthenticated,
    403: NotPermitted,
    404: NotFound,
    410: Recalled,
}


def error_of(
    status: int, problem: Mapping[str, Any], retry_after: str | None, sql: str | None = None
) -> FederationError:
    """The exception for a problem document (RFC 9457)."""
    code = str(problem.get("code") or "federation_error")
    message = str(problem.get("detail") or problem.get("title") or f"the node answered {status}")
    if status == 429:
        return TooManyRequests(message, float(retry_after or 1))
    kind = _KINDS.get(code) or _BY_STATUS.get(status, FederationError)
    faults = tuple(Fault.read(item) for item in problem.get("errors", ()))
    return kind(message, code=code, faults=faults, sql=sql)
