"""Requests: listed, looked at, and decided on by custodians."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from federation.cli import explanations, output
from federation.cli.connection import Json, node_command
from federation.cli.examples import examples
from federation.cli.problems import show_fault
from federation.client import Session
from federation.client.errors import Fault
from federation.client.request import Request

Number = Annotated[str, typer.Argument(help="Number of a request.", metavar="REQUEST", show_default=False)]
Reason = Annotated[
    str, typer.Option("--reason", "-m", help="Why. The requester reads it.", show_default=False)
]


def register(app: typer.Typer) -> None:
    @node_command(
        app,
        "requests",
        examples(
            "federation requests --state submitted", "what waits for a decision",
            "federation requests req_0f3a", "one in full: the question, the SQL at each step, the rules",
        ),
    )  # fmt: skip
    def requests(
        node: Session,
        request: Annotated[
            str,
            typer.Argument(
                help="Number of a request to show in full.", metavar="REQUEST", show_default=False
            ),
        ] = "",
        state: Annotated[
            str | None,
            typer.Option(
                help="Only those that are submitted, approved, refused, revoked, expired or superseded.",
                show_default=False,
            ),
        ] = None,
        limit: Annotated[int, typer.Option(min=1, max=500, help="How many to list at most.")] = 50,
        as_json: Json = False,
    ) -> None:
        """List requests, newest first, or show one: your own, or for a custodian those on its data."""
        if request:
            _show(node.get_request(request), as_json=as_json)
            return
        found = node.requests(state, limit)
        if as_json:
            output.print_json([item.fields for item in found])
        elif not found:
            output.say("There are no such requests." if state else "There are no requests yet.")
        else:
            for item in found:
                view = item.fields
                output.say()
                output.say(f"{item.id}  {item.state}", "bold")
                asked = f"{view['requester']} for {view['body']}, {_moment(view['created_at'])}"
                output.fields(
                    {"asked by": asked, "purpose": view["purpose"], "question": view["question"]}, indent=2
                )

    @node_command(
        app,
        "approve",
        examples('federation approve req_0f3a --reason "within the agreement"', "let it be run"),
    )
    def approve(node: Session, request: Number, reason: Reason, as_json: Json = False) -> None:
        """Approve a request for your body's datasets, as it is shown by `federation requests REQUEST`."""
        found = node.get_request(request)
        decided = node.approve(request, reason=reason, plan_digest=found.plan_digest)
        _say_decided(decided, "Approved", as_json=as_json)

    @node_command(
        app, "refuse", examples('federation refuse req_0f3a --reason "ask by region"', "and say why")
    )
    def refuse(node: Session, request: Number, reason: Reason, as_json: Json = False) -> None:
        """Refuse a request."""
        _say_decided(node.refuse(request, reason=reason), "Refused", as_json=as_json)

    @node_command(
        app, "revoke", examples('federation revoke req_0f3a --reason "the project has ended"', "at once")
    )
    def revoke(node: Session, request: Number, reason: Reason, as_json: Json = False) -> None:
        """Take an approval back: nothing runs or finishes under it any more."""
        _say_decided(node.revoke(request, reason=reason), "Revoked", as_json=as_json)


def _say_decided(request: Request, verb: str, *, as_json: bool) -> None:
    if as_json:
        output.print_json(request.fields)
        return
    output.say(f"{verb}: {request.id} is {request.state}.", "bold")
    output.indented(request.fields["question"])
    if request.state == "submitted":
        output.indented(f"But {request.fields['reason']}.")
    if request.fields["valid_until"]:
        output.indented(f"It can be run until {_moment(request.fields['valid_until'])}.")


def _show(request: Request, *, as_json: bool) -> None:
    detail = request.explain()
    if as_json:
        output.print_json(detail)
        return
    view: Mapping[str, Any] = request.fields
    output.say()
    output.say(f"{request.id} is {request.state}", "bold")
    output.fields(
        {
            "asked by": f"{view['requester']} for {view['body']}",
            "asked on": _moment(view["created_at"]),
            "purpose": view["purpose"],
            "agreement": view["agreement"],
            "data of": view["datasets"],
            "counted by": view["jointly_with"],
            "parameters": view["parameters"],
            "can be run": f"until {_moment(view['valid_until'])}"
            if view["usable"]
            else f"no: {view['reason']}",
            "plan": view["plan_digest"],
        },
        indent=2,
    )
    for decision in view["decisions"]:
        who = f"{decision['decided_by']} for {decision['custodian']}"
        if decision["kind"] == "standing_rule":
            who = f"standing rule {decision['decided_by']} of {decision['custodian']}"
        if decision["kind"] == "holder":
            who = f"the nodes that hold it ({decision['decided_by']})"
        output.indented(f"{decision['outcome']} ({decision['dataset']}) by {who}: {decision['reason']}")
    explanation = detail.get("explanation")
    if explanation is not None:
        explanations.show_reviewed(explanation)
        return
    output.heading("SQL as asked")
    output.indented(view["sql"])
    output.heading("It would be refused today")
    for fault in detail["refusals"]:
        show_fault(Fault.read(fault), view["sql"])


def _moment(text: str | None) -> str:
    """A time to the minute, as people read it.

    >>> _moment("2026-01-31T12:03:04.5+00:00")
    '2026-01-31 12:03'
    """
    return "" if text is None else text[:16].replace("T", " ")
