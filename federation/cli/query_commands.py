"""Asking: what would become of a question, and its answer."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import typer

from federation.cli import answers, explanations, output
from federation.cli.connection import Json, node_command
from federation.cli.examples import examples
from federation.cli.exits import ExitCode
from federation.cli.problems import Stop, stop
from federation.cli.progress import Progress
from federation.client import FederationError, NotUsable, Session
from federation.client.request import Request

Value = str | int | Decimal

Sql = Annotated[
    str,
    typer.Argument(
        metavar="SQL|@FILE|-", help="The question in SQL, a file that holds it, or standard input.",
        show_default=False,
    ),
]  # fmt: skip
Agreement = Annotated[
    str | None,
    typer.Option(
        envvar="FEDERATION_AGREEMENT",
        help="Agreement to ask under; not needed where your body has just one.",
    ),
]
Purpose = Annotated[
    str | None,
    typer.Option(
        envvar="FEDERATION_PURPOSE",
        help="Purpose that the agreement permits; not needed where it permits just one.",
    ),
]
Justification = Annotated[
    str | None,
    typer.Option(help="What the answer is for, in your own words, for whoever decides.", show_default=False),
]
Parameters = Annotated[
    list[str] | None,
    typer.Option(
        "--param", "-p", metavar="NAME=VALUE", help="A value for $NAME in the query. Can be repeated.",
        show_default=False,
    ),
]  # fmt: skip
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV, with a status column beside each column.")]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", help="Save the answer: .parquet, .arrow, .csv or .json, with its signed statement.",
        show_default=False,
    ),
]  # fmt: skip

SHOWN = 12
"""Values of a parameter in a list of queries."""
LARGEST_SQL = 1 << 20
"""Bytes to read of a query; the node's own limit is lower and gives the reason."""


