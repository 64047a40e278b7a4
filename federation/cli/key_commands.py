"""Keys of a node, for whoever keeps it."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import typer

from federation.cli import output
from federation.cli.connection import Json
from federation.cli.examples import examples
from federation.cli.exits import ExitCode
from federation.cli.keeper_commands import Directory
from federation.cli.problems import stop


def register(app: typer.Typer) -> None:
    app.command(
        "rotate-key",
        epilog=examples("federation rotate-key my-node", "while the node is stopped"),
    )(rotate_key)


def rotate_key(directory: Directory, as_json: Json = False) -> None:
    """Give a stopped node a fresh signing key. Its old statements can be verified as before, with `federation keys`.

    Peers know the node by its key: send them the new one, as `federation peers show` prints it. A key that was
    stolen has to be taken out of retired-keys.json too: what it signed is then not verified any more.
    """
    from federation.configuration import read_configuration
    from federation.release.keys import PLACE, rotate
    from federation.state.errors import StateError
    from federation.state.lock import NodeLock

    configuration = read_configuration(directory)
    settings = configuration.settings
    if PLACE.variable in os.environ:
        raise stop(
            f"The key stands in {PLACE.variable}, not in a file.",
            ExitCode.USAGE,
            remedy="Put a fresh one there, and the public part of the old one in retired-keys.json.",
        )
    try:
        with NodeLock(configuration.path(settings.state_dir)):
            old, new = rotate(configuration.path(settings.secrets_dir), datetime.now(UTC))
    except StateError as error:
        raise stop(f"The key stays as it is: {error}.", ExitCode.FAILED) from None
    if as_json:
        output.print_json({"retired": old, "key": new})
        return
    output.say("The node signs with a fresh key.", "bold green")
    output.fields({"retired": old, "key": new}, indent=2)
