"""The template process and its children, from the node's side: each is given one job and killed at its deadline.

A child costs a fork, not an interpreter and its imports (``federation.sandbox.template``).
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from functools import cache
from pathlib import Path

from federation.sandbox.model import Fault, PresentationError

_TEMPLATE = Path(__file__).with_name("template.py")
_READY = b"R"
_START_SECONDS = 60.0
_EXIT_SECONDS = 5.0
_CHUNK = 1 << 20
#: One allocator arena and no thread pools: the address space is what the limit bounds, threads each map some, and a
#: process that forks must have one thread only (Arrow's jemalloc would start its own even when it is not used).
_ENVIRONMENT = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "ARROW_IO_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "MALLOC_ARENA_MAX": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
_OUT_OF_TIME = {-signal.SIGXCPU, -signal.SIGALRM}
_OUT_OF_MEMORY = {-signal.SIGKILL, -signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS}


class Template:
    """The process that children are forked from; started anew if it died. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def child(self) -> Child:
        """Asks for a child; whether one comes is known when it is ready."""
        job, to_job = os.pipe()
        answer, from_child = os.pipe()
        link, far_link = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with self._lock:
                try:
                    socket.send_fds(self._socket, [b"C"], [job, from_child, far_link.fileno()])
                except OSError:
                    self._end()
                    self._start()
                    socket.send_fds(self._socket, [b"C"], [job, from_child, far_link.fileno()])
        finally:
            os.close(job)
            os.close(from_child)
            far_link.close()
        return Child(to_job, answer, link)

    def _start(self) -> None:
        self._socket, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with far:
            self._process: subprocess.Popen[bytes] = subprocess.Popen(
                [sys.executable, "-I", "-B", str(_TEMPLATE)],
                stdin=far.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=_ENVIRONMENT,
                close_fds=True,
                start_new_session=True,
            )

    def _end(self) -> None:
        self._socket.close()
        self._process.kill()
        self._process.wait()


@cache
def template() -> Template:
    """The one of this process, started when it is first asked for; it ends with this process."""
    return Template()


class Child:
    """A process that runs one job. Not thread-safe: it has one owner."""

    def __init__(self, job: int, answer: int, link: socket.socket) -> None:
        self._job: int | None = job
        self._answer: int | None = answer
        self._link = link
        self._pidfd: int | None = None
        self._pid = 0
        self._code: int | None = None
        self._ready = False

    @property
    def pid(self) -> int:
        """Its number, for a person to look at; waits until it was forked. Zero if it never was."""
        self._meet()
        return self._pid

    def wait_ready(self) -> bool:
        """Whether it became ready; False if it died first."""
        if not self._ready:
            received = self._exchange(b"", time.monotonic() + _START_SECONDS, 1)
            self._ready = received == _READY
        return self._ready and self._code_within(0) is None

    def run(self, job: bytes, deadline_seconds: float, max_bytes: int) -> bytes:
        """Everything it answers to ``job``. Raises PresentationError if it gives no answer in time."""
        answer = self._exchange(job, time.monotonic() + deadline_seconds, max_bytes)
        if answer:
            return answer
        # It closed its output without a word: it is ending, and its exit code says of what.
        self._code_within(_EXIT_SECONDS)
        code = self.end()
        if code in _OUT_OF_TIME:
            raise PresentationError(Fault.TIMEOUT)
        raise PresentationError(Fault.MEMORY if code in _OUT_OF_MEMORY else Fault.ENGINE)

    def end(self) -> int:
        """Its exit code, zero where the template took that with it; it is killed if it still runs."""
        if self._code_within(0) is None:
            self._kill()
            self._code_within(_START_SECONDS)
        for descriptor in (self._job, self._answer, self._pidfd):
            if descriptor is not None:
                os.close(descriptor)
        self._job = self._answer = self._pidfd = None
        self._link.close()
        return self._code or 0

    def _meet(self) -> None:
        """Take the child's pidfd, which the template sends once it has forked."""
        if self._pidfd is None and self._code is None:
            with contextlib.suppress(OSError):
                self._link.settimeout(_START_SECONDS)
                message, descriptors, _, _ = socket.recv_fds(self._link, 8, 1)
                if descriptors:
                    self._pid, self._pidfd = int.from_bytes(message, "big"), descriptors[0]
                    return
            self._code = 0  # no template, no child

    def _kill(self) -> None:
        self._meet()
        if self._pidfd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def _code_within(self, seconds: float) -> int | None:
        """Its exit code (the signal's number below zero), or None if it has not ended by then."""
        self._meet()
        if self._code is None:
            self._link.settimeout(seconds)
            try:
                self._code = int.from_bytes(self._link.recv(8), "big", signed=True)
            except (BlockingIOError, TimeoutError):
                return None
            except OSError:
                self._code = 0
        return self._code

    def _exchange(self, data: bytes, deadline: float, max_bytes: int) -> bytes:
        """Write ``data`` while reading to the end or ``max_bytes``, so that neither side waits for the other."""
        assert self._job is not None
        assert self._answer is not None
        received, pending = bytearray(), memoryview(data)
        with selectors.DefaultSelector() as selector:
            selector.register(self._answer, selectors.EVENT_READ)
            if pending:
                os.set_blocking(self._job, False)
                selector.register(self._job, selectors.EVENT_WRITE)
            while len(received) < max_bytes:
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    self._kill()
                    raise PresentationError(Fault.TIMEOUT)
                for key, _ in selector.select(remaining):
                    if key.fd == self._answer:
                        chunk = os.read(self._answer, min(_CHUNK, max_bytes - len(received)))
                        if not chunk:
                            return bytes(received)
                        received += chunk
                    else:
                        try:
                            pending = pending[os.write(self._job, pending[:_CHUNK]) :]
                        except BrokenPipeError:
                            pending = pending[:0]
                        if not pending:
                            selector.unregister(self._job)
        return bytes(received)
