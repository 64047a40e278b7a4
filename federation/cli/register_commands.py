"""The public register, for anybody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from federation.cli import output
from federation.cli.catalogue_commands import Search
from federation.cli.connection import DEFAULT_URL, Json, Url, errors_as_json, public
from federation.cli.examples import examples


def register(app: typer.Typer) -> None:
    app.command(
        "register",
        epilog=examples(
            "federation register", "what was answered last",
            "federation register skills --dataset people", "with this word, about this data",
        ),
    )(show)  # fmt: skip


def show(
    search: Search = "",
    body: Annotated[str, typer.Option(help="Only what this body asked.", show_default=False)] = "",
    dataset: Annotated[str, typer.Option(help="Only about this dataset.", show_default=False)] = "",
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many to show at most.")] = 100,
    offset: Annotated[int, typer.Option(min=0, help="Pass over so many.")] = 0,
    as_json: Json = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Show which bodies had which approved questions answered, under which authority. Needs no login."""
    sought = {"search": search, "body": body, "dataset": dataset}
    with errors_as_json(as_json):
        found = public(url, "/v1/register", **sought, limit=limit, offset=offset)["entries"]
    if as_json:
        output.print_json(found)
    elif not found:
        output.say("Nothing in the register is like this.")
    for each in () if as_json else found:
        _show(each)


def _show(entry: Mapping[str, Any]) -> None:
    datasets = entry["datasets"]
    output.say()
    output.say(f"{entry['body']}  {entry['body_title']}", "bold")
    output.fields(
        {
            "question": entry["question"],
            "data": [f"{each['dataset']} ({each['custodian_title']})" for each in datasets],
            "decided by": [role.replace("_", " ") for each in datasets for role in each["decided"]],
            "purpose": entry["purpose"],
            "authority": f"{entry['agreement']}: {entry['legal_gateway']}",
            "answered": f"{entry['answered_at'][:10]}, {entry['answers']} times"
            if entry["answers"] > 1
            else entry["answered_at"][:10],
        },
        indent=2,
    )
