"""A request and its run, followed from a notebook or a script."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from federation.client.errors import NotUsable, RunFailed
from federation.client.result import Result, fetch_release
from federation.client.transport import Transport

ENDED = frozenset({"done", "failed", "cancelled", "void"})
POLL_SECONDS = 10.0

Progress = Callable[[int, str], None]


class Request:
    """A question on its way to an answer. ``state`` and the other fields are those of the last look."""

    def __init__(self, transport: Transport, fields: Mapping[str, Any]) -> None:
        self._transport = transport
        self._fields = fields
        self._run: Mapping[str, Any] | None = None

    @property
    def id(self) -> str:
        return str(self._fields["request"])

    @property
    def state(self) -> str:
        return str(self._fields["state"])

    @property
    def plan_digest(self) -> str:
        return str(self._fields["plan_digest"])

    @property
    def release(self) -> str:
        """The release of the run that ended last; empty before."""
        return "" if self._run is None else str(self._run.get("release") or "")

    @property
    def fields(self) -> Mapping[str, Any]:
        """All that the node says of the request."""
        return self._fields

    def refresh(self) -> Request:
        """Look again."""
        self._fields = self._transport.get(f"/v1/requests/{self.id}")
        return self

    def explain(self) -> Mapping[str, Any]:
        """What would run now, as its reviewer sees it."""
        return self._transport.get(f"/v1/requests/{self.id}/explanation")

    def submit(self, sql: str | None = None) -> Request:
        """Submit a draft, or as its next version a request that was returned; with another text where one is given.

        Raises:
            QueryRefused: the compiler refuses it; every reason, with its place.
        """
        body = {} if sql is None else {"body": self._terms() | {"sql": sql}}
        return self._act("submit", **body)

    def appeal(self, reason: str) -> Request:
        """Have a refusal looked at by another reviewer than who refused, once."""
        return self._act("appeal", body={"reason": reason})

    @property
    def conditions(self) -> list[Mapping[str, Any]]:
        """Conditions of other nodes that await acceptance, as of the last look. ``node`` gives nothing before; its
        ``conditions`` have the body and the text of each."""
        return [each for each in self._fields["node_conditions"] if each["accepted_at"] is None]

    def accept(self, node: str | None = None) -> Request:
        """Accept the conditions of the approval; nothing runs before.

        Args:
            node: accept those of this other node instead, as they stand in ``conditions``.

        Raises:
            ValueError: the node has none there.
        """
        if node is None:
            return self._act("accept")
        found = [each["digest"] for each in self.conditions if each["node"] == node]
        if not found:
            raise ValueError(
                f"{node} has no conditions that await acceptance: run, or refresh, and look again"
            )
        for digest in found:
            self._act("accept", {"node": node, "conditions": digest})
        return self

    def withdraw(self) -> Request:
        """Give the request up."""
        return self._act("withdraw")

    def versions(self) -> list[Mapping[str, Any]]:
        """Every version that was submitted, the first one first."""
        found: list[Mapping[str, Any]] = self._transport.get(f"/v1/requests/{self.id}/versions")["versions"]
        return found

    def _terms(self) -> dict[str, Any]:
        terms = {name: self._fields[name] for name in ("agreement", "purpose", "parameters")}
        return {**terms, "justification": self._fields["justification"] or None}

    def _act(self, act: str, body: Mapping[str, Any] | None = None) -> Request:
        path = f"/v1/requests/{self.id}/{act}"
        self._fields = self._transport.post(path, body, key=uuid.uuid4().hex)
        return self

    def run(self, parameters: Mapping[str, Any] | None = None) -> Request:
        """Start a run.

        Raises:
            NotUsable: it is not approved, or no longer.
        """
        self._run = self._transport.post(
            f"/v1/requests/{self.id}/runs", {"parameters": parameters or {}}, key=uuid.uuid4().hex
        )
        return self

    def wait(self, progress: Progress | bool = True, timeout: float | None = None) -> Request:
        """Wait for the run to end; one is started where none was.

        Args:
            progress: called with a percentage and a state whenever they change; True prints them.
            timeout: seconds to wait at most.

        Raises:
            NotUsable: the request awaits a decision, or was refused, revoked, superseded or is expired.
            RunFailed: the run ended without a release.
            TimeoutError: it did not end in time; it goes on at the node.
        """
        if self._run is None:
            if not self._fields.get("usable"):
                self.refresh()
            if not self._fields.get("usable"):
                raise NotUsable(str(self._fields.get("reason") or f"the request is {self.state}"))
            self.run()
        assert self._run is not None
        show = _print_progress if progress is True else progress or _silent
        end = None if timeout is None else time.monotonic() + timeout
        show(self._run["progress"], self._run["state"])
        while self._run["state"] not in ENDED:
            left = POLL_SECONDS if end is None else min(POLL_SECONDS, end - time.monotonic())
            if left <= 0:
                raise TimeoutError("the run has not ended yet; it goes on at the node")
            self._run = self._transport.get(f"/v1/runs/{self._run['run']}", wait=round(left, 1))
            show(self._run["progress"], self._run["state"])
        if self._run["state"] != "done":
            raise RunFailed(self._run["message"], code=self._run.get("error") or self._run["state"])
        return self

    def runs(self) -> list[Mapping[str, Any]]:
        """All runs of this request, newest first, with the releases that they ended in."""
        found: list[Mapping[str, Any]] = self._transport.get(f"/v1/requests/{self.id}/runs")["runs"]
        return found

    def cancel(self) -> Request:
        """Ask the node to stop the run."""
        if self._run is not None:
            self._run = self._transport.delete(f"/v1/runs/{self._run['run']}")
        return self

    def fetch(self, progress: Progress | bool = False) -> Result:
        """The released answer; waits for the run, and starts one where none was."""
        self.wait(progress)
        assert self._run is not None
        return fetch_release(self._transport, self._run["release"])

    def __repr__(self) -> str:
        return f"Request({self.id!r}, state={self.state!r}, question={self._fields['question']!r})"


def _silent(percent: int, state: str) -> None:
    """Shows nothing."""


def _print_progress(percent: int, state: str) -> None:
    end = "\n" if state in ENDED else ""
    sys.stderr.write(f"\r{state:<9} {'#' * (percent // 5):<20} {percent:3d} %{end}")
    sys.stderr.flush()
