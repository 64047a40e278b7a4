"""Proof: statements verified with or without the node, its keys, and its audit trail."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from federation.cli import answers, output
from federation.cli.connection import (
    DEFAULT_URL,
    ActingFor,
    ClientId,
    Json,
    Person,
    Url,
    log_in,
    node_command,
    public,
)
from federation.cli.delegations import by_delegation
from federation.cli.examples import examples
from federation.cli.exits import ExitCode
from federation.cli.problems import Stop, stop
from federation.client import Session, VerificationError
from federation.client.verify import VerifiedStatement
from federation.client.verify_file import FileKind, FileUnreadable, verify_file

Keys = Annotated[
    Path | None,
    typer.Option("--keys", help="The node's public keys in a file, to verify offline.", show_default=False),
]
StatementFile = Annotated[
    Path | None,
    typer.Option(
        "--statement",
        help=f"The signed statement, where it is not in the file or beside it as FILE{answers.STATEMENT_SUFFIX}.",
        show_default=False,
    ),
]

_KINDS = {f".{kind}": kind for kind in FileKind}


def register(app: typer.Typer) -> None:
    app.command(
        "verify",
        epilog=examples(
            "federation verify answer.parquet", "a file with its statement inside",
            "federation verify answer.csv", "a file with its statement beside it, in answer.csv.jws",
            "federation verify answer.csv --keys node-keys.json", "without asking the node",
            "federation verify rel_51c0", "a release at the node",
        ),
    )(verify)  # fmt: skip
    app.command(
        "keys",
        epilog=examples("federation keys > node-keys.json", "keep them, to verify answers offline"),
    )(keys)
    audit = typer.Typer(help="Account for what happened at the node: for auditors.", no_args_is_help=True)
    app.add_typer(audit, name="audit")

    audit.command(
        "verify-export",
        epilog=examples(
            "federation audit verify-export trail.jsonl --checkpoint may.jws --keys node-keys.json",
            "is it whole, and does it hold the checkpoint?",
        ),
    )(audit_verify_export)

    @node_command(
        audit,
        "verify",
        examples(
            "federation audit verify", "is every event there, unchanged and in order?",
            "federation audit verify --checkpoint last-month.jws", "and since then?",
        ),
    )  # fmt: skip
    def audit_verify(
        node: Session,
        checkpoint: Annotated[
            Path | None,
            typer.Option(help="An earlier checkpoint, to hold the chain against.", show_default=False),
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Follow the audit chain from its first event to its last. Exit code 1 if it is not whole."""
        token = None if checkpoint is None else _read(checkpoint).decode("ascii", "replace").strip()
        found = node.verify_audit(token)
        if as_json:
            output.print_json(found)
        elif found["whole"]:
            since = "" if checkpoint is None else ", and holds the checkpoint"
            output.say(f"The audit chain is whole: {found['sequence']:,} events{since}.", "bold green")
            output.fields({"head": found["hash"]}, indent=2)
        else:
            output.say(
                f"The audit chain is broken at event {found['fault_at']}: {found['fault']}.", "bold red"
            )
        if not found["whole"]:
            raise Stop(ExitCode.REFUSED)

    @node_command(
        audit,
        "events",
        examples("federation audit events --subject req_0f3a", "all that happened to a request"),
    )
    def audit_events(
        node: Session,
        subject: Annotated[
            str, typer.Option(help="Only of this request, run or release.", show_default=False)
        ] = "",
        after: Annotated[int, typer.Option(min=0, help="Only events after this number.")] = 0,
        limit: Annotated[int, typer.Option(min=1, max=1000, help="How many to list at most.")] = 100,
        as_json: Json = False,
    ) -> None:
        """List events in the order in which they happened."""
        found = node.audit_events(after, limit, subject)
        if as_json:
            output.print_json(found)
        elif not found:
            output.say("There are no such events.")
        else:
            lines = [
                (e["sequence"], e["time"][:19].replace("T", " "), e["actor"], e["action"], e["subject"])
                for e in found
            ]
            output.rows(("event", "time (UTC)", "who", "what", "of"), lines, (True,))

    @node_command(
        audit,
        "export",
        examples("federation audit export > trail.jsonl", "keep it where the node cannot reach it"),
    )
    def audit_export(node: Session) -> None:
        """Print the whole audit trail as JSON lines."""
        answers.print_bytes(node.audit_export())

    @node_command(
        audit,
        "checkpoint",
        examples("federation audit checkpoint > 2026-01.jws", "keep it where the node cannot reach it"),
    )
    def audit_checkpoint(node: Session, as_json: Json = False) -> None:
        """Print the head of the audit chain, signed, for somebody else to keep."""
        found = node.audit_checkpoint()
        if as_json:
            output.print_json(found)
        else:
            answers.print_bytes(f"{found['checkpoint']}\n".encode())


