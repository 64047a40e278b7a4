"""Requests: listed, looked at, and what who asks does about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from federation.cli import explanations, output
from federation.cli.connection import Json, node_command
from federation.cli.delegations import by_delegation
from federation.cli.examples import examples
from federation.cli.problems import show_fault, stop
from federation.cli.query_commands import (
    Agreement,
    Justification,
    Parameters,
    Purpose,
    Sql,
    parameters_of,
    read_sql,
)
from federation.client import Session
from federation.client.errors import Fault
from federation.client.request import Request

WAITING = frozenset({"submitted", "under_review", "returned", "approved"})
"""Somebody has to act before it is run, unless it is usable."""

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
            typer.Option(help="Only those in this state, `submitted` for instance.", show_default=False),
        ] = None,
        limit: Annotated[int, typer.Option(min=1, max=500, help="How many to list at most.")] = 50,
        versions: Annotated[
            bool, typer.Option("--versions", help="Show every version of the request that was submitted.")
        ] = False,
        as_json: Json = False,
    ) -> None:
        """List requests, newest first, or show one: your own, or for a custodian those on its data."""
        if request and versions:
            _versions(node.get_request(request), as_json=as_json)
            return
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
                output.say(f"{item.id}  {_words(item.state)}", "bold")
                asked = f"{view['requester']} for {view['body']}, {_moment(view['created_at'])}"
                output.fields(
                    {"asked by": asked, "purpose": view["purpose"], "question": view["question"]}, indent=2
                )

    @node_command(
        app,
        "draft",
        examples("federation draft @question.sql", "keep a question for later: nobody is asked"),
    )
    def draft(
        node: Session,
        sql: Sql,
        agreement: Agreement = None,
        purpose: Purpose = None,
        justification: Justification = None,
        param: Parameters = None,
        supersedes: Annotated[
            str | None,
            typer.Option(
                help="An approved request of your own whose place it takes once it is approved.",
                show_default=False,
            ),
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Keep a question as a draft. It may still have mistakes; submit it with `federation submit`."""
        found = node.draft(
            read_sql(sql),
            agreement=agreement,
            purpose=purpose,
            parameters=parameters_of(param),
            justification=justification,
            supersedes=supersedes,
        )
        say_done(found, "Kept", as_json=as_json)

    @node_command(
        app,
        "submit",
        examples(
            "federation submit req_0f3a", "a draft, as it stands",
            "federation submit req_0f3a --sql @better.sql", "what was returned, as its next version",
        ),
    )  # fmt: skip
    def submit(
        node: Session,
        request: Number,
        sql: Annotated[
            str, typer.Option(help="Another text: SQL, @FILE, or - for standard input.", show_default=False)
        ] = "",
        as_json: Json = False,
    ) -> None:
        """Submit a draft, or again what was returned with comments."""
        found = node.get_request(request).submit(read_sql(sql) if sql else None)
        say_done(found, "Submitted", as_json=as_json)

    @node_command(
        app, "appeal", examples('federation appeal req_0f3a --reason "it is by region already"', "once")
    )
    def appeal(node: Session, request: Number, reason: Reason, as_json: Json = False) -> None:
        """Have a refusal looked at by another reviewer than who refused."""
        say_done(node.get_request(request).appeal(reason), "Appealed", as_json=as_json)

    @node_command(
        app,
        "accept",
        examples(
            "federation accept req_0f3a", "the conditions of its approval",
            "federation accept req_0f3a --of england", "those of another node, which answers after that",
        ),
    )  # fmt: skip
    def accept(
        node: Session,
        request: Number,
        of: Annotated[
            str | None, typer.Option(help="The node whose conditions to accept.", show_default=False)
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Accept the conditions of an approval; nothing runs before."""
        found = node.get_request(request)
        read = [each for each in found.conditions if each["node"] == of]
        if of is not None and not read:
            remedy = f"Run it, and see: federation requests {request}"
            raise stop(f"{of} has no conditions that await acceptance", remedy=remedy)
        found.accept(of)
        say_done(found, "Accepted", as_json=as_json)
        for each in read if not as_json else ():
            output.indented(_conditions(each))

    @node_command(app, "withdraw", examples("federation withdraw req_0f3a", "nobody has to decide any more"))
    def withdraw(node: Session, request: Number, as_json: Json = False) -> None:
        """Give a request up; what runs under it ends."""
        say_done(node.get_request(request).withdraw(), "Withdrawn", as_json=as_json)


def say_done(request: Request, verb: str, *, as_json: bool) -> None:
    """Say what became of a request by an act, and what it still waits for."""
    if as_json:
        output.print_json(request.fields)
        return
    output.say(f"{verb}: {request.id} is {_words(request.state)}.", "bold")
    output.indented(request.fields["question"])
    if request.state in WAITING and not request.fields["usable"]:
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
    output.say(f"{request.id} is {_words(request.state)}", "bold")
    output.fields(
        {
            "asked by": f"{view['requester']} for {view['body']}{by_delegation(view)}",
            "asked on": _moment(view["created_at"]),
            "purpose": view["purpose"]
            + (" (a person has to look at it)" if view["purpose_answer"] == "needs_a_person" else ""),
            "what for": view["justification"],
            "stated by": view["hub"] or "",
            "agreement": view["agreement"],
            "data of": view["datasets"],
            "counted by": view["jointly_with"],
            "parameters": view["parameters"],
            "can be run": f"until {_moment(view['valid_until'])}"
            if view["usable"]
            else f"no: {view['reason']}",
            "runs left": "" if view["runs_left"] is None else str(view["runs_left"]),
            "lapses": _moment(view["lapses_at"]),
            "takes the place of": view["supersedes"] or "",
            "version": "" if view["version"] < 2 else f"{view['version']} (see --versions)",
            "plan": view["plan_digest"],
        },
        indent=2,
    )
    for decision in view["decisions"]:
        output.indented(_decision(decision, view))
    for each in view["node_conditions"]:
        output.indented(_conditions(each))
        by = each["accepted_by"]
        told = (
            f"accepted by {by}"
            if by
            else f"to accept: federation accept {view['request']} --of {each['node']}"
        )
        output.indented(told, by=4)
    explanation = detail.get("explanation")
    if explanation is not None:
        explanations.show_reviewed(explanation)
        return
    output.heading("SQL as asked")
    output.indented(view["sql"])
    output.heading("It would be refused today")
    for fault in detail["refusals"]:
        show_fault(Fault.read(fault), view["sql"])


def _decision(decision: Mapping[str, Any], view: Mapping[str, Any]) -> str:
    as_reviewer = " as reviewer" if decision["role"] == "reviewer" else ""
    who = f"{decision['decided_by']} for {decision['custodian']}{as_reviewer}{by_delegation(decision)}"
    if decision["kind"] in ("standing_rule", "standard_query"):
        who = f"{_words(decision['kind'])} {decision['decided_by']} of {decision['custodian']}"
    if decision["kind"] == "holder":
        who = f"the nodes that hold it ({decision['decided_by']})"
    if decision["outcome"] in ("accept", "appeal"):
        who = decision["decided_by"]
    code = "" if decision["code"] in (None, "other") else f" ({_words(decision['code'])})"
    text = f"{decision['outcome']} ({decision['dataset']}) by {who}{code}"
    text += f": {decision['reason']}" if decision["reason"] else ""
    if decision["conditions"]:
        text += f"\nunder the conditions: {decision['conditions']}"
    old = decision["version"] != view["version"]
    return f"{text} [on version {decision['version']}]" if old else text


def _conditions(each: Mapping[str, Any]) -> str:
    """What another node approves on."""
    texts = [f"{said['text']} ({said['body']})" for said in each["conditions"]]
    return f"{each['node']} approves under the conditions: {'; '.join(texts)}"


def _versions(request: Request, *, as_json: bool) -> None:
    found = request.versions()
    if as_json:
        output.print_json(found)
        return
    for each in found:
        output.heading(f"Version {each['version']}, submitted {_moment(each['submitted_at'])}")
        said = {"purpose": each["purpose"], "what for": each["justification"], "question": each["question"]}
        output.fields(said, indent=2)
        output.indented(each["sql"])


def _words(code: str) -> str:
    """A code as people read it.

    >>> _words("under_review")
    'under review'
    """
    return code.replace("_", " ")


def _moment(text: str | None) -> str:
    """A time to the minute, as people read it.

    >>> _moment("2026-01-31T12:03:04.5+00:00")
    '2026-01-31 12:03'
    """
    return "" if text is None else text[:16].replace("T", " ")
