"""Log-in where there is no browser, or another one: a code is shown, and entered on any device (RFC 8628)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from federation.client.errors import NodeUnreachable, NotAuthenticated
from federation.client.provider import Endpoints, Named
from federation.client.tokens import Refused, token_answer

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
SLOWER_SECONDS = 5.0
"""RFC 8628, section 3.5: by how much to poll more slowly when told to."""
LONGEST_WAIT_SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """What a person does to log in: open ``url`` anywhere and enter ``code``, or open ``complete``, which holds it."""

    url: str
    code: str
    complete: str | None
    minutes: int

    def __str__(self) -> str:
        return (
            f"To log in, open {self.url} in a browser, on any device,\nand enter the code {self.code} "
            f"(within {self.minutes} minutes)."
        )


def device_login(
    http: httpx.Client,
    named: Named,
    endpoints: Endpoints,
    show: Callable[[DeviceCode], None],
) -> Mapping[str, Any]:
    """Have a person log in; what the token endpoint gives then.

    Raises:
        NotAuthenticated: the provider has no device flow for the node, or the person refused or took too long.
        NodeUnreachable: the provider does not answer.
    """
    if named.device_client_id is None or endpoints.device is None:
        raise NotAuthenticated("this node has no log-in for command lines and notebooks: ask its keeper")
    scopes = [*named.scopes, *(["offline_access"] if endpoints.offline_access else [])]
    form = {**named.parameters, "client_id": named.device_client_id, "scope": " ".join(scopes)}
    begun = _begun(http, endpoints.device, form)
    lasts = min(_number(begun.get("expires_in"), 600.0), LONGEST_WAIT_SECONDS)
    complete = begun.get("verification_uri_complete")
    show(
        DeviceCode(
            url=_printed(begun.get("verification_uri")),
            code=_printed(begun.get("user_code")),
            complete=None if complete is None else _printed(complete),
            minutes=max(1, int(lasts // 60)),
        )
    )
    interval, deadline = max(1.0, _number(begun.get("interval"), 5.0)), time.monotonic() + lasts
    asked = {
        **named.parameters,
        "grant_type": GRANT,
        "client_id": named.device_client_id,
        "device_code": str(begun.get("device_code")),
    }
    while time.monotonic() < deadline:
        time.sleep(interval)
        try:
            return token_answer(http, endpoints.token, asked)
        except Refused as error:
            if error.error == "slow_down":
                interval += SLOWER_SECONDS
            elif error.error != "authorization_pending":
                raise NotAuthenticated(_REFUSALS.get(error.error, "the log-in was not accepted")) from None
    raise NotAuthenticated(_REFUSALS["expired_token"])


_REFUSALS = {
    "access_denied": "the log-in was refused",
    "expired_token": "nobody logged in before the code was over: try again",
}


def _begun(http: httpx.Client, url: str, form: Mapping[str, str]) -> Mapping[str, Any]:
    try:
        response = http.post(url, data=dict(form), auth=httpx.Auth())
        begun = response.json() if response.is_success else None
    except httpx.HTTPError as error:
        raise NodeUnreachable(f"no answer from {url} ({type(error).__name__})") from None
    except ValueError:
        begun = None
    if not isinstance(begun, dict) or not isinstance(begun.get("device_code"), str):
        raise NotAuthenticated("the identity provider does not begin a log-in for this node: ask its keeper")
    return begun


def _printed(value: object) -> str:
    """Text for a terminal or a notebook: what a provider sends must not move the cursor."""
    return "".join(character for character in str(value) if character.isprintable())


def _number(value: object, default: float) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else default
