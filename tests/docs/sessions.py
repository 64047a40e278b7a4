"""Pages whose commands are run as a reader would type them, and whose outputs are held against what comes out.

A block of ``console run`` holds commands after ``$ `` (continued after ``> ``) with what they print; ``console serve``
holds the command that starts the node; ``python run`` is a notebook's cell, and ``text output`` what it prints.
Numbers of requests, runs and releases differ at each run: each on the page stands for one that came out.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.docs.demo import SECRETS
from tests.docs.pages import ROOT

BLOCK = re.compile(
    r"^```(console run|console serve|python run|text output)\n(.*?)^```$", re.DOTALL | re.MULTILINE
)
ID = re.compile(r"\b(?:req|rel|run)_(?:[0-9a-f]{10,}|\d)(?![0-9a-f])")
CHANGING = (
    (re.compile(r"20\d\d-\d\d-\d\d([ T]\d\d:\d\d(:\d\d)?)?"), "DATE"),
    (re.compile(r"sha256:[0-9a-f]{64}|\b[0-9a-f]{64}\b"), "DIGEST"),
    (re.compile(r"\b\d+ events\b|(?m:^ +\d+   (?=DATE))"), "EVENTS"),
)


@dataclass
class Terminal:
    """A reader's terminal and notebook. ``ids`` has, for each number on the page, the one that came out."""

    folder: Path
    url: str
    environment: dict[str, str]
    ids: dict[str, str] = field(default_factory=dict)
    cells: dict[str, object] = field(default_factory=dict)

    def type(self, command: str) -> str:
        """What a command prints. ``export`` stays for the commands after it."""
        exported = re.fullmatch(r"export (\w+)=(.*)", command)
        if exported:
            self.environment[exported[1]] = exported[2].strip('"')
            return ""
        ran = subprocess.run(
            ["bash", "-c", self._now(command)],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        return ran.stdout

    def cell(self, text: str) -> str:
        """What a notebook's cell prints."""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.chdir(self.folder):
            exec(compile(self._now(text), "cell", "exec"), self.cells)  # the page is the project's own
        return printed.getvalue()

    def learn(self, shown: str, came: str) -> None:
        """Numbers on the page stand for those that came out at their place."""
        for old, new in zip(ID.findall(shown), ID.findall(came), strict=False):
            self.ids.setdefault(old, new)

    def as_shown(self, text: str) -> str:
        """What came out, in the words of the page."""
        for shown, came in self.ids.items():
            text = text.replace(came, shown)
        return text.replace(self.url, "http://127.0.0.1:8642")

    def _now(self, text: str) -> str:
        text = text.replace("http://127.0.0.1:8642", self.url)
        return ID.sub(lambda found: self.ids.get(found[0], found[0]), text)


@contextlib.contextmanager
def terminal(folder: Path, url: str = "") -> Iterator[Terminal]:
    """A terminal in a folder, with ``federation`` and ``python`` on its path. Where no node is named by its address,
    there is a free port for one."""
    programs = folder / "bin"
    programs.mkdir()
    for name, words in (("python", ""), ("federation", " -m federation")):
        script = programs / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}"{words} "$@"\n')
        script.chmod(0o755)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = url or f"http://127.0.0.1:{port}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FEDERATION_")}
    yield Terminal(
        folder,
        url,
        {
            **kept,
            **SECRETS,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "FEDERATION_PORT": str(port),
            "FEDERATION_URL": url,
        },
    )


@contextlib.contextmanager
def served(at: Terminal, command: str) -> Iterator[str]:
    """Run the command that starts a node until the end; gives what it printed until it was ready."""
    printed = at.folder / "serve.txt"
    with printed.open("w") as out:
        node = subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=at.folder, env=at.environment, stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            _wait(at, node)
            yield printed.read_text()
        finally:
            node.send_signal(signal.SIGTERM)
            node.wait(30)


def _wait(at: Terminal, node: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert node.poll() is None, (at.folder / "serve.txt").read_text()
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{at.url}/readyz").status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError("the node is not ready")


def follow(page: str, folder: Path, url: str = "") -> str:
    """The page with what really comes out in place of what it shows. ``url`` is that of a node that runs already."""
    with contextlib.ExitStack() as stack:
        at = stack.enter_context(terminal(folder, url))
        printed = [""]

        def block(found: re.Match[str]) -> str:
            kind, body = found[1], found[2]
            if kind == "console run":
                body = "".join(_typed(at, command, shown) for command, shown in commands(body))
            elif kind == "console serve":
                ((command, _),) = commands(body)
                body = f"$ {command}\n{at.as_shown(stack.enter_context(served(at, command)))}"
            elif kind == "python run":
                printed[0] = at.cell(body)
            else:
                at.learn(body, printed[0])
                body = at.as_shown(printed[0])
            return f"```{kind}\n{body}```"

        return BLOCK.sub(block, page)


def _typed(at: Terminal, command: str, shown: str) -> str:
    came = at.type(command)
    at.learn(shown, came)
    return "$ " + command.replace("\n", "\n> ") + "\n" + at.as_shown(came)


def commands(block: str) -> list[tuple[str, str]]:
    """The commands of a block, each with what it shows."""
    found: list[tuple[str, str]] = []
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        lines = part.splitlines(keepends=True)
        end = next((i for i, line in enumerate(lines) if i and not line.startswith("> ")), len(lines))
        command = lines[0] + "".join(line[2:] for line in lines[1:end])
        found.append((command.rstrip("\n"), "".join(lines[end:])))
    return found


def settled(text: str) -> str:
    """A page without what differs from run to run."""
    for pattern, name in CHANGING:
        text = pattern.sub(name, text)
    return text
