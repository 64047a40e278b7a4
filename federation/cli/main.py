"""The entry point: runs a command and sees to it that whatever goes wrong is said in words."""

from __future__ import annotations

import sys
from collections.abc import Sequence

_SERVER_PARTS = frozenset(
    {"typer", "rich", "pydantic", "duckdb", "sqlglot", "fastapi", "uvicorn", "sqlalchemy"}
)


def main() -> None:
    """What the script ``federation`` and ``python -m federation`` call."""
    sys.exit(run())


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (the process's own where none is given) and return its exit code."""
    try:
        return _run(arguments)
    except KeyboardInterrupt:  # while the parts of the program are still being loaded
        sys.stderr.write("Stopped.\n")
        return 130
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _SERVER_PARTS:
            raise
        sys.stderr.write(
            f"The command line needs {error.name}, which is not installed.\n"
            "  pip install 'devolved-federation[server]'\n"
        )
        return 2


def _run(arguments: Sequence[str] | None) -> int:
    from typer.main import get_command

    from federation.cli.app import app
    from federation.cli.exits import ExitCode
    from federation.cli.output import say
    from federation.cli.problems import code_of, show, unforeseen
    from federation.client.errors import FederationError

    try:
        get_command(app).main(
            args=None if arguments is None else list(arguments), prog_name="federation", standalone_mode=True
        )
    except SystemExit as end:
        if end.code == ExitCode.INTERRUPTED:
            say("Stopped.", stderr=True)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except FederationError as error:
        show(error)
        return code_of(error)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError):
            raise
        return unforeseen(error)
    return ExitCode.OK
