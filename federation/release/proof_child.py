"""One file that a stranger sent is verified here, in a process of its own (``python -I -m`` this module).

A few kilobytes of Parquet or Arrow can stand for terabytes, so the process bounds its memory and time before it reads
the file. It answers on standard output; a process that says nothing ran out of either.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import IO, Any

from federation.client.verify import VerificationError
from federation.client.verify_file import FileUnreadable, kind_of, verify_file

MEMORY_BYTES = 512 << 20
"""Beside what the libraries map."""
CPU_SECONDS = 10


def _confine() -> None:
    pages = int(Path("/proc/self/statm").read_bytes().split()[0])
    memory = pages * resource.getpagesize() + MEMORY_BYTES
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    memory = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _answer(source: IO[bytes]) -> dict[str, Any]:
    job = json.loads(source.readline())
    content = source.read()
    try:
        found = verify_file(content, kind_of(content), job["statement"], job["keys"])
    except VerificationError as error:
        return {"fault": str(error.fault)}
    except FileUnreadable:
        return {"unreadable": True}
    return {"payload": found.payload, "kid": found.kid}


def main() -> None:
    _confine()
    sys.stdout.write(json.dumps(_answer(sys.stdin.buffer)))


if __name__ == "__main__":
    main()
