"""HTTP to one node: tokens, retries where they are safe, and problem documents turned into exceptions."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from federation.client.errors import (
    FederationError,
    NodeUnreachable,
    NotAuthenticated,
    TooManyRequests,
    error_of,
)

DEMO_GRANT = "urn:devolved-federation:grant:demo-login"
RENEW_BEFORE_SECONDS = 30.0
ATTEMPTS = 4


class Transport:
    """Requests to one node on behalf of one person or program.

    Args:
        form: what to send to the token endpoint for a token; None where nobody logs in.
        http: an httpx client with the node's address; closed with this object.
    """

    def __init__(
        self,
        http: httpx.Client,
        form: Mapping[str, str] | None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._http = http
        self._form = form
        self._sleep = sleep
        self._token = ""
        self._renew_at = 0.0

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, **query: str | int | float) -> dict[str, Any]:
        """The JSON object at ``path``."""
        return self._object(self.send("GET", path, params=query))

    def post(
        self, path: str, body: Mapping[str, Any] | None, *, sql: str | None = None, key: str | None = None
    ) -> dict[str, Any]:
        """The JSON object that answers ``body``. An error may point into ``sql``; ``key`` makes it repeatable."""
        headers = {} if key is None else {"Idempotency-Key": key}
        return self._object(self.send("POST", path, body=body, headers=headers, sql=sql))

    def put(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON object that answers ``body``."""
        return self._object(self.send("PUT", path, body=body))

    def delete(self, path: str) -> dict[str, Any]:
        return self._object(self.send("DELETE", path))

    def _object(self, response: httpx.Response) -> dict[str, Any]:
        try:
            found = response.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise NodeUnreachable(f"what answers at {self._http.base_url} is no node")
        return found

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int | float] | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        sql: str | None = None,
    ) -> httpx.Response:
        """Send a request, waiting where the node asks for it.

        Raises:
            FederationError: the subclass for what went wrong.
        """
        headers = dict(headers or {})
        # A POST is sent again only with a key by which the node knows it for the same.
        repeatable = method in ("GET", "PUT", "DELETE") or "Idempotency-Key" in headers
        for attempt in range(ATTEMPTS):
            try:
                response = self._http.request(
                    method, path, params=params, json=body, headers={**headers, **self._authorization()}
                )
            except httpx.HTTPError as error:
                if repeatable and attempt + 1 < ATTEMPTS and isinstance(error, httpx.TransportError):
                    self._sleep(0.2 * 2**attempt)
                    continue
                raise _unreachable(self._http, error) from None
            if response.is_success:
                return response
            problem = _problem(response)
            if isinstance(problem, TooManyRequests) and attempt + 1 < ATTEMPTS:
                self._sleep(problem.retry_after)
                continue
            if response.status_code == 401 and self._form is not None and attempt == 0 and self._token:
                self._token = ""  # the node was restarted, or the clock is off: log in once more
                continue
            problem.sql = sql
            raise problem
        raise NodeUnreachable("the node stayed too busy to answer")

    def _authorization(self) -> dict[str, str]:
        if self._form is None:
            return {}
        if not self._token or time.monotonic() >= self._renew_at:
            self._log_in(self._form)
        return {"Authorization": f"Bearer {self._token}"}

    def _log_in(self, form: Mapping[str, str]) -> None:
        try:
            response = self._http.post("/oauth/token", data=dict(form))
        except httpx.HTTPError as error:
            raise _unreachable(self._http, error) from None
        try:
            body = response.json()
        except ValueError:
            body = {}
        if not isinstance(body, dict) or "access_token" not in body:
            said = (
                body.get("error_description") or body.get("detail") or body.get("error")
                if isinstance(body, dict)
                else ""
            )
            raise NotAuthenticated(str(said or f"the node answered {response.status_code} to the login"))
        self._token = str(body["access_token"])
        self._renew_at = time.monotonic() + float(body.get("expires_in", 60)) - RENEW_BEFORE_SECONDS


def _problem(response: httpx.Response) -> FederationError:
    try:
        document = response.json()
    except ValueError:
        document = {}
    if not isinstance(document, dict):
        document = {}
    return error_of(response.status_code, document, response.headers.get("Retry-After"))


def _unreachable(http: httpx.Client, error: Exception) -> NodeUnreachable:
    return NodeUnreachable(f"no answer from {http.base_url} ({type(error).__name__}): is the node running?")