def audit_verify_export(
    file: Annotated[Path, typer.Argument(help="An export.", metavar="FILE", show_default=False)],
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="A checkpoint of the node, to see that nothing was cut off.", show_default=False),
    ] = None,
    keys: Keys = None,
    as_json: Json = False,
) -> None:
    """Follow the events of an export, without the node. Exit code 1 if they are not whole."""
    from federation.audit.checkpoint import verify_checkpoint
    from federation.audit.export import ExportUnreadable, verify_export

    if (checkpoint is None) != (keys is None):
        raise stop(
            "A checkpoint needs the keys that it was signed with.", ExitCode.USAGE, remedy="--keys FILE"
        )
    try:
        link = None
        if checkpoint is not None and keys is not None:
            link = verify_checkpoint(_token(checkpoint), _jwks(keys)).link
        report = verify_export(_read(file).splitlines(), link)
    except ExportUnreadable as error:
        raise stop(f"{file}: {error}.") from None
    except VerificationError as error:
        raise stop(f"Not verified: {error}.", remedy=f"code: {error.fault}") from None
    fault = report.fault
    if as_json:
        output.print_json(
            {
                "whole": report.whole,
                "sequence": report.reached.sequence,
                "hash": report.reached.hash,
                "fault": None if fault is None else str(fault.kind),
                "fault_at": None if fault is None else fault.sequence,
            }
        )
    elif fault is None:
        unseen = "" if link is not None else " Only a checkpoint shows whether later ones were cut off."
        output.say(f"The export is whole: {report.reached.sequence:,} events.{unseen}", "bold green")
    else:
        output.say(f"The export is broken at event {fault.sequence}: {fault.kind}.", "bold red")
    if fault is not None:
        raise Stop(ExitCode.REFUSED)


def verify(
    what: Annotated[
        str,
        typer.Argument(metavar="FILE|RELEASE", help="A saved answer, or a release.", show_default=False),
    ],
    statement: StatementFile = None,
    keys: Keys = None,
    as_json: Json = False,
    url: Url = DEFAULT_URL,
    person: Person = None,
    client_id: ClientId = None,
    acting_for: ActingFor = None,
) -> None:
    """Check that an answer is what the node signed, digit for digit, and say what it stands for.

    A file needs no login: the node's public keys are enough. Without --keys the node is also asked whether the
    release was recalled. Exit code 1 if it was, or if anything was changed.
    """
    try:
        if what.startswith("rel_") and not Path(what).exists():
            with log_in(url, person, client_id, acting_for) as node:
                found = node.release(what).verify(None if keys is None else _jwks(keys))
        else:
            found = _verify_file(Path(what), statement, _public_keys(url) if keys is None else _jwks(keys))
    except VerificationError as error:
        if as_json:
            output.print_json({"valid": False, "fault": str(error.fault), "message": str(error)})
            raise Stop(ExitCode.REFUSED) from None
        raise stop(f"Not verified: {error}.", remedy=f"code: {error.fault}") from None
    recalled = _recalled(url, found) if keys is None else None
    if as_json:
        shown = {"valid": True, "key": found.kid, "recalled": recalled, "statement": found.payload}
        output.print_json(shown)
    else:
        _show_verified(found)
        if recalled is not None:
            day, body = recalled["recalled_at"][:10], recalled["body"]
            output.say(f"But it was recalled by {body} on {day}: {recalled['reason']}", "bold red")
    if recalled is not None:
        raise Stop(ExitCode.REFUSED)


