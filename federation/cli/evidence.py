"""What there is to decide by, as custodians read it in a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from federation.cli import output


def show(found: Mapping[str, Any]) -> None:
    """What is known without a look at the data, and what dry runs found."""
    output.say()
    output.fields(
        {
            "figures asked for": f"{found['cells']:,}",
            "divided or limited by": found["dimensions"] or "nothing",
            "this requester so far": found["record"],
        }
    )
    for each in found["partitions"]:
        of = "" if each["maximum"] is None else f" of {each['maximum']}"
        output.say(
            f"Divisions of {each['dataset']} in {each['reference_period']}: {each['spent']}{of} used,"
            f" {each['charge']} by this question."
        )
    for dry_run in found["dry_runs"][:1]:
        show_dry_run(dry_run)
    if not found["dry_runs"] and found["may_dry_run"]:
        output.say("Nobody has looked at the data yet: federation dry-run does.")
    output.heading("Earlier releases about the same people or organisations")
    if not found["overlaps"]:
        output.indented("There are none.")
    for each in found["overlaps"]:
        released = each["released"]
        day = str(released["created_at"])[:10]
        output.indented(f"{day} to {released['recipient']}: {released['question']} ({released['release']})")
        output.indented(f"{each['meaning']}.", by=4)
    output.heading("Earlier decisions on the same data")
    if not found["similar"]:
        output.indented("There are none.")
    for each in found["similar"]:
        output.indented(
            f"{str(each['decided_at'])[:10]} {each['outcome']} for {each['body']}: {each['question']}"
        )
        output.indented(f"“{each['reason']}” ({each['decided_by']})", by=4)


def show_dry_run(found: Mapping[str, Any]) -> None:
    """What a dry run found: numbers of cells and of contributors, and which rules withhold how many."""
    made = str(found["made_at"])[:16].replace("T", " ")
    output.heading(f"What the data gives, looked at by {found['made_by']} on {made}")
    for part in found["parts"]:
        pairs: dict[str, object] = {
            "data": part["datasets"],
            "parameters": found["parameters"],
            "cells": f"{part['cells']:,}: {part['published']:,} would be published,"
            + (f" {part['partly']:,} in part," if part["partly"] else "")
            + f" {part['withheld']:,} withheld",
            "cells with nobody": f"{part['empty']:,}",
        }
        for contributors in (part["contributors"], part["second_units"]):
            pairs |= {} if contributors is None else _contributors(contributors)
        output.fields(pairs, indent=2)
        if part["rules"]:
            lines = [(rule["meaning"], f"{rule['cells']:,}") for rule in part["rules"]]
            output.rows(("withheld because", "cells"), lines, (False, True))
    if found["passed_over"]:
        output.indented(f"Not looked at, since others decide on it: {found['passed_over']} of its parts.")
    output.indented("Contributors are true numbers, for those alone who decide. Nothing was released.")


def _contributors(found: Mapping[str, Any]) -> dict[str, str]:
    unit = found["unit"]
    return {
        f"fewest {unit} in a cell": _number(found["fewest"]),
        f"fewest {unit} behind a published figure": _number(found["fewest_published"]),
        f"cells of fewer than {found['minimum']} {unit}": _number(found["small"]),
    }


def _number(found: int | None) -> str:
    return "none" if found is None else f"{found:,}"
