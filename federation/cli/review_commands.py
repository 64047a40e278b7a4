"""Requests: looked at and decided on by custodians."""

from __future__ import annotations

from typing import Annotated

import typer

from federation.cli import evidence, output
from federation.cli.connection import Json, node_command
from federation.cli.examples import examples
from federation.cli.query_commands import Parameters, parameters_of
from federation.cli.request_commands import Number, Reason, say_done
from federation.client import Session

REFUSAL_CODES = (
    "purpose_not_permitted",
    "disclosure_risk",
    "insufficient_detail",
    "data_unsuitable",
    "authority_missing",
    "other",
)


def register(app: typer.Typer) -> None:
    @node_command(
        app, "take-up", examples("federation take-up req_0f3a", "who asked sees that somebody is at it")
    )
    def take_up(node: Session, request: Number, as_json: Json = False) -> None:
        """Begin to review a request on your body's data."""
        say_done(node.take_up(request), "Taken up", as_json=as_json)

    @node_command(
        app,
        "evidence",
        examples("federation evidence req_0f3a", "earlier releases and decisions, and dry runs"),
    )
    def show_evidence(node: Session, request: Number, as_json: Json = False) -> None:
        """Show what there is to decide by. No data is looked at."""
        found = node.evidence(request)
        if as_json:
            output.print_json(found)
        else:
            evidence.show(found)

    @node_command(
        app,
        "dry-run",
        examples(
            "federation dry-run req_0f3a", "how many cells are withheld, and how few people are behind them"
        ),
    )
    def dry_run(node: Session, request: Number, param: Parameters = None, as_json: Json = False) -> None:
        """Look at what the data gives before you decide, for your body's datasets. Nothing is released."""
        with output.busy("looking at the data"):
            found = node.dry_run(request, parameters_of(param))
        if as_json:
            output.print_json(found)
        else:
            evidence.show_dry_run(found)

    @node_command(
        app,
        "approve",
        examples(
            'federation approve req_0f3a --reason "within the agreement"', "let it be run",
            'federation approve req_0f3a -m "as agreed" --conditions "Show it to nobody" --runs 4',
            "within bounds",
        ),
    )  # fmt: skip
    def approve(
        node: Session,
        request: Number,
        reason: Reason,
        conditions: Annotated[
            str | None,
            typer.Option(help="What the requester has to accept before anything runs.", show_default=False),
        ] = None,
        runs: Annotated[
            int | None,
            typer.Option("--runs", min=1, help="For how many releases it is good.", show_default=False),
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Approve a request for your body's datasets, as it is shown by `federation requests REQUEST`."""
        found = node.get_request(request)
        decided = node.approve(
            request, reason=reason, plan_digest=found.plan_digest, conditions=conditions, maximum_runs=runs
        )
        say_done(decided, "Approved", as_json=as_json)

    @node_command(
        app,
        "refuse",
        examples('federation refuse req_0f3a --code disclosure_risk --reason "ask by region"', "and say why"),
    )
    def refuse(
        node: Session,
        request: Number,
        reason: Reason,
        code: Annotated[
            str, typer.Option(help="What kind of reason: " + ", ".join(REFUSAL_CODES) + ".")
        ] = REFUSAL_CODES[-1],
        as_json: Json = False,
    ) -> None:
        """Refuse a request."""
        say_done(node.refuse(request, reason=reason, code=code), "Refused", as_json=as_json)

    @node_command(
        app, "return", examples('federation return req_0f3a --reason "which year?"', "to be asked better")
    )
    def send_back(node: Session, request: Number, reason: Reason, as_json: Json = False) -> None:
        """Return a request with comments, to be changed and submitted again. Nothing of it is erased."""
        say_done(node.send_back(request, reason=reason), "Returned", as_json=as_json)

    @node_command(
        app, "suspend", examples('federation suspend req_0f3a --reason "a source is in doubt"', "for a time")
    )
    def suspend(node: Session, request: Number, reason: Reason, as_json: Json = False) -> None:
        """Stop the use of an approval for a time; what runs under it ends."""
        say_done(node.suspend(request, reason=reason), "Suspended", as_json=as_json)

    @node_command(
        app, "resume", examples('federation resume req_0f3a --reason "the source is sound"', "as before")
    )
    def resume(node: Session, request: Number, reason: Reason, as_json: Json = False) -> None:
        """Let an approval be used again that your body suspended."""
        say_done(node.resume(request, reason=reason), "Resumed", as_json=as_json)

    @node_command(
        app, "revoke", examples('federation revoke req_0f3a --reason "the project has ended"', "at once")
    )
    def revoke(node: Session, request: Number, reason: Reason, as_json: Json = False) -> None:
        """Take an approval back: nothing runs or finishes under it any more."""
        say_done(node.revoke(request, reason=reason), "Revoked", as_json=as_json)
