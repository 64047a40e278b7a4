"""HTTP to one node: tokens, retries where they are safe, and problem documents turned into exceptions."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from federation.client.errors import FederationError, NodeUnreachable, TooManyRequests, error_of
from federation.client.tokens import Tokens

DEMO_GRANT = "urn:devolved-federation:grant:demo-login"
ATTEMPTS = 4


class Transport:
    """Requests to one node on behalf of one person or program.

    Args:
        http: an httpx client with the node's address; closed with this object.
        tokens: gives the token to send; None where nobody logs in.
        acting_for: the body to act for by delegation; None for one's own.
    """

    def __init__(
        self,
        http: httpx.Client,
        tokens: Tokens | None,
        sleep: Callable[[float], None] = time.sleep,
        acting_for: str | None = None,
    ) -> None:
        self._http = http
        self._tokens = tokens
        self._sleep = sleep
        self._acting = {} if acting_for is None else {"Acting-For": acting_for}

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, **query: str | int | float) -> dict[str, Any]:
        """The JSON object at ``path``."""
        return self._object(self.send("GET", path, params=query))

    def post(
        self,
        path: str,
        body: Mapping[str, Any] | None,
        *,
        sql: str | None = None,
        key: str | None = None,
        longer: float = 0.0,
    ) -> dict[str, Any]:
        """The JSON object that answers ``body``. An error may point into ``sql``; ``key`` makes it repeatable; it
        may take so many seconds ``longer`` than other calls."""
        headers = {} if key is None else {"Idempotency-Key": key}
        return self._object(self.send("POST", path, body=body, headers=headers, sql=sql, longer=longer))

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
        longer: float = 0.0,
    ) -> httpx.Response:
        """Send a request, waiting where the node asks for it, and for its answer so many seconds ``longer`` than usual.

        Raises:
            FederationError: the subclass for what went wrong.
        """
        headers = dict(headers or {})
        # A POST is sent again only with a key by which the node knows it for the same.
        repeatable = method in ("GET", "PUT", "DELETE") or "Idempotency-Key" in headers
        patience = self._patience(longer)
        for attempt in range(ATTEMPTS):
            try:
                response = self._http.request(
                    method,
                    path,
                    params=params,
                    json=body,
                    headers={**headers, **self._authorization()},
                    timeout=patience,
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
            if (
                response.status_code == 401
                and attempt == 0
                and self._tokens is not None
                and self._tokens.dropped()
            ):
                continue  # the node was restarted, or the clock is off: once more, with another token
            problem.sql = sql
            raise problem
        raise NodeUnreachable("the node stayed too busy to answer")

    def _patience(self, longer: float) -> httpx.Timeout:
        usual = self._http.timeout
        read = None if usual.read is None else usual.read + longer
        return httpx.Timeout(connect=usual.connect, read=read, write=usual.write, pool=usual.pool)

    def _authorization(self) -> dict[str, str]:
        if self._tokens is None:
            return {}
        return {"Authorization": f"Bearer {self._tokens.current()}", **self._acting}


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
