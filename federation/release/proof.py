"""Files that strangers send to have them verified: each in a process of its own, a few at a time."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any

from federation.client.verify import VerificationError, VerificationFault, VerifiedStatement
from federation.client.verify_file import FileUnreadable

AT_ONCE = 2
SECONDS = 30.0


class TooManyFiles(Exception):
    """As many files as may be are being verified just now."""


class FileVerifier:
    """Verifies files that may be hostile. Thread-safe."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(AT_ONCE)

    def verify(
        self, content: bytes, statement: str | None, public_jwks: Mapping[str, Any]
    ) -> VerifiedStatement:
        """As ``federation.client.verify_file.verify_file``, of whatever kind the file is.

        Raises:
            VerificationError: it is not what the node signed.
            FileUnreadable: it is damaged, of no kind that can be verified, or takes too much to read.
            TooManyFiles: try again shortly.
        """
        if not self._places.acquire(blocking=False):
            raise TooManyFiles
        try:
            answer = self._asked(content, statement, public_jwks)
        finally:
            self._places.release()
        if "fault" in answer:
            raise VerificationError(VerificationFault(answer["fault"]))
        if "payload" not in answer:
            raise FileUnreadable("unreadable")
        return VerifiedStatement(answer["payload"], answer["kid"], table_checked=True)

    def _asked(self, content: bytes, statement: str | None, public_jwks: Mapping[str, Any]) -> dict[str, Any]:
        job = json.dumps({"statement": statement, "keys": public_jwks}).encode()
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-m", "federation.release.proof_child"],
                input=job + b"\n" + content,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1"},
                cwd="/",
                timeout=SECONDS,
                check=False,
            )
            answer: dict[str, Any] = json.loads(done.stdout)
        except (subprocess.TimeoutExpired, ValueError):
            return {}
        return answer
