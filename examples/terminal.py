"""What a journey shows: commands as people type them, and what they print."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from federation.cli.exits import ExitCode
from federation.cli.output import say
from federation.client import connect

ROOT = Path(__file__).resolve().parents[1]


class DemoError(Exception):
    """The journey cannot go on; the text says why, and what to do."""


def short(path: Path) -> str:
    """A path as one would type it here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


@dataclass(frozen=True)
class Terminal:
    """Types commands at a node and shows what they print. ``names`` are addresses of other nodes by the variable that
    stands for each."""

    url: str
    purpose: str
    names: Mapping[str, str] = field(default_factory=dict)

    def type(
        self,
        who: str,
        *words: str | Path,
        at: str = "",
        expect: ExitCode = ExitCode.OK,
    ) -> None:
        """Run ``federation`` as a person and hold it to an exit code. ``at`` is a name of another node."""
        shown = [short(word) if isinstance(word, Path) else word for word in words]
        person = ["--person", who] if who else []
        there = f" --url ${at}" if at else ""
        say()
        say(f"$ federation {' '.join(map(quoted, [*shown, *person]))}{there}", "bold cyan")
        sys.stdout.flush()
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("FEDERATION_")},
            "FEDERATION_URL": self.names[at] if at else self.url,
            "FEDERATION_PURPOSE": self.purpose,
            "PYTHONPATH": str(ROOT),
        }
        command = [sys.executable, "-m", "federation", *shown, *person]
        code = subprocess.run(command, env=environment, stderr=subprocess.STDOUT, check=False).returncode
        if code != expect:
            raise DemoError(
                f"The command ended with {code} where {expect.value} ({expect.meaning}) was expected."
            )

    def show(self, file: Path) -> None:
        say()
        say(f"$ cat {short(file)}", "bold cyan")
        say(file.read_text().rstrip())

    def waiting(self, who: str, at: str = "") -> str:
        """The number of the newest request that waits for a custodian, which a person would copy."""
        with connect(self.names[at] if at else self.url, person=who) as session:
            return session.requests("submitted")[0].id


def step(number: int, text: str) -> None:
    """The heading of a step."""
    say(f"\n{number}. {text}", "bold magenta")


def quoted(word: str) -> str:
    """A word as a person would quote it for the shell.

    >>> print(quoted("WHERE a = 'x'"), quoted("two words"), quoted("one"))
    "WHERE a = 'x'" 'two words' one
    """
    if "'" in word and not set(word) & set('"$`\\!'):
        return f'"{word}"'
    return shlex.quote(word)
