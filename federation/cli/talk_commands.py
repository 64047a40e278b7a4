"""Talking about requests, datasets and releases, and what one is told."""

from __future__ import annotations

from typing import Annotated

import typer

from federation.cli import output
from federation.cli.connection import Json, node_command
from federation.cli.examples import examples
from federation.client import Session

About = Annotated[
    str,
    typer.Argument(
        help="Number of a request or release, or name of a dataset.", metavar="ABOUT", show_default=False
    ),
]


def register(app: typer.Typer) -> None:
    @node_command(
        app,
        "comments",
        examples(
            "federation comments req_0f3a", "what was said about a request",
            'federation comments people --say "Does this include the self-employed?"', "and to say something",
        ),
    )  # fmt: skip
    def comments(
        node: Session,
        about: About,
        say: Annotated[
            str, typer.Option("--say", help="Say this; it stays. No figures, please.", show_default=False)
        ] = "",
        as_json: Json = False,
    ) -> None:
        """Read what was said about a request, a dataset or a release, or say something about it."""
        kind = _kind(about)
        if say:
            node.comment(kind, about, say)
        found = node.comments(kind, about)
        if as_json:
            output.print_json(found)
        elif not found:
            output.say("Nobody has said anything yet.")
        else:
            for each in found:
                when = each["created_at"][:16].replace("T", " ")
                output.say(f"{each['author']} for {each['body']}, {when}", "bold")
                output.indented(each["text"])

    @node_command(
        app,
        "notices",
        examples(
            "federation notices", "what you were told",
            "federation notices --subscribe", "get a feed of your own, to be told from now on",
            "federation notices --subscribe --email me@example.org", "and e-mail",
        ),
    )  # fmt: skip
    def notices(
        node: Session,
        subscribe: Annotated[
            bool, typer.Option("--subscribe", help="Be told from now on, in a feed of your own.")
        ] = False,
        email: Annotated[
            str | None, typer.Option(help="With --subscribe: an address to write to.", show_default=False)
        ] = None,
        as_json: Json = False,
    ) -> None:
        """List what you were told, newest first, or say how you want to be told."""
        if subscribe:
            made = node.subscribe(email)
            if as_json:
                output.print_json(made)
                return
            output.say("You are told from now on.", "bold")
            output.fields({"feed": made["feed"], "e-mail": made["email"] or "none"}, indent=2)
            output.say("Keep the address of the feed to yourself; it is not shown again.")
            return
        found = node.notices()
        if as_json:
            output.print_json(found)
        elif not found:
            output.say("There are no notices. To be told: federation notices --subscribe")
        else:
            output.rows(
                ("when", "what"),
                [(each["created_at"][:16].replace("T", " "), each["text"]) for each in found],
            )


def _kind(about: str) -> str:
    """What a number or name is of.

    >>> _kind("req_0f3a"), _kind("rel_51c0"), _kind("people")
    ('request', 'release', 'dataset')
    """
    return (
        {"req": "request", "rel": "release"}.get(about.partition("_")[0], "dataset")
        if "_" in about
        else "dataset"
    )
