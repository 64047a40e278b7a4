"""Reading what can be asked: datasets, codes, agreements, and who one is at the node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from federation.cli import output
from federation.cli.connection import Json, node_command
from federation.cli.examples import examples
from federation.client import Session

Search = Annotated[
    str, typer.Argument(help="Words that must all occur.", metavar="WORDS", show_default=False)
]


def register(app: typer.Typer) -> None:
    @node_command(
        app,
        "catalogue",
        examples(
            "federation catalogue", "all datasets",
            "federation catalogue pay", "those whose description or variables mention pay",
        ),
    )  # fmt: skip
    def catalogue(node: Session, search: Search = "", as_json: Json = False) -> None:
        """Find datasets that can be asked about."""
        found = node.catalogue(search)
        if as_json:
            output.print_json(found)
            return
        if not found:
            output.say("No dataset mentions that." if search else "This node has no datasets yet.")
            return
        for item in found:
            output.say()
            output.say(f"{item['dataset']}  {item['title']}", "bold")
            output.fields(
                {
                    "about": item["population"],
                    "when": item["reference_period"],
                    "where": item["geography"],
                    "publisher": item["publisher"],
                },
                indent=2,
            )
        output.say()
        output.say(f"Columns of one: federation dataset {found[0]['dataset']}", "dim")

    @node_command(
        app, "dataset", examples("federation dataset people", "its columns, terms and known limits")
    )
    def dataset(
        node: Session,
        name: Annotated[
            str, typer.Argument(help="Name of a dataset.", metavar="DATASET", show_default=False)
        ],
        as_json: Json = False,
    ) -> None:
        """Show a dataset: about whom, when, under which rules, and what a query may use."""
        found = node.dataset(name)
        if as_json:
            output.print_json(found)
        else:
            _show_dataset(found)

    @node_command(
        app,
        "codes",
        examples(
            "federation codes geography salford", "the code of an area by its name",
            "federation codes soc2020 --level major", "one level of a classification",
        ),
    )  # fmt: skip
    def codes(
        node: Session,
        codelist: Annotated[
            str, typer.Argument(help="Name of a code list.", metavar="CODELIST", show_default=False)
        ],
        search: Annotated[
            str, typer.Argument(help="Part of a code or of a name.", metavar="TEXT", show_default=False)
        ] = "",
        level: Annotated[str, typer.Option(help="One level of the hierarchy.", show_default=False)] = "",
        limit: Annotated[int, typer.Option(min=1, max=1000, help="How many to show at most.")] = 100,
        as_json: Json = False,
    ) -> None:
        """Look codes up by code or by name."""
        found = node.codes(codelist, search, level, limit)
        if as_json:
            output.print_json(found)
        elif not found:
            output.say("No code matches that.")
        else:
            output.rows(
                ("code", "name", "level"), [(item["code"], item["name"], item["level"]) for item in found]
            )

    @node_command(app, "agreements")
    def agreements(node: Session, as_json: Json = False) -> None:
        """List the agreements that your body is party to, and the purposes that they permit."""
        found = node.agreements()
        if as_json:
            output.print_json(found)
            return
        if not found:
            output.say("Your body is party to no agreement: without one, nothing can be asked.")
        for item in found:
            output.say()
            output.say(f"{item['agreement']}  {item['title']}", "bold")
            output.fields(
                {
                    "datasets": item["datasets"],
                    "purposes": "\n".join(item["purposes"]),
                    "legal gateway": item["legal_gateway"],
                    "in force": f"{item['start']} to {item['end']}"
                    + ("" if item["in_force"] else ": not now"),
                },
                indent=2,
            )

    @node_command(app, "whoami")
    def whoami(node: Session, as_json: Json = False) -> None:
        """Say under which name, body and roles the node knows you."""
        found = node.whoami()
        if as_json:
            output.print_json(found)
        else:
            output.fields({name: found[name] for name in ("subject", "name", "body", "roles")})


def _show_dataset(found: Mapping[str, Any]) -> None:
    output.say()
    output.say(f"{found['dataset']}  {found['title']}", "bold")
    output.say(found["description"])
    output.say()
    output.fields(
        {
            "about": found["population"],
            "unit": found["unit"],
            "when": found["reference_period"],
            "where": found["geography"],
            "sampling": found["sampling"],
            "publisher": found["publisher"],
            "custodian": found["custodian"],
            "licence": found["licence"],
            "legal basis": found["legal_basis"],
            "rules": f"{found['profile']} {found['profile_version']}, "
            f"nothing under {found['minimum_frequency']} published",
        }
    )
    for limit in found["known_limits"]:
        output.indented(f"• {limit}")
    output.say()
    output.rows(
        ("column", "what it is", "use it to", "codes"),
        [
            (
                item["name"],
                item["title"] + (f", {item['unit']}" if item["unit"] else ""),
                ", ".join(item["uses"]) or f"({item['role']})",
                _codes_of(item),
            )
            for item in found["variables"]
        ],
    )
    if found["relationships"]:
        output.heading("Joins")
        for item in found["relationships"]:
            output.indented(f"{item['from_column']} = {item['to']}.{item['to_column']}  ({item['name']})")


def _codes_of(variable: Mapping[str, Any]) -> str:
    codelist, level = variable["codelist"], variable["level"]
    if codelist is None:
        return ""
    return codelist if level in (None, codelist) else f"{codelist}, {level}"
