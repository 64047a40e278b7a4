"""Four nations, a hub, and questions over all of them, in a terminal: ``make demo-federation``.

Each nation's node holds that nation's part of a synthetic survey, the hub holds nothing. All are processes of their
own on this machine, and one of them cannot be called. Every step shows a command and its real output, and is held to
the exit code that it should have. Safe to repeat: the data is made once, the nodes begin afresh each time.
"""

from __future__ import annotations

import argparse
import base64
import json
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from examples.four_nations.layout import (
    HUB,
    NATIONS,
    NODES,
    POLLS,
    WHOLE,
    Addresses,
    make_people,
    write_nodes,
)
from examples.four_nations.processes import NodeDied, Processes, free_addresses, port_of
from examples.four_nations.relay import Carried, relay, watched
from examples.synthetic.__main__ import at_least
from examples.terminal import DemoError, Terminal, short, step
from federation.cli.exits import ExitCode
from federation.cli.output import busy, rows, say
from federation.masked.masks import unmasked
from federation.masked.session import EligibilityAnswer
from federation.state.errors import NodeAlreadyRunning
from federation.state.lock import NodeLock

QUESTIONS = Path(__file__).resolve().parent / "four_nations" / "questions"
PURPOSE = "Skills planning across the United Kingdom"
PEOPLE_HELP = "number of people to invent (default: 300,000)"


@dataclass
class Place:
    """Where the demonstration lives, its nodes' addresses, and what went over the wires so far."""

    folder: Path
    addresses: Addresses
    seen: list[Carried] = field(default_factory=list)

    @property
    def nodes(self) -> Path:
        return self.folder / "nodes"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m examples.federation_demo", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--people", type=at_least(100_000), default=300_000, help=PEOPLE_HELP)
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(".demo-federation"),
        help="where it lives (default: .demo-federation)",
    )
    parser.add_argument("--keep", action="store_true", help="keep the nodes running at the end, until Ctrl-C")
    options = parser.parse_args(arguments)
    place = Place(options.folder.resolve(), free_addresses())
    began = time.monotonic()
    try:
        prepare(place, options.people)
        with ExitStack() as stack:
            processes = stack.enter_context(Processes(place.nodes, place.addresses))
            for node, url in place.addresses.called.items():
                carrier = watched(place.seen.append)
                stack.enter_context(relay(port_of(url), place.addresses.ports[node], carrier))
            with busy("Starting six nodes"):
                processes.start(NODES)
            journey(place, processes)
            say(f"\nThat was the journey, in {time.monotonic() - began:.0f} seconds.", "bold")
            if options.keep:
                processes.start([node for node in NODES if node not in processes.running])
                wait(place)
    except (DemoError, NodeDied) as error:
        say(f"\n{error}", "bold red", stderr=True)
        return 1
    except OSError as error:
        say(f"\n{error.filename or place.folder}: {error.strerror}", "bold red", stderr=True)
        return 1
    except KeyboardInterrupt:
        say("\nStopped; the nodes are stopped too.", stderr=True)
        return ExitCode.INTERRUPTED
    say("The nodes are stopped. To ask what you like, run it with --keep:")
    say("  .venv/bin/python -m examples.federation_demo --keep", "cyan")
    say(
        f"Their configurations are in {short(place.nodes)}, one folder a node; docs/federation.md explains them."
    )
    return 0


def prepare(place: Place, people: int) -> None:
    """Data and configurations in place; what earlier journeys left at the nodes is gone."""
    say("Four nations count together: each keeps its data, and decides on its own", "bold")
    try:
        with ExitStack() as stack:
            for node in NODES:
                if (place.nodes / node / "state").exists():
                    stack.enter_context(NodeLock(place.nodes / node / "state"))
            shutil.rmtree(place.nodes, ignore_errors=True)
    except NodeAlreadyRunning as error:
        raise DemoError(f"A node of an earlier demonstration is still running: {error}.") from None
    data = place.folder / f"data-{people}"
    with busy(f"Inventing {people:,} people") as update:
        make_people(data, people, lambda done, of: update(f"Inventing people: {done:,} of {of:,}"))
    write_nodes(place.nodes, data, place.addresses)
    shutil.copytree(QUESTIONS, place.folder, dirs_exist_ok=True)
    say(
        f"{people:,} invented people in {len(NATIONS)} parts, one at each nation's node: {short(place.nodes)}",
        "dim",
    )