def register(app: typer.Typer) -> None:
    @node_command(
        app,
        "explain",
        examples(
            'federation explain "SELECT sex, count(*) FROM people GROUP BY sex"', "would it be accepted?",
            "federation explain @question.sql", "the same for a file",
        ),
    )  # fmt: skip
    def explain(
        node: Session,
        sql: Sql,
        agreement: Agreement = None,
        purpose: Purpose = None,
        param: Parameters = None,
        as_json: Json = False,
    ) -> None:
        """Show what would become of a question: in words, as SQL at each step, and by which rules.

        Nothing is asked of anybody and nothing is run. Exit code 1 if the question would be refused.
        """
        checked = node.check(
            read_sql(sql), purpose=purpose, agreement=agreement, parameters=parameters_of(param)
        )
        if as_json:
            output.print_json(explanations.as_json(checked))
            if not checked:
                raise Stop(ExitCode.REFUSED)
            return
        checked.raise_for_refusal()
        explanations.show_check(checked)

    @node_command(
        app,
        "query",
        examples(
            'federation query "SELECT region_res, count(*) AS people FROM people GROUP BY 1"', "ask, and print",
            "federation query @question.sql --out answer.parquet", "save the answer with its statement",
            "federation query @question.sql --csv > answer.csv", "print CSV",
            "federation query 'SELECT count(*) FROM people WHERE lad_res = $area' -p area=Salford", "a parameter",
        ),
    )  # fmt: skip
    def query(
        node: Session,
        sql: Sql,
        agreement: Agreement = None,
        purpose: Purpose = None,
        justification: Justification = None,
        param: Parameters = None,
        csv: Csv = False,
        out: Out = None,
        as_json: Json = False,
    ) -> None:
        """Ask a question and print its answer.

        A standing rule may let it be answered at once. Else a custodian decides first (exit code 6): type the
        same command again when it is approved. A question that was approved is not asked again.
        """
        answers.checked_target(out)
        text, parameters = read_sql(sql), parameters_of(param)
        agreement, purpose = terms(node, agreement, purpose)
        checked = node.check(text, purpose=purpose, agreement=agreement, parameters=parameters)
        checked.raise_for_refusal()
        request = _asked_before(node, str(checked.plan_digest), agreement, purpose) or node.request(
            text, purpose=purpose, agreement=agreement, parameters=parameters, justification=justification
        )
        _deliver(node, request, parameters, out, csv=csv, as_json=as_json)

    @node_command(
        app,
        "standard",
        examples(
            "federation standard", "the queries that custodians published for your body",
            "federation standard learners_by_age", "one in full: its SQL, and what its parameters may be",
        ),
    )  # fmt: skip
    def standard(
        node: Session,
        query: Annotated[str, typer.Argument(help="One of them.", metavar="QUERY", show_default=False)] = "",
        as_json: Json = False,
    ) -> None:
        """List the queries that custodians published, which your body runs without a further hand."""
        found = [each for each in node.standard_queries() if query in ("", each["query"])]
        if query and not found:
            raise stop(f"There is no standard query “{query}”.", remedy="See: federation standard")
        if as_json:
            output.print_json(found)
        elif not found:
            output.say("No queries are published for your body.")
        else:
            for each in found:
                _show_standard(each, in_full=bool(query))

    @node_command(
        app,
        "ask",
        examples(
            "federation ask learners_by_age -p area=E08000006 --out answer.parquet",
            "run it, and save the answer",
        ),
    )
    def ask(
        node: Session,
        query: Annotated[str, typer.Argument(help="A standard query.", metavar="QUERY", show_default=False)],
        param: Parameters = None,
        csv: Csv = False,
        out: Out = None,
        as_json: Json = False,
    ) -> None:
        """Run a standard query and print its answer."""
        answers.checked_target(out)
        parameters = parameters_of(param)
        published = {each["query"]: each for each in node.standard_queries()}.get(query)
        if published is None:
            raise stop(f"There is no standard query “{query}”.", remedy="See: federation standard")
        request = _asked_standard(node, published) or node.ask(query)
        _deliver(node, request, parameters, out, csv=csv, as_json=as_json)

    @node_command(
        app, "run", examples("federation run req_0f3a --out answer.parquet", "run it, and save the answer")
    )
    def run(
        node: Session,
        request: Annotated[
            str, typer.Argument(help="Number of an approved request.", metavar="REQUEST", show_default=False)
        ],
        param: Parameters = None,
        csv: Csv = False,
        out: Out = None,
        as_json: Json = False,
    ) -> None:
        """Run an approved request and print the answer."""
        answers.checked_target(out)
        found = node.get_request(request)
        _deliver(node, found, parameters_of(param), out, csv=csv, as_json=as_json)

    @node_command(
        app,
        "fetch",
        examples("federation fetch rel_51c0 --out answer.csv", "an answer that was released before"),
    )
    def fetch(
        node: Session,
        release: Annotated[
            str, typer.Argument(help="Number of a release.", metavar="RELEASE", show_default=False)
        ],
        csv: Csv = False,
        out: Out = None,
        as_json: Json = False,
    ) -> None:
        """Print or save an answer that was released before."""
        answers.checked_target(out)
        _present(node, release, out, csv=csv, as_json=as_json)


def read_sql(argument: str) -> str:
    """The SQL of an argument: itself, the content of ``@file``, or standard input for ``-``."""
    if argument == "-":
        content = sys.stdin.buffer.read(LARGEST_SQL)
    elif argument.startswith("@"):
        try:
            with Path(argument[1:]).open("rb") as file:
                content = file.read(LARGEST_SQL)
        except OSError as error:
            raise stop(f"{argument[1:]} cannot be read: {error.strerror}.", ExitCode.USAGE) from None
    else:
        return argument
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise stop("The query is not UTF-8 text.", ExitCode.USAGE) from None


def parameters_of(given: Sequence[str] | None) -> dict[str, Value]:
    """Parameters by name. What looks like a number is one, unless it begins with a nought as codes do.

    >>> parameters_of(["area=E08000006", "age=16", "soc=01", "share=0.5"])
    {'area': 'E08000006', 'age': 16, 'soc': '01', 'share': '0.5'}
    """
    found: dict[str, Value] = {}
    for item in given or ():
        name, equals, value = item.partition("=")
        if not equals or not name.isidentifier():
            raise stop(f"--param {item} is not NAME=VALUE.", ExitCode.USAGE)
        whole = value.removeprefix("-").isdecimal() and value.removeprefix("-").lstrip("0")
        found[name] = int(value) if whole and not value.removeprefix("-").startswith("0") else value
    return found


