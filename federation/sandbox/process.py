"""One child process, from the parent's side: started, ready, given one job, read to its end, killed at its deadline."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path

from federation.sandbox.model import Fault, PresentationError

_CHILD = Path(__file__).with_name("child.py")
_READY = b"R"
_START_SECONDS = 60.0
_EXIT_SECONDS = 5.0
_CHUNK = 1 << 20
#: One allocator arena and no thread pools: the address space is what the limit bounds, and threads each map some.
_ENVIRONMENT = {"MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_OUT_OF_TIME = {-signal.SIGXCPU, -signal.SIGALRM}
_OUT_OF_MEMORY = {-signal.SIGKILL, -signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS}


class Child:
    """A process that runs one job. Not thread-safe: it has one owner."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-B", str(_CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=_ENVIRONMENT,
            close_fds=True,
            start_new_session=True,
            bufsize=0,
        )
        self._ready = False

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_ready(self) -> bool:
        """Whether it became ready; False if it died first."""
        if not self._ready:
            received = self._exchange(b"", time.monotonic() + _START_SECONDS, 1)
            self._ready = received == _READY
        return self._ready and self._process.poll() is None

    def run(self, job: bytes, deadline_seconds: float, max_bytes: int) -> bytes:
        """Everything it answers to ``job``. Raises PresentationError if it gives no answer in time."""
        answer = self._exchange(job, time.monotonic() + deadline_seconds, max_bytes)
        if answer:
            return answer
        # It closed its output without a word: it is ending, and its exit code says of what.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_EXIT_SECONDS)
        code = self.end()
        if code in _OUT_OF_TIME:
            raise PresentationError(Fault.TIMEOUT)
        raise PresentationError(Fault.MEMORY if code in _OUT_OF_MEMORY else Fault.ENGINE)

    def end(self) -> int:
        """Its exit code; it is killed if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
        code = self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        return code

    def _exchange(self, data: bytes, deadline: float, max_bytes: int) -> bytes:
        """Write ``data`` while reading to the end or ``max_bytes``, so that neither side waits for the other."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        received, pending = bytearray(), memoryview(data)
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            if pending:
                os.set_blocking(stdin.fileno(), False)
                selector.register(stdin, selectors.EVENT_WRITE)
            while len(received) < max_bytes:
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    self._process.kill()
                    raise PresentationError(Fault.TIMEOUT)
                for key, _ in selector.select(remaining):
                    if key.fileobj is stdout:
                        chunk = os.read(stdout.fileno(), min(_CHUNK, max_bytes - len(received)))
                        if not chunk:
                            return bytes(received)
                        received += chunk
                    else:
                        try:
                            pending = pending[os.write(stdin.fileno(), pending[:_CHUNK]) :]
                        except BrokenPipeError:
                            pending = pending[:0]
                        if not pending:
                            selector.unregister(stdin)
        return bytes(received)
