"""Log-in and log-out of people at a node with an identity provider."""

from __future__ import annotations

import httpx
import typer

from federation.cli import output
from federation.cli.connection import DEFAULT_URL, Url, checked_url
from federation.cli.examples import examples
from federation.client.device import DeviceCode
from federation.client.kept import forget
from federation.client.login import new_login
from federation.client.session import Session
from federation.client.transport import Transport


def register(app: typer.Typer) -> None:
    app.command(
        "login",
        epilog=examples(
            "federation login --url https://node.example", "a code is shown, to enter in a browser on any device",
        ),
    )(login)  # fmt: skip
    app.command(
        "logout", epilog=examples("federation logout", "forget the log-in, here and at the provider")
    )(logout)


def login(url: Url = DEFAULT_URL) -> None:
    """Log in at a node through its identity provider.

    The log-in is kept in a file for you alone and renewed as long as the provider allows; other commands and notebooks
    use it.
    """
    http = _http(url)
    tokens = new_login(http, url, _show)
    with Session(Transport(http, tokens)) as node:
        found = node.whoami()
    output.say(f"Logged in as {found['name']} for {found['body']}, {', '.join(found['roles'])}.")


def logout(url: Url = DEFAULT_URL) -> None:
    """Forget the log-in at a node, and have the provider revoke it."""
    with _http(url) as http:
        there = forget(http, url)
    output.say("Logged out." if there else "Nobody was logged in.")


def _show(code: DeviceCode) -> None:
    output.say(code)


def _http(url: str) -> httpx.Client:
    return httpx.Client(base_url=checked_url(url), timeout=httpx.Timeout(60.0, connect=5.0))
