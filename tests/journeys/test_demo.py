"""``make demo``: the whole journey, twice over, with nothing left running."""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from examples.demo import free_port
from examples.terminal import quoted
from federation.state.lock import NodeLock
from tests.support.thorough import thorough

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


def demo(folder: Path, port: int, *words: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "examples.demo",
        "--folder",
        folder,
        "--port",
        str(port),
        "--people",
        "200000",
    ]
    return subprocess.run(
        [*command, *words], cwd=ROOT, capture_output=True, text=True, check=False, timeout=240
    )


@thorough
def test_the_journey_ends_well_and_can_be_repeated(tmp_path: Path) -> None:
    port = free_port(0)
    first = demo(tmp_path, port)
    assert first.returncode == 0, first.stdout[-2000:] + first.stderr
    shown = first.stdout
    assert re.findall(r"^(\d)\. ", shown, re.MULTILINE) == [str(step) for step in range(1, 9)]
    order = [
        "Refused.",
        "Nearest: Construction, Planning and the Built Environment (5)",
        "Your question waits for a decision.",
        "SQL sent to the source",
        "Approved: req_",
        "[low]  low: rounds to zero",
        "[c]  confidential: withheld",
        "decided by standing rule employment_by_area",
        "Not verified: the table is not the one that the statement is about.",
        "The audit chain is whole",
        "The node is stopped.",
    ]
    places = [shown.index(text) for text in order]
    assert places == sorted(places)
    assert "Traceback" not in shown + first.stderr
    assert "\x1b" not in shown
    assert f"serve --config {tmp_path / 'node'} --port {port}" in shown
    with NodeLock(tmp_path / "node" / "state"):
        pass
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/healthz")

    made = (tmp_path / "node" / "data" / "people.parquet").stat().st_mtime_ns
    second = demo(tmp_path, port)
    assert second.returncode == 0, second.stdout[-2000:] + second.stderr
    assert (tmp_path / "node" / "data" / "people.parquet").stat().st_mtime_ns == made
    assert figures(second.stdout) == figures(shown), "one question has one answer, on another day too"


def figures(shown: str) -> list[str]:
    """The rows of the tables of answers."""
    return re.findall(r"^\S.*  +(?:[\d.]+|\[\w+\])$", shown, re.MULTILINE)


def test_a_node_that_is_still_running_is_left_alone(tmp_path: Path) -> None:
    state = tmp_path / "node" / "state"
    state.mkdir(parents=True)
    kept = state / "node.sqlite"
    kept.write_text("of the running node")
    with NodeLock(state):
        ended = demo(tmp_path, free_port(0))
    assert ended.returncode == 1
    assert "still running" in ended.stderr
    assert kept.read_text() == "of the running node"


def test_the_port_is_another_where_the_usual_one_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        usual = taken.getsockname()[1]
        assert free_port(usual) != usual
    assert free_port(usual) == usual


def test_words_are_quoted_as_the_shell_reads_them() -> None:
    for word in ("one", "two words", "WHERE a = 'x'", "it's $HOME", "both ' and \"", ""):
        assert shlex.split(quoted(word)) == [word]
