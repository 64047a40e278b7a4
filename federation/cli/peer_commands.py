"""Other nodes: what their keepers have to be told of this one, and whether they can be spoken with."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
import yaml

from federation.cli import output
from federation.cli.connection import Json
from federation.cli.examples import examples
from federation.cli.exits import ExitCode
from federation.cli.keeper_commands import Directory, unsound
from federation.cli.problems import Stop, stop

if TYPE_CHECKING:
    from federation.configuration import Configuration
    from federation.wire.channel import NodeUnavailable
    from federation.wire.peers import Peer
    from federation.wire.wire import Wire

SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class PeerReport:
    """What became of a peer: ``code`` is empty where nothing is wrong, or where nothing could be found out."""

    peer: str
    asked: bool
    code: str
    message: str
    mend: str


def register(app: typer.Typer) -> None:
    peers = typer.Typer(help="Other nodes of the federation: for whoever keeps a node.", no_args_is_help=True)
    app.add_typer(peers, name="peers")
    peers.command(
        "show",
        epilog=examples("federation peers show my-node", "what to send to the keepers of other nodes"),
    )(show)
    peers.command(
        "check",
        epilog=examples("federation peers check my-node", "ask every peer, and say what is wrong"),
    )(check)


def show(directory: Directory, as_json: Json = False) -> None:
    """Print what the keepers of other nodes put under `federation.peers` in their node.yaml. It holds no secret.

    Send it by a way on which nobody can change it, and have it read back: who swaps a key speaks in this node's name.
    """
    from catalogue.faults import CatalogueError
    from federation.composition import own_keys
    from federation.configuration import read_settings
    from federation.state.errors import StateError

    # The settings alone: the catalogue of a new hub names peers that it can't declare before they know each other.
    try:
        settings = read_settings(directory)
    except CatalogueError as error:
        raise unsound(directory, error.faults) from None
    if settings is None:
        raise stop(f"There is no node.yaml in {directory}.", ExitCode.REFUSED)
    try:
        signing_key, exchange_key = own_keys(directory, settings)
    except StateError as error:
        raise stop(f"The keys cannot be read: {error}.", ExitCode.FAILED) from None
    reached: dict[str, Any] = {"polls": True} if settings.federation.poll else {"url": settings.public_url}
    entry = {
        settings.node: {
            "title": settings.title,
            **reached,
            "signing_key": signing_key.public_jwks()["keys"][0]["x"],
            "exchange_key": exchange_key.public,
        }
    }
    if as_json:
        output.print_json(entry)
    else:
        text = yaml.safe_dump(entry, sort_keys=False, allow_unicode=True, width=1_000)
        typer.echo(output.clean(text), nl=False)


def check(directory: Directory, as_json: Json = False) -> None:
    """Ask each peer for a sign of life, and say what is wrong and how to mend it. Exit code 1 if anything is.

    A peer that fetches its messages from this node can't be asked by this command: check from its side.
    """
    from federation.composition import wire_alone
    from federation.state.errors import StateError

    configuration = _configuration(directory)
    reports = []
    try:
        with wire_alone(configuration) as wire:
            for peer in wire.peers.values():
                with output.busy(f"Asking {peer.name}"):
                    reports.append(_ask(wire, peer))
    except StateError as error:
        raise stop(f"The peers cannot be asked: {error}.", ExitCode.FAILED) from None
    if as_json:
        output.print_json({"peers": [asdict(report) for report in reports]})
    else:
        _show(reports)
    if any(report.code for report in reports):
        raise Stop(ExitCode.REFUSED)


def _configuration(directory: Path) -> Configuration:
    from catalogue.faults import CatalogueError
    from federation.configuration import read_configuration

    try:
        return read_configuration(directory)
    except CatalogueError as error:
        raise unsound(directory, error.faults) from None


def _ask(wire: Wire, peer: Peer) -> PeerReport:
    from federation.wire.channel import NodeUnavailable
    from federation.wire.wire import ask_for_keys

    if peer.url is None:
        why = "it fetches its messages" if peer.polls else "it asks and is not asked"
        return PeerReport(peer.name, False, "", f"not asked: {why}", "Check from its side.")
    try:
        same = ask_for_keys(wire, peer.name, deadline=time.monotonic() + SECONDS)
    except NodeUnavailable as error:
        return PeerReport(peer.name, True, error.detail or str(error.reason), *_in_words(peer, error))
    if not same:
        return PeerReport(
            peer.name,
            True,
            "exchange_key_differs",
            "one of the two has an exchange key of the other that is not its own",
            "Exchange what `federation peers show` prints once more, both ways.",
        )
    return PeerReport(peer.name, True, "", "it answers, and the keys are right", "")


def _in_words(peer: Peer, error: NodeUnavailable) -> tuple[str, str]:
    """What is wrong, and how to mend it."""
    from federation.wire.channel import Unavailability
    from federation.wire.envelope import MessageFault

    faults = {str(fault): fault for fault in MessageFault}
    message = error.reason.meaning
    if error.detail in faults:
        message += f": {faults[error.detail].meaning}"
    if error.detail in (MessageFault.EXPIRED, MessageFault.FROM_THE_FUTURE):
        return message, "Set the clocks of both machines by a time server."
    return message, {
        Unavailability.AWAY: f"Is it running, and can {peer.url} be reached from here, past firewalls and proxies?",
        Unavailability.BAD_REPLY: f"Is it a node of this federation that answers at {peer.url}?",
        Unavailability.NOT_A_PEER: "Exchange what `federation peers show` prints once more, both ways.",
        Unavailability.TIMED_OUT: f"What answers at {peer.url} does not come to an end: look at its log.",
        Unavailability.VERSION: "Bring both nodes to the same version of the software.",
    }.get(error.reason, "Ask its keeper to look at its log.")


def _show(reports: list[PeerReport]) -> None:
    if not reports:
        output.say("There are no peers: `federation.peers` in node.yaml is empty.")
    for report in reports:
        style = "bold red" if report.code else "bold green" if report.asked else "yellow"
        code = f" ({report.code})" if report.code else ""
        output.say(f"{report.peer}: {report.message}{code}", style)
        if report.mend:
            output.indented(f"→ {report.mend}")
