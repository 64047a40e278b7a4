"""The whole journey in a terminal, as its users would type it: ``make demo``.

Makes a node on a synthetic labour market in ``.demo``, starts it, and goes from the catalogue to a verified answer.
Every step shows a command and its real output, and is held to the exit code that it should have. Safe to repeat:
the data is made once, the node begins afresh each time.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from examples.synthetic.__main__ import at_least
from examples.synthetic.generate import generate
from examples.terminal import ROOT, DemoError, Terminal, short, step
from federation.cli.exits import ExitCode
from federation.cli.output import busy, say
from federation.state.errors import NodeAlreadyRunning
from federation.state.lock import NodeLock

CONFIGURATION = ROOT / "examples" / "labour_market"
QUESTIONS = ROOT / "examples" / "questions"
SEED = 1
START_SECONDS = 60
PURPOSE = "Local skills and employment planning"
PEOPLE_HELP = "number of people to invent (default: 500,000)"


@dataclass(frozen=True)
class Place:
    """Where the demonstration lives, and at which address its node listens."""

    folder: Path
    port: int

    @property
    def node(self) -> Path:
        return self.folder / "node"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=at_least(1), default=500_000, help=PEOPLE_HELP)
    parser.add_argument("--folder", type=Path, default=Path(".demo"), help="where it lives (default: .demo)")
    parser.add_argument(
        "--port", type=int, default=None, help="port of the node (default: 8642, or a free one)"
    )
    parser.add_argument("--keep", action="store_true", help="leave the node running at the end")
    options = parser.parse_args(arguments)
    place = Place(options.folder.resolve(), options.port or free_port())
    began = time.monotonic()
    try:
        prepare(place, options.people)
        with running(place, keep=options.keep) as process:
            journey(place)
    except DemoError as error:
        say(f"\n{error}", "bold red", stderr=True)
        return 1
    except OSError as error:
        say(f"\n{error.filename or place.folder}: {error.strerror}", "bold red", stderr=True)
        return 1
    except KeyboardInterrupt:
        say("\nStopped; the node is stopped too.", stderr=True)
        return ExitCode.INTERRUPTED
    farewell(place, time.monotonic() - began, process.pid if options.keep else None)
    return 0


def free_port(preferred: int = 8642) -> int:
    """The usual port, or another one where that is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", preferred))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def prepare(place: Place, people: int) -> None:
    """Configuration, data and questions in place; what an earlier journey left at the node is gone."""
    say("A data federation for devolved government: the journey from a question to an answer", "bold")
    state = place.node / "state"
    try:
        with NodeLock(state):
            for old in state.iterdir():
                if old.name != "node.lock":
                    shutil.rmtree(old) if old.is_dir() else old.unlink()
    except NodeAlreadyRunning as error:
        raise DemoError(f"The node of an earlier demonstration is still running: {error}.") from None
    shutil.copytree(
        CONFIGURATION,
        place.node,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("data", "state", "secrets"),
    )
    shutil.copytree(QUESTIONS, place.folder, dirs_exist_ok=True)
    data, made = place.node / "data", place.folder / f"data-{people}-{SEED}"
    if not made.exists():
        for marker in place.folder.glob("data-*"):
            marker.unlink()
        with busy(f"Inventing {people:,} people") as update:
            generate(people, data, SEED, lambda done, of: update(f"Inventing people: {done:,} of {of:,}"))
        made.touch()
    say(f"{people:,} invented people, and employers, vacancies and learners: {short(data)}", "dim")