def terms(node: Session, agreement: str | None, purpose: str | None) -> tuple[str, str]:
    """The agreement and the purpose, where they are not said but there is only one to choose."""
    found: Mapping[str, Sequence[str]] = {a["agreement"]: a["purposes"] for a in node.agreements()}
    if agreement is None:
        agreement = _only("agreement", "--agreement", tuple(found))
    elif agreement not in found:
        close = get_close_matches(agreement, found, n=1) or list(found)
        remedy = f"Did you mean {' or '.join(close)}?" if found else "Speak with the custodian."
        raise stop(f"Your body has no agreement “{agreement}”.", remedy=remedy)
    return agreement, purpose or _only("purpose", "--purpose", tuple(found.get(agreement, ())))


def _only(kind: str, option: str, known: Sequence[str]) -> str:
    if len(known) == 1:
        return known[0]
    if not known:
        raise stop(
            f"There is no {kind} to ask under.",
            remedy="See: federation agreements, and speak with the custodian.",
        )
    listed = "\n".join(f'{option} "{name}"' for name in known)
    raise stop(f"Say which {kind}, for there are {len(known)}:", ExitCode.USAGE, remedy=listed)


def _asked_before(node: Session, plan_digest: str, agreement: str, purpose: str) -> Request | None:
    """One's own request for the very plan, approved or waiting, so that a command can be repeated."""
    mine = (plan_digest, agreement, purpose)
    for state in ("active", "approved", "submitted", "under_review"):
        for request in node.requests(state, limit=500):
            if mine == tuple(request.fields[name] for name in ("plan_digest", "agreement", "purpose")):
                return request
    return None


def _asked_standard(node: Session, published: Mapping[str, Any]) -> Request | None:
    """One's own request that the very query decided on, so that a command can be repeated."""
    for state in ("active", "approved"):
        for request in node.requests(state, limit=500):
            by = [(each["kind"], each["decided_by"]) for each in request.fields["decisions"]]
            same = request.fields["sql"] == published["sql"] and request.fields["usable"]
            if same and ("standard_query", published["query"]) in by:
                return request
    return None


def _show_standard(query: Mapping[str, Any], *, in_full: bool) -> None:
    output.say()
    output.say(query["query"], "bold")
    deciders = [f"{who} for {body}" for body, who in query["decided_by"].items()]
    output.fields(
        {
            "what": query["title"],
            "about": query["description"],
            "purpose": query["purpose"],
            "agreement": query["agreement"],
            "decided by": deciders,
            "until": query["until"],
        },
        indent=2,
    )
    for parameter in query["parameters"]:
        values = [str(value) for value in parameter["values"]]
        shown = values if in_full or len(values) <= SHOWN else [*values[:SHOWN], f"… ({len(values)})"]
        output.indented(f"${parameter['name']}: {parameter['title']}: {', '.join(shown)}")
    if in_full:
        output.heading("SQL")
        output.indented(query["sql"])


def _deliver(
    node: Session,
    request: Request,
    parameters: Mapping[str, Value],
    out: Path | None,
    *,
    csv: bool,
    as_json: bool,
) -> None:
    if request.state in ("submitted", "under_review"):
        _show_waiting(request, as_json=as_json)
        raise Stop(ExitCode.WAITING)
    if not request.fields["usable"]:
        raise NotUsable(f"request {request.id} cannot be run: {request.fields['reason']}")
    request.run({name: parameters[name] for name in parameters if name in request.fields["parameters"]})
    with Progress() as progress:
        try:
            request.wait(progress.update)
        except KeyboardInterrupt:
            with suppress(FederationError):  # it may have ended in this very moment
                request.cancel()
            raise
    _present(node, request.release, out, csv=csv, as_json=as_json)


def _present(node: Session, release: str, out: Path | None, *, csv: bool, as_json: bool) -> None:
    if out is not None:
        answers.save(node, release, out)
    if as_json:
        answers.pretty_json(node.download(release, answers.FORMATS[".json"]))
    elif csv:
        answers.print_bytes(node.download(release, answers.FORMATS[".csv"]))
    elif out is None:
        answers.print_result(node.release(release))


def _show_waiting(request: Request, *, as_json: bool) -> None:
    if as_json:
        output.print_json(request.fields)
        return
    output.say("Your question waits for a decision.", "bold")
    output.fields(
        {
            "question": request.fields["question"],
            "waiting for": request.fields["waiting_for"],
            "request": request.id,
        },
        indent=2,
    )
    output.say("When it is approved, the same command prints the answer.")
