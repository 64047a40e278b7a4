"""Files that hold secrets: created whole or not at all, readable by their owner alone, refused otherwise."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path

from federation.state.errors import PrivateFileError

OWNER_ONLY = 0o600


def read_private(path: Path) -> bytes | None:
    """The content, or None where there is no such file.

    Raises:
        PrivateFileError: others than the owner may read or write it, or it cannot be read.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode) or mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise PrivateFileError(
                    f"{path} can be read by others: chmod 600, and renew the secret that it holds"
                )
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PrivateFileError(f"{path} cannot be read: {error.strerror}") from None


def create_private(path: Path, content: bytes) -> None:
    """Write a new file with mode 0600, whole or not at all.

    Raises:
        PrivateFileError: it exists already, or cannot be written.
    """
    # Unlike a rename, a link never replaces a secret that is in use.
    _write(path, content, lambda partial: path.hardlink_to(partial))


def replace_private(path: Path, content: bytes) -> None:
    """Write a file with mode 0600 in place of the one that is there, whole or not at all.

    Raises:
        PrivateFileError: it cannot be written.
    """
    _write(path, content, lambda partial: partial.replace(path))


def _write(path: Path, content: bytes, into_place: Callable[[Path], object]) -> None:
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY)
        try:
            with os.fdopen(file, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            into_place(partial)
        finally:
            partial.unlink(missing_ok=True)
        sync_directory(path.parent)
    except OSError as error:
        raise PrivateFileError(f"{path} cannot be created: {error.strerror}") from None


def sync_directory(path: Path) -> None:
    """Make names that were just created in a directory survive a power cut."""
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
