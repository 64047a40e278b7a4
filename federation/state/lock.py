"""One node per state directory: a lock that the operating system drops when its process dies, however it dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

from federation.state.errors import NodeAlreadyRunning, StateUnavailable

FILE_NAME = "node.lock"


class NodeLock:
    """An exclusive lock on a state directory, held from ``acquire`` (or ``with``) to ``release``.

    The file itself stays: a file that is left over locks nothing.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE_NAME
        self._file: int | None = None

    def acquire(self) -> NodeLock:
        """Take the lock.

        Raises:
            NodeAlreadyRunning: another process holds it, or this one does already.
            StateUnavailable: the directory cannot be made or written.
        """
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateUnavailable(
                f"the state directory {self._path.parent} cannot be written ({error.strerror}): make it writable, or "
                "name another as `state_dir`"
            ) from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(file, 32).decode(errors="replace").strip() or "unknown"
            os.close(file)
            raise NodeAlreadyRunning(
                f"a node (process {holder}) already serves {self._path.parent}: stop it first, or use another directory"
            ) from None
        try:
            os.ftruncate(file, 0)
            os.write(file, str(os.getpid()).encode())
        except OSError as error:
            os.close(file)
            raise StateUnavailable(
                f"the state directory {self._path.parent} has no room ({error.strerror})"
            ) from None
        self._file = file
        return self

    def release(self) -> None:
        """Give the lock back; without effect where it is not held."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> NodeLock:
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
