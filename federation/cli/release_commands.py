"""Releases: exported whole, and taken back where they are wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from federation.cli import output
from federation.cli.answers import write_file
from federation.cli.connection import Json, node_command
from federation.cli.examples import examples
from federation.client import Session

Number = Annotated[str, typer.Argument(help="Number of a release.", metavar="RELEASE", show_default=False)]


def register(app: typer.Typer) -> None:
    releases = typer.Typer(help="Export releases, and take wrong ones back.", no_args_is_help=True)
    app.add_typer(releases, name="release")

    @node_command(
        releases,
        "export",
        examples("federation release export rel_51c0 --out answer.zip", "as a Five Safes RO-Crate"),
    )
    def export(
        node: Session,
        release: Number,
        out: Annotated[
            Path, typer.Option("--out", "-o", help="The ZIP archive to write.", show_default=False)
        ],
    ) -> None:
        """Save a release with its statement, provenance and keys as a Five Safes RO-Crate, for archives."""
        write_file(out, node.crate(release))
        output.say(f"Saved {out}.", stderr=True)

    @node_command(
        releases,
        "recall",
        examples('federation release recall rel_51c0 --reason "the source was wrong"', "for good"),
    )
    def recall(
        node: Session,
        release: Number,
        reason: Annotated[
            str, typer.Option("--reason", "-m", help="Why. Anybody may read it.", show_default=False)
        ],
        as_json: Json = False,
    ) -> None:
        """Take a wrong release of your body's data back: its table is given to nobody any more."""
        found = node.recall(release, reason=reason)
        if as_json:
            output.print_json(found)
            return
        output.say(f"Recalled: {release}.", "bold")
        output.indented(
            "The request stays as it is: suspend or revoke it, if the next answer would be wrong too."
        )

    @node_command(releases, "recalled", examples("federation release recalled", "by whom, when and why"))
    def recalled(node: Session, as_json: Json = False) -> None:
        """List what was recalled, newest first."""
        found = node.recalls()
        if as_json:
            output.print_json(found)
        elif not found:
            output.say("Nothing was recalled.")
        else:
            lines = [
                (each["release"], each["recalled_at"][:10], each["body"], each["reason"]) for each in found
            ]
            output.rows(("release", "recalled", "by", "why"), lines)
