"""Commands that talk to a node: which options they share, and how they log in."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Annotated, Any, Concatenate, ParamSpec

import httpx
import typer

from federation.cli.exits import ExitCode
from federation.cli.output import print_json
from federation.cli.problems import Stop, as_json, code_of, stop
from federation.client import FederationError, Session, connect
from federation.client.kept import kept_login
from federation.client.transport import Transport

DEFAULT_URL = "http://127.0.0.1:8642"
SECRET_VARIABLE = "FEDERATION_CLIENT_SECRET"
PANEL = "Connection"

Url = Annotated[
    str,
    typer.Option("--url", envvar="FEDERATION_URL", help="Address of the node.", rich_help_panel=PANEL),
]
Person = Annotated[
    str | None,
    typer.Option(
        "--person",
        envvar="FEDERATION_PERSON",
        help="At a demonstration node: log in as this person.",
        rich_help_panel=PANEL,
    ),
]
ClientId = Annotated[
    str | None,
    typer.Option(
        "--client-id",
        envvar="FEDERATION_CLIENT_ID",
        help=f"Log in as this program. Its secret is read from {SECRET_VARIABLE} alone, where no list of "
        "processes shows it.",
        rich_help_panel=PANEL,
    ),
]
ActingFor = Annotated[
    str | None,
    typer.Option(
        "--acting-for",
        envvar="FEDERATION_ACTING_FOR",
        help="Act for this body by delegation, where it is not your own.",
        rich_help_panel=PANEL,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, errors too, for scripts.")]

_OPTIONS = tuple(
    inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
    for name, default, annotation in (
        ("url", DEFAULT_URL, Url),
        ("person", None, Person),
        ("client_id", None, ClientId),
        ("acting_for", None, ActingFor),
    )
)

P = ParamSpec("P")


def node_command(
    app: typer.Typer, name: str, epilog: str = ""
) -> Callable[[Callable[Concatenate[Session, P], None]], Callable[Concatenate[Session, P], None]]:
    """Register a function of a session as a command: it gets the options above, and a session that is logged in."""

    def register(
        function: Callable[Concatenate[Session, P], None],
    ) -> Callable[Concatenate[Session, P], None]:
        @wraps(function)
        def command(
            url: str,
            person: str | None,
            client_id: str | None,
            acting_for: str | None,
            **values: Any,  # noqa: ANN401
        ) -> None:
            call: Any = function
            with (
                errors_as_json(values.get("as_json", False)),
                log_in(url, person, client_id, acting_for) as session,
            ):
                call(session, **values)

        signature = inspect.signature(function, eval_str=True)
        own = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for parameter in list(signature.parameters.values())[1:]
        ]
        parameters = [*own, *_OPTIONS]
        command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        app.command(name, epilog=epilog)(command)
        return function

    return register


def log_in(url: str, person: str | None, client_id: str | None, acting_for: str | None) -> Session:
    """A session at the node, of whoever is named, or else of the log-in that is kept.

    Raises:
        Stop: it is not said who asks, or the address is none.
        FederationError: the node does not answer, or does not know them.
    """
    checked_url(url)
    secret = os.environ.get(SECRET_VARIABLE)
    if person is not None and client_id is not None:
        raise stop(
            "Both a person and a program are named.",
            ExitCode.USAGE,
            remedy="Give --person or --client-id, and mind FEDERATION_PERSON and FEDERATION_CLIENT_ID.",
        )
    if person is not None:
        return connect(url, person=person, acting_for=acting_for)
    if client_id is not None and secret:
        return connect(url, client_id=client_id, client_secret=secret, acting_for=acting_for)
    if client_id is None and kept_login(url) is not None:
        return connect(url, acting_for=acting_for, show=None)
    raise stop(
        "It is not said who asks.",
        ExitCode.ACCESS,
        remedy=f"A person: federation login.\nA program: set FEDERATION_CLIENT_ID and {SECRET_VARIABLE}.\n"
        "At a demonstration node: --person NAME, or set FEDERATION_PERSON.",
    )


@contextmanager
def errors_as_json(wanted: bool) -> Iterator[None]:
    """Prints what a node says against it as JSON, where that is wanted, and stops."""
    try:
        yield
    except FederationError as error:
        if not wanted:
            raise
        print_json(as_json(error))
        raise Stop(code_of(error)) from None


def public(url: str, path: str, **query: str | int) -> dict[str, Any]:
    """What a node tells anybody, without a log-in.

    Raises:
        Stop: the address is none.
        FederationError: the node does not answer, or not so.
    """
    http = httpx.Client(base_url=checked_url(url), timeout=httpx.Timeout(60.0, connect=5.0))
    transport = Transport(http, None)
    try:
        return transport.get(path, **query)
    finally:
        transport.close()


def checked_url(url: str) -> str:
    """The address, if it is one of HTTP."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise stop(f"{url} is no address of a node.", ExitCode.USAGE, remedy=f"Write it like {DEFAULT_URL}")
    return url
