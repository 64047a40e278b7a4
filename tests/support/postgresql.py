"""A PostgreSQL server of the test's own, where its binaries are installed."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

NO_SERVER = "PostgreSQL is not installed"


def _binary(name: str) -> str:
    found = shutil.which(name) or next(map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), None)
    if found is None:
        pytest.skip(f"{NO_SERVER}: there is no {name}")
    return found


@contextmanager
def server() -> Iterator[str]:
    """The URL of a fresh server on a Unix socket; PostgreSQL refuses to run as root, so root becomes nobody."""
    initdb, pg_ctl = _binary("initdb"), _binary("pg_ctl")
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    with TemporaryDirectory(prefix="pg") as directory:
        home = Path(directory)
        if user is not None:
            os.chown(home, user.pw_uid, user.pw_gid)

        def run(*command: str) -> None:
            subprocess.run(
                command,
                check=True,
                stdout=subprocess.DEVNULL,
                cwd=home,
                user=None if user is None else user.pw_uid,
                group=None if user is None else user.pw_gid,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": directory},
            )

        run(initdb, "-D", f"{home}/data", "-U", "federation", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-k {home} -c listen_addresses='' -c fsync=off"
        run(pg_ctl, "-D", f"{home}/data", "-l", f"{home}/log", "-w", "-o", options, "start")
        try:
            yield f"postgresql+psycopg://federation@/postgres?host={home}"
        finally:
            run(pg_ctl, "-D", f"{home}/data", "-m", "immediate", "-w", "stop")
