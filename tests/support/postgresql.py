"""A PostgreSQL server of the test's own, where its binaries are installed."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

NO_SERVER = "PostgreSQL is not installed"


def _binary(name: str) -> str:
    found = shutil.which(name) or next(map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), None)
    if found is None:
        pytest.skip(f"{NO_SERVER}: there is no {name}")
    return found


@dataclass(frozen=True)
class Running:
    """A server that listens on a Unix socket in ``home``; its data is in ``home/data``."""

    home: Path

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://federation@/postgres?host={self.home}"

    def keep(self, name: str, content: bytes) -> Path:
        """A file that the server may read, and nobody else."""
        path = self.home / name
        path.write_bytes(content)
        path.chmod(0o600)
        user = _user()
        if user is not None:
            os.chown(path, user.pw_uid, user.pw_gid)
        return path

    def control(self, *command: str) -> None:
        """pg_ctl on the server's data."""
        _run(self.home, _binary("pg_ctl"), "-D", f"{self.home}/data", "-w", *command)

    def restart(self, settings: Mapping[str, object] | None = None) -> None:
        """Start the server anew, with other settings where some are given; statements under way are ended."""
        told = "".join(f"\n{name} = '{value}'" for name, value in (settings or {}).items())
        with (self.home / "data" / "postgresql.conf").open("a") as file:
            file.write(told)
        self.control("-l", f"{self.home}/log", "-m", "fast", "restart")


def _user() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root, so root becomes nobody."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _run(home: Path, *command: str) -> None:
    user = _user()
    subprocess.run(
        command,
        check=True,
        stdout=subprocess.DEVNULL,
        cwd=home,
        user=None if user is None else user.pw_uid,
        group=None if user is None else user.pw_gid,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(home)},
    )


@contextmanager
def running() -> Iterator[Running]:
    """A fresh server whose owner is the role ``federation``."""
    initdb = _binary("initdb")
    with TemporaryDirectory(prefix="pg") as directory:
        home, user = Path(directory), _user()
        if user is not None:
            os.chown(home, user.pw_uid, user.pw_gid)
        _run(home, initdb, "-D", f"{home}/data", "-U", "federation", "-A", "trust", "-E", "UTF8", "--no-sync")
        found = Running(home)
        with (home / "data" / "postgresql.conf").open("a") as file:
            file.write(f"\nunix_socket_directories = '{home}'\nlisten_addresses = ''\nfsync = off\n")
        found.control("-l", f"{home}/log", "start")
        try:
            yield found
        finally:
            found.control("-m", "immediate", "stop")


@contextmanager
def server() -> Iterator[str]:
    """The URL of a fresh server on a Unix socket."""
    with running() as found:
        yield found.url
