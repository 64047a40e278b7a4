"""Where a client's access tokens come from: a token endpoint, asked with what a program or person has (RFC 6749)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Protocol

import httpx

from federation.client.errors import NodeUnreachable, NotAuthenticated

RENEW_BEFORE_SECONDS = 30.0


class Tokens(Protocol):
    """Gives the access token to send, a new one whenever the last is over."""

    def current(self) -> str:
        """Raises NotAuthenticated: there is none to be had; NodeUnreachable: nobody answers who could give one."""
        ...

    def dropped(self) -> bool:
        """Told that the node did not take the current token; whether it is worth while to try another."""
        ...


class FormTokens:
    """Tokens for one form: of a program with its credentials, or of a person at a demonstration node.

    Args:
        url: the token endpoint.
        auth: how the program proves who it is, where the form does not hold that.
    """

    def __init__(
        self, http: httpx.Client, url: str, form: Mapping[str, str], auth: httpx.Auth | None = None
    ) -> None:
        self._http = http
        self._url = url
        self._form = form
        self._auth = auth
        self._token = ""
        self._renew_at = 0.0

    def current(self) -> str:
        if not self._token or time.monotonic() >= self._renew_at:
            answer = token_answer(self._http, self._url, self._form, self._auth)
            self._token = str(answer["access_token"])
            self._renew_at = time.monotonic() + seconds_of(answer) - RENEW_BEFORE_SECONDS
        return self._token

    def dropped(self) -> bool:
        had, self._token = bool(self._token), ""
        return had


class Refused(NotAuthenticated):
    """What the token endpoint said instead of giving a token; ``error`` is its code (RFC 6749, section 5.2)."""

    def __init__(self, message: str, error: str) -> None:
        super().__init__(message)
        self.error = error


def token_answer(
    http: httpx.Client, url: str, form: Mapping[str, str], auth: httpx.Auth | None = None
) -> Mapping[str, Any]:
    """What a token endpoint gives for a form.

    Raises:
        Refused: no token.
        NodeUnreachable: it does not answer.
    """
    try:
        # None would be the client's own credentials, which are not for a token endpoint.
        response = http.post(url, data=dict(form), auth=auth or httpx.Auth())
    except httpx.HTTPError as error:
        host = http.base_url if url.startswith("/") else httpx.URL(url).copy_with(path="/", query=None)
        raise NodeUnreachable(
            f"no answer from {host} ({type(error).__name__}): is the node running?"
        ) from None
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        body = {}
    if not response.is_success or "access_token" not in body:
        said = body.get("error_description") or body.get("detail") or body.get("error")
        message = str(said or f"the node answered {response.status_code} to the login")
        raise Refused(message, str(body.get("error") or ""))
    return body


def seconds_of(answer: Mapping[str, Any]) -> float:
    """How long a token counts."""
    try:
        return float(answer.get("expires_in", 60))
    except (TypeError, ValueError):
        return 60.0