def journey(place: Place, processes: Processes) -> None:
    """What a hub can ask, what it gets, what it sees of it, and what becomes of it where a nation is not there."""
    names = {name.upper(): place.addresses.url(name) for name in (*NATIONS, WHOLE)}
    terminal = Terminal(place.addresses.url(HUB), PURPOSE, names)
    files = {name: place.folder / f"{name}.sql" for name in ("young", "young_jointly", "qualifications")}
    joint, whole = place.folder / "jointly.csv", place.folder / "everybody.csv"

    step(
        1,
        "Kit keeps the hub. Who is there? (Northern Ireland is behind a firewall and calls the hub itself.)",
    )
    terminal.type("", "peers", "check", place.nodes / HUB)

    step(2, "Asha asks for a forum of all nations. What data is there?")
    say(f"(FEDERATION_URL is {terminal.url}, the hub; FEDERATION_PURPOSE is {PURPOSE!r}.)", "dim")
    terminal.type("asha", "catalogue")

    step(3, "What do people aged 16 to 19 do? Each nation answers for its part, and the hub adds up.")
    terminal.show(files["young"])
    terminal.type("asha", "query", f"@{short(files['young'])}")
    say("\nThe noise of four answers adds up, and what one nation hides is hidden in the total.")

    step(4, "The same, counted jointly: nobody learns another's part, and the noise is that of one answer.")
    _rewrite(files["young"], files["young_jointly"])
    began = len(place.seen)
    terminal.type("asha", "query", f"@{short(files['young_jointly'])}")
    messages = place.seen[began:]
    say("\nA node that holds everybody, for comparison alone, gives the same figures:")
    terminal.type("asha", "query", f"@{short(files['young_jointly'])}", "--out", joint)
    terminal.type("asha", "query", f"@{short(files['young'])}", "--out", whole, at="EVERYBODY")
    _compare(joint, whole)

    step(5, "What did the hub see of that? It carried every message.")
    _seen(messages)

    step(6, "A question that Wales has no standing rule for waits there, and there alone.")
    terminal.show(files["qualifications"])
    terminal.type("asha", "query", f"@{short(files['qualifications'])}")
    say("\nFfion decides for Wales. The question names the hub, and who asks through it.")
    request = terminal.waiting("ffion", "WALES")
    terminal.type("ffion", "requests", at="WALES")
    terminal.type("ffion", "approve", request, "--reason", "Within the agreement", at="WALES")
    say("\nAsha repeats her command, and the total is whole.")
    terminal.type("asha", "query", f"@{short(files['qualifications'])}")

    step(7, "Scotland's node is switched off. Nothing is silently left out.")
    processes.stop(["scotland"])
    by_sex = "SELECT sex, count(*) AS people FROM {} WHERE period = 2025 GROUP BY sex"
    terminal.type("asha", "query", by_sex.format("people"))
    terminal.type("asha", "query", by_sex.format("people_together"), expect=ExitCode.FAILED)

    step(8, "Anybody can verify what the hub released, and sees which nations released what for it.")
    terminal.type("", "verify", joint)
    terminal.type("kit", "audit", "verify")


def _rewrite(question: Path, jointly: Path) -> None:
    """The same question of the dataset that is counted jointly."""
    edit = "s/FROM people/FROM people_together/"
    say()
    say(f"$ sed '{edit}' {short(question)} > {short(jointly)}", "bold cyan")
    jointly.write_text(question.read_text("utf-8").replace("FROM people", "FROM people_together"), "utf-8")


def _compare(joint: Path, whole: Path) -> None:
    """Shows where the two differ, and holds every figure that the joint count gives to that of one node."""
    say()
    say(f"$ diff {short(joint)} {short(whole)} && echo the same", "bold cyan")
    ours, theirs = joint.read_text("utf-8").splitlines(), whole.read_text("utf-8").splitlines()
    differ = [(a, b) for a, b in zip(ours, theirs, strict=True) if a != b]
    if any(not a.endswith('"[c]"') for a, _ in differ):
        raise DemoError("The joint count differs from that of one node.")
    for a, b in differ:
        say(f"< {a}\n---\n> {b}")
    if differ:
        say(
            "\nEvery figure given is the same. Where exactly one nation would publish nothing by itself, the joint"
        )
        say("count is withheld: less what the others publish, it would be that nation's part.")
    else:
        say("the same")


def _seen(messages: Sequence[Carried]) -> None:
    """The answers of the nations as they stood in the hub's messages."""
    answers = {
        (message.issuer, message.kind): message.body for message in messages if message.issuer in NATIONS
    }
    order = sorted(NATIONS)
    masked = {node: _words(answers[node, "values"]["masked"]) for node in order}
    table = []
    for node in order:
        mask = _answer(answers[node, "eligibility"]["answer"]).mask
        sealed = base64.b64decode(answers[node, "keys"]["sealed"]).hex()
        publishes = f"{int(mask.sum())} of {mask.size}"
        table.append((node, publishes, f"{sealed[:12]}…", f"{int(masked[node][-1]):,}"))
    total = int(unmasked(list(masked.values()))[-1])
    table.append(("sum modulo 2^64", "", "", f"{total:,}"))
    say()
    rows(("node", "would publish", "keys, sealed", "everybody, masked"), table, (False, False, False, True))
    say()
    say(
        "Would publish: of how many counts each nation by itself would publish something, and the hub knows which."
    )
    say(
        f"Keys, sealed: what the noise is drawn from; {order[0]} can open it, and learns the sum over all nations."
    )
    say(
        "Masked: a count plus numbers that pairs of nations agreed on, past the hub. Each is as good as random;"
    )
    say(
        "they cancel in the sum, which is the joint count with its noise. No part can be read off, by the hub or"
    )
    say("by another nation, unless all the others work together against one.")
    sizes = sum(message.bytes for message in messages if message.issuer in NATIONS)
    say(f"({len(messages)} messages; from the nations to the hub {sizes / 1000:.0f} kB.)", "dim")


def _words(text: str) -> npt.NDArray[np.uint64]:
    return np.frombuffer(base64.b64decode(text), dtype="<u8").astype(np.uint64)


def _answer(token: str) -> EligibilityAnswer:
    payload = token.split(".")[1]
    fields = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return EligibilityAnswer.model_validate(fields)


def wait(place: Place) -> None:
    """Keep everything running until Ctrl-C."""
    say("The nodes are running until you press Ctrl-C. In another terminal:")
    say(f"  export FEDERATION_URL={place.addresses.url(HUB)} FEDERATION_PERSON=asha", "cyan")
    say(f"  .venv/bin/federation query @{short(place.folder)}/young.sql", "cyan")
    for node, nation in NATIONS.items():
        reached = "it polls" if node == POLLS else "it is called"
        say(f"{nation.title} ({reached}): {place.addresses.url(node)}, where {nation.person} decides")
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    sys.exit(main())