@contextmanager
def running(place: Place, *, keep: bool) -> Iterator[subprocess.Popen[bytes]]:
    """The node, in a process of its own, stopped at the end whatever happens."""
    command = [
        sys.executable,
        "-m",
        "federation",
        "serve",
        "--config",
        str(place.node),
        "--port",
        str(place.port),
    ]
    log = place.folder / "node.log"
    with log.open("wb") as stream:
        # A session of its own: Ctrl-C here ends the journey, and the journey ends the node.
        process = subprocess.Popen(command, stdout=stream, stderr=stream, cwd=ROOT, start_new_session=True)
    done = False
    try:
        with busy("Starting the node"):
            _await(place, process, log)
        yield process
        done = True
    finally:
        if not (keep and done):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await(place: Place, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise DemoError(f"The node did not start:\n{log.read_text(errors='replace')}")
        try:
            with urlopen(f"{place.url}/readyz", timeout=2):
                return
        except (URLError, OSError):
            time.sleep(0.2)
    raise DemoError(f"The node did not start within {START_SECONDS} seconds: see {short(log)}.")


def journey(place: Place) -> None:
    """Planner, custodians, auditor: each step in turn."""
    terminal = Terminal(place.url, PURPOSE)
    learners, pay, employment = (place.folder / f"{name}.sql" for name in ("learners", "pay", "employment"))
    saved, tampered = place.folder / "employment.csv", place.folder / "tampered.csv"

    step(1, "Priya plans skills for Greater Manchester. What data is there?")
    say(f"(FEDERATION_URL is {place.url}, FEDERATION_PURPOSE is {PURPOSE!r}.)", "dim")
    terminal.type("priya", "catalogue", "learners")

    step(2, "She asks for learners in construction, and is told what is wrong with the question.")
    wrong = "SELECT level, count(*) AS learners FROM learners WHERE subject = 'Construction' GROUP BY level"
    terminal.type("priya", "query", wrong, expect=ExitCode.REFUSED)
    terminal.type("priya", "codes", "sector_subject_area", "construction")

    step(3, "Two better questions: Level 3 learners by subject, and pay, each next to the region.")
    terminal.show(learners)
    terminal.type("priya", "query", f"@{short(learners)}", expect=ExitCode.WAITING)
    terminal.show(pay)
    terminal.type("priya", "query", f"@{short(pay)}", expect=ExitCode.WAITING)

    step(4, "Grace decides for the learner records. She sees what is asked, and what would run.")
    request = terminal.waiting("grace")
    terminal.type("grace", "requests", request)
    terminal.type("grace", "approve", request, "--reason", "Within the agreement")
    say("\nOwen decides for the survey.")
    terminal.type("owen", "approve", terminal.waiting("owen"), "--reason", "Within the agreement")

    step(5, "Priya repeats her commands, and has her answers. Marks say what was withheld.")
    terminal.type("priya", "query", f"@{short(learners)}")
    terminal.type("priya", "query", f"@{short(pay)}")

    step(6, "A question under a standing rule needs no further hand: it is answered at once.")
    terminal.show(employment)
    terminal.type("priya", "query", f"@{short(employment)}")
    terminal.type("priya", "query", f"@{short(employment)}", "--out", saved)

    step(7, "Anybody can verify the answer. A copy with one figure changed does not pass.")
    terminal.type("", "verify", saved)
    _change(saved, tampered)
    terminal.type(
        "", "verify", tampered, "--statement", saved.with_name(saved.name + ".jws"), expect=ExitCode.REFUSED
    )

    step(8, "Owen is auditor too: everything that happened is in a chain that nobody can edit unseen.")
    terminal.type("owen", "audit", "verify")


def _change(saved: Path, tampered: Path) -> None:
    """Put a 9 before the first figure of a saved answer, in a copy."""
    edit = '2s/,"",/,"",9/'
    say()
    say(f"$ sed '{edit}' {short(saved)} > {short(tampered)}", "bold cyan")
    with tampered.open("wb") as copy:
        subprocess.run(["sed", edit, saved], stdout=copy, check=True)


def farewell(place: Place, seconds: float, kept: int | None) -> None:
    """How to go on."""
    start = f".venv/bin/federation serve --config {short(place.node)}"
    port = "" if place.port == 8642 else f" --port {place.port}"
    say(f"\nThat was the journey, in {seconds:.0f} seconds.", "bold")
    if kept is not None:
        say(
            f"The node is still running. Its pages are at {place.url}, its API's documentation at {place.url}/docs."
        )
        say(f"To stop it: kill {kept}")
    else:
        say("The node is stopped. To go on, start it again in one terminal:")
        say(f"  {start}{port}", "cyan")
        say(f"Its pages are then at {place.url}, its API at {place.url}/v1 (see {place.url}/docs).")
    say("In another terminal, ask what you like:" if kept is None else "Ask what you like:")
    url = "" if place.port == 8642 else f" FEDERATION_URL={place.url}"
    say(f"  export FEDERATION_PERSON=priya{url}", "cyan")
    say("  .venv/bin/federation catalogue", "cyan")
    say(f"  .venv/bin/federation query @{short(place.folder)}/employment.sql \\", "cyan")
    say(f'    --purpose "{PURPOSE}"', "cyan")
    say("Your own data: .venv/bin/federation import --help")


if __name__ == "__main__":
    sys.exit(main())
