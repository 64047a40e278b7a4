"""docs/cli.md has every command, option, variable and exit code, and no other."""

from __future__ import annotations

import re
from collections import defaultdict

from click import Command
from typer.main import get_command

from federation.cli.app import app
from federation.cli.connection import SECRET_VARIABLE
from federation.cli.exits import ExitCode
from tests.docs.pages import code, read, rows, section

PAGE = read("cli.md")


def commands(group: Command, prefix: str = "") -> dict[str, Command]:
    """Every command by its words, those of subcommands too."""
    found: dict[str, Command] = {}
    for name, command in getattr(group, "commands", {}).items():
        words = f"{prefix}{name}"
        found |= commands(command, f"{words} ") if hasattr(command, "commands") else {words: command}
    return found


COMMANDS = commands(get_command(app))


def options() -> dict[str, set[str]]:
    """The commands that have an option, by its first name."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, command in COMMANDS.items():
        for parameter in command.params:
            if parameter.param_type_name == "option":
                found[parameter.opts[0]].add(name)
    return found


def test_every_command_is_there_with_its_arguments() -> None:
    shown = {
        code(row[0]).removeprefix("federation "): row[1].strip("`") for row in rows(section(PAGE, "Commands"))
    }
    arguments = {
        name: " ".join(
            parameter.name.upper() if parameter.required else f"[{parameter.name.upper()}]"
            for parameter in command.params
            if parameter.param_type_name == "argument" and parameter.name is not None
        )
        for name, command in COMMANDS.items()
    }
    assert shown == arguments


def test_every_option_is_there_with_its_commands() -> None:
    table = rows(section(PAGE, "Options"))
    assert {code(row[0]) for row in table} == set(options())
    clients = options()["--url"]
    for row in table:
        named = set(re.findall(r"`([a-z][a-z -]*)`", row[1]))
        expected = options()[code(row[0])]
        if row[1].startswith("all but"):
            assert set(COMMANDS) - expected == named, row[0]
        elif row[1] == "all that talk to a node":
            assert expected == clients
        elif row[1] == "all that log in":
            assert expected == clients - {"keys", "login", "logout", "register"}
        else:
            assert expected == named, row[0]


def test_the_short_names_are_there() -> None:
    short = {
        name: set(re.findall(r"`(-\w)`", row[0]))
        for row in rows(section(PAGE, "Options"))
        for name in [code(row[0])]
    }
    for command in COMMANDS.values():
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert short[parameter.opts[0]] == set(parameter.opts[1:])


def test_every_variable_is_there() -> None:
    shown = {code(row[0]): row[1].strip("`") for row in rows(section(PAGE, "Environment"))}
    variables = {
        parameter.envvar: parameter.opts[0]
        for command in COMMANDS.values()
        for parameter in command.params
        if isinstance(parameter.envvar, str)
    }
    assert shown == variables
    assert f"`{SECRET_VARIABLE}`" in PAGE


def test_every_exit_code_is_there_with_its_meaning() -> None:
    shown = {int(code(row[0])): row[1] for row in rows(section(PAGE, "Exit codes"))}
    assert shown == {int(each): each.meaning for each in ExitCode}
