"""Log-ins that are kept from one command or notebook to the next, each in a file for its owner alone.

A file is that of a node. What is in it goes to the provider that gave it, and to no other that the node may name later.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx

from federation.client.errors import NotAuthenticated
from federation.client.provider import endpoints_of
from federation.client.tokens import RENEW_BEFORE_SECONDS, Refused, seconds_of, token_answer
from federation.state.errors import PrivateFileError
from federation.state.private import read_private, replace_private

AGAIN = "the log-in is over: log in again (federation login)"


@dataclass(frozen=True, slots=True)
class KeptLogin:
    """A log-in at a node: its tokens, who issued them to which client, and until when (seconds since the epoch)."""

    node: str
    issuer: str
    client_id: str
    parameters: Mapping[str, str]
    access_token: str
    refresh_token: str | None
    ends_at: float

    @classmethod
    def of(
        cls, node: str, issuer: str, client_id: str, parameters: Mapping[str, str], answer: Mapping[str, Any]
    ) -> KeptLogin:
        """What a token endpoint answered, to keep."""
        refresh = answer.get("refresh_token")
        ends_at = time.time() + seconds_of(answer) - RENEW_BEFORE_SECONDS
        kept = None if refresh is None else str(refresh)
        return cls(node, issuer, client_id, dict(parameters), str(answer["access_token"]), kept, ends_at)


def kept_login(node: str) -> KeptLogin | None:
    """The log-in that is kept for a node, if there is one.

    Raises:
        NotAuthenticated: others can read the file, or it is damaged.
    """
    path = place_of(node)
    try:
        content = read_private(path)
        return None if content is None else KeptLogin(**json.loads(content))
    except PrivateFileError as error:
        raise NotAuthenticated(str(error)) from None
    except (ValueError, TypeError):
        raise NotAuthenticated(f"{path} is damaged: log in again (federation login)") from None


def keep(login: KeptLogin) -> None:
    """Keep a log-in in place of the last one."""
    try:
        replace_private(place_of(login.node), json.dumps(asdict(login)).encode())
    except PrivateFileError as error:
        raise NotAuthenticated(str(error)) from None


def forget(http: httpx.Client, node: str) -> bool:
    """Forget the log-in at a node, and have the provider revoke it where it offers that (RFC 7009).

    Returns:
        Whether there was one.
    """
    path = place_of(node)
    with _alone(path):
        login = None
        with suppress(NotAuthenticated):
            login = kept_login(node)
        there = path.exists()
        path.unlink(missing_ok=True)
    if login is not None and login.refresh_token is not None:
        with suppress(Exception):  # it is forgotten here whatever becomes of it there
            revocation = endpoints_of(http, login.issuer).revocation
            if revocation is not None:
                form = {"client_id": login.client_id, "token": login.refresh_token}
                http.post(revocation, data=form, auth=httpx.Auth())
    return there


class KeptTokens:
    """Tokens of a log-in that is kept; refreshed by one process at a time, since a refresh token may count once."""

    def __init__(self, http: httpx.Client, login: KeptLogin) -> None:
        self._http = http
        self._login = login

    def current(self) -> str:
        if time.time() >= self._login.ends_at:
            self._refresh()
        return self._login.access_token

    def dropped(self) -> bool:
        if self._login.refresh_token is None:
            return False
        self._refresh()
        return True

    def _refresh(self) -> None:
        """Take what another process has refreshed meanwhile, or refresh (RFC 6749, section 6)."""
        stale = self._login
        with _alone(place_of(stale.node)):
            found = kept_login(stale.node)
            if found is None:
                raise NotAuthenticated(AGAIN)
            if found.access_token == stale.access_token or time.time() >= found.ends_at:
                found = self._refreshed(found)
                keep(found)
        self._login = found

    def _refreshed(self, login: KeptLogin) -> KeptLogin:
        if login.refresh_token is None:
            raise NotAuthenticated(AGAIN)
        form = {
            **login.parameters,
            "grant_type": "refresh_token",
            "refresh_token": login.refresh_token,
            "client_id": login.client_id,
        }
        try:
            answer = token_answer(self._http, endpoints_of(self._http, login.issuer).token, form)
        except Refused:
            raise NotAuthenticated(AGAIN) from None
        answer = {"refresh_token": login.refresh_token, **answer}
        return KeptLogin.of(login.node, login.issuer, login.client_id, login.parameters, answer)


def place_of(node: str) -> Path:
    """The file of the log-in at a node, below XDG_STATE_HOME (by default ~/.local/state)."""
    home = os.environ.get("XDG_STATE_HOME")
    state = Path(home) if home else Path.home() / ".local" / "state"
    name = hashlib.sha256(node.rstrip("/").encode()).hexdigest()[:32]
    return state / "devolved-federation" / "logins" / f"{name}.json"


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other processes from the log-in meanwhile."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
