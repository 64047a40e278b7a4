"""The entry point: what is installed, what is typed wrongly, and what nobody foresaw."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from federation.cli import main
from federation.cli.app import app
from federation.cli.exits import ExitCode
from federation.cli.main import run

ROOT = Path(__file__).parents[3]


def commands() -> list[list[str]]:
    found: list[list[str]] = []
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", {})
        found += [[name, other] for other in inner] or [[name]]
    return found


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_explains_itself(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"federation {' '.join(command)}" in shown
    if command[0] not in ("agreements", "whoami"):
        assert "Examples:" in shown


@pytest.mark.parametrize("command", [[], ["audit"]])
def test_without_a_command_the_help_is_shown(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command) == ExitCode.USAGE
    assert "Commands" in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    "words",
    [
        ["qery"],
        ["query"],
        ["catalogue", "--nope"],
        ["codes", "geography", "--limit", "0"],
        ["approve", "req_1"],
    ],
)
def test_a_command_that_is_not_understood(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == ExitCode.USAGE
    assert "Usage:" in capsys.readouterr().err


def test_exit_codes_are_distinct_and_explained() -> None:
    assert len({code.value for code in ExitCode}) == len(ExitCode)
    assert all(code.meaning for code in ExitCode)


def test_an_unforeseen_error_shows_its_place_and_not_its_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("a data value")

    monkeypatch.setattr("federation.cli.connection.connect", fail)
    assert run(["whoami", "--person", "pat"]) == ExitCode.FAILED
    shown = capsys.readouterr().err
    assert "ValueError at " in shown
    assert "test_entry_point:" in shown
    assert "a data value" not in shown
    assert "Traceback" not in shown


def test_ctrl_c_ends_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("federation.cli.connection.connect", interrupt)
    assert run(["whoami", "--person", "pat"]) == ExitCode.INTERRUPTED
    assert capsys.readouterr().err.strip() == "Stopped."


def test_ctrl_c_while_the_program_loads(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(main, "_run", interrupt)
    assert run([]) == ExitCode.INTERRUPTED
    assert capsys.readouterr().err == "Stopped.\n"


def test_the_client_alone_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(_: object) -> int:
        raise ModuleNotFoundError("No module named 'typer'", name="typer")

    monkeypatch.setattr(main, "_run", missing)
    assert run([]) == ExitCode.USAGE
    assert "pip install 'devolved-federation[server]'" in capsys.readouterr().err


def test_client_commands_do_not_load_a_nodes_parts() -> None:
    script = (
        "import sys\nfrom federation.cli.main import run\nrun(['query', '--help'])\n"
        "found = {'duckdb', 'sqlglot', 'fastapi', 'sqlalchemy'} & set(sys.modules)\n"
        "assert not found, found\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


def test_the_module_runs_as_the_script_does() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "federation", "--help"], cwd=ROOT, capture_output=True, check=False
    )
    assert ended.returncode == 0
    assert b"Exit codes" in ended.stdout


def test_a_reader_that_goes_away_is_no_error() -> None:
    ended = subprocess.run(
        f"{sys.executable} -m federation --help | head -1",
        shell=True,
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert b"Traceback" not in ended.stderr