def keys(url: Url = DEFAULT_URL) -> None:
    """Print the node's public keys (a JWK Set), with which its statements are verified. Needs no login."""
    output.print_json(_public_keys(url))


def _public_keys(url: str) -> Mapping[str, Any]:
    return public(url, "/v1/keys")


def _recalled(url: str, found: VerifiedStatement) -> Mapping[str, Any] | None:
    """What stands in the place of the release, if its node recalled it."""
    recalls = public(url, "/v1/recalls", release=str(found.payload.get("release", "")))["recalls"]
    return next(iter(recalls), None)


def _jwks(file: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(_read(file))
    except ValueError:
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("keys"), list):
        raise stop(f"{file} holds no key set.", ExitCode.USAGE, remedy="Get one with: federation keys")
    return found


def _verify_file(file: Path, statement: Path | None, jwks: Mapping[str, Any]) -> VerifiedStatement:
    kind = _KINDS.get(file.suffix.lower())
    if kind is None:
        raise stop(
            f"{file.name} cannot be verified.",
            ExitCode.USAGE,
            remedy="Give a .parquet, .arrow or .csv file that `federation query --out` saved, or a release.",
        )
    content = _read(file)
    if kind is FileKind.CSV and statement is None:
        statement = answers.statement_file(file)
        if not statement.exists():
            raise stop(
                f"There is no statement beside {file}.",
                ExitCode.USAGE,
                remedy=f"It stands in {statement} when the answer is saved; elsewhere, name it with --statement.",
            )
    try:
        return verify_file(content, kind, None if statement is None else _token(statement), jwks)
    except FileUnreadable:
        raise stop(f"{file} cannot be read: it is damaged, or of another format.") from None


def _token(file: Path) -> str:
    return _read(file).decode("ascii", "replace").strip()


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise stop(f"{file} cannot be read: {error.strerror}.", ExitCode.USAGE) from None


def _show_verified(found: VerifiedStatement) -> None:
    payload = found.payload
    who, authority, context = payload["who"], payload["authority"], payload["context"]
    agreement = authority["agreement"]
    output.say("Verified: this is what the node signed, digit for digit.", "bold green")
    output.fields(
        {
            "who": f"{', '.join(body['title'] for body in who['publishers'])}; signed by {who['node']}",
            "about whom": "\n".join(
                f"{about['population']} ({about['title']}, {about['reference_period']})"
                for about in payload["about_whom"]
            ),
            "when": f"released {payload['when']['released_at'][:16].replace('T', ' ')}",
            "context": f"{context['question']}\nPurpose: {context['purpose']}",
            "authority": f"{agreement['title']} ({agreement['legal_gateway']})\n"
            + f"asked by {authority['requester']} for {authority['recipient']['title']}{by_delegation(authority)}\n"
            + "\n".join(_decision(decision) for decision in authority["decisions"]),
            "parts": "\n".join(_part(part) for part in payload.get("parts", ())),
            "table": f"{payload['table']['rows']:,} rows, {payload['table']['digest']}",
        },
        indent=2,
    )


def _decision(decision: Mapping[str, Any]) -> str:
    in_advance = decision["kind"] in ("standing_rule", "standard_query")
    by = f"{decision['kind'].replace('_', ' ')} " if in_advance else ""
    day = decision["decided_at"][:10]
    as_reviewer = ", as reviewer" if decision.get("role") == "reviewer" else ""
    return (
        f"{decision['dataset']}: decided by {by}{decision['decided_by']} for {decision['custodian']}{as_reviewer}, "
        f"{day}{by_delegation(decision)}"
    )


def _part(part: Mapping[str, Any]) -> str:
    """What another node released for the answer, and on whose decision there."""
    decisions = "; ".join(_decision(decision) for decision in part["decisions"])
    return f"{part['node']}, {part['release']}: {decisions}"
