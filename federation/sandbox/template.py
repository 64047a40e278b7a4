"""A clean interpreter with the engine's libraries loaded, which forks one child for each job.

Run as a script by ``python -I`` with an empty environment; standard input is a socket to the node. Each message on
it carries three descriptors: a job's pipe, its answer's pipe and a link. The template forks a child with the two
pipes, sends a pidfd of it over the link (so that a kill can never meet another process of the same number), and
later its exit code. The bytes of a job never pass through here: a child inherits nothing of another job. Siblings
share one layout of the address space and one hash seed; docs/adr/presentations-fork-from-a-template.md weighs it.

Forking is safe because the template has one thread and no engine: it checks that before each fork and ends if it
does not hold. It ends when the node closes the socket and the last child has ended; its children die with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import selectors
import signal
import socket
import sys
from pathlib import Path

# Beside this file; it loads the engine's libraries, and those that the engine would load at first use.
sys.path.insert(0, str(Path(__file__).parent))

import child  # type: ignore[import-not-found]  # found by the line above

_PR_SET_PDEATHSIG = 1
_DESCRIPTORS = 3
_ALL_DESCRIPTORS = 1 << 16
_FAILED = 1


def _threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def _become_child(job: int, answer: int, template: int, libc: ctypes.CDLL) -> None:
    """The forked side: it keeps its two pipes and dies with the template."""
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != template:
        return
    os.setsid()
    os.dup2(job, 0)
    os.dup2(answer, 1)
    os.closerange(3, _ALL_DESCRIPTORS)
    child.main()


def _fork(job: int, answer: int, libc: ctypes.CDLL) -> int:
    template = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            _become_child(job, answer, template, libc)
        finally:
            os._exit(_FAILED)
    return pid


def _start(node: socket.socket, libc: ctypes.CDLL) -> tuple[int, socket.socket] | None:
    """A child for the next message: its pidfd and its link. None when the node has closed the socket."""
    message, descriptors, _, _ = socket.recv_fds(node, 1, _DESCRIPTORS)
    if not message:
        return None
    if len(descriptors) != _DESCRIPTORS or _threads() != 1:
        os._exit(_FAILED)
    job, answer, link = descriptors
    pid = _fork(job, answer, libc)
    os.close(job)
    os.close(answer)
    pidfd, to_node = os.pidfd_open(pid), socket.socket(fileno=link)
    # A node that is gone needs no answer: the end of the socket is read next.
    try:
        socket.send_fds(to_node, [pid.to_bytes(8, "big")], [pidfd])
    except OSError:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    return pidfd, to_node


def _reap(pidfd: int, link: socket.socket) -> None:
    ended = os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
    code = 0 if ended is None else ended.si_status
    if ended is not None and ended.si_code != os.CLD_EXITED:
        code = -code
    with contextlib.suppress(OSError):  # where nobody waits for it
        link.send(code.to_bytes(8, "big", signed=True))
    link.close()
    os.close(pidfd)


def main() -> None:
    libc = ctypes.CDLL(None)
    node = socket.socket(fileno=os.dup(0))
    gc.freeze()  # a collection in a child would copy every page of the libraries' objects
    links: dict[int, socket.socket] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(node, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                if key.fileobj is not node:
                    selector.unregister(key.fd)
                    _reap(key.fd, links.pop(key.fd))
                elif (started := _start(node, libc)) is None:
                    selector.unregister(node)
                else:
                    selector.register(started[0], selectors.EVENT_READ)
                    links[started[0]] = started[1]
    os._exit(0)


if __name__ == "__main__":
    main()
