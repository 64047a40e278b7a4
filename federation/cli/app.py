"""All commands together, in the order in which the help lists them."""

from __future__ import annotations

import typer

from federation.cli import (
    catalogue_commands,
    keeper_commands,
    key_commands,
    login_commands,
    peer_commands,
    proof_commands,
    query_commands,
    register_commands,
    release_commands,
    request_commands,
    review_commands,
    source_commands,
    talk_commands,
)
from federation.cli.exits import ExitCode

HELP = """
Approved aggregate queries on data that stays where it is held.

At a node with an identity provider `login` comes first.
Planners and analysts read the `catalogue`, try a question with `explain`, and ask it with `query`.
Custodians look at `requests` and `approve` or `refuse` them. Anybody can `verify` an answer.
Whoever keeps a node uses `import`, `check`, `serve` and `peers`.
"""

EXITS = "Exit codes: " + "; ".join(f"{code.value} {code.meaning}" for code in ExitCode) + "."

app = typer.Typer(
    name="federation",
    help=HELP,
    epilog=EXITS,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


@app.callback()
def root() -> None:
    """Takes no options of its own."""


for commands in (
    login_commands,
    catalogue_commands,
    query_commands,
    request_commands,
    review_commands,
    release_commands,
    talk_commands,
    register_commands,
    proof_commands,
    keeper_commands,
    key_commands,
    peer_commands,
    source_commands,
):
    commands.register(app)
