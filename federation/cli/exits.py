"""What the exit codes of ``federation`` mean."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Stable codes that scripts may rely on; ``meaning`` says each in a sentence."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    ACCESS = 3
    UNREACHABLE = 4
    FAILED = 5
    WAITING = 6
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.OK: "done",
    ExitCode.REFUSED: "the answer is no: refused, mistakes found, not verified, or no such thing",
    ExitCode.USAGE: "the command was not understood: an option or argument is missing or wrong",
    ExitCode.ACCESS: "not logged in, or not permitted",
    ExitCode.UNREACHABLE: "no node answers at the address",
    ExitCode.FAILED: "it was begun and failed: a run without a release, a node that cannot start",
    ExitCode.WAITING: "nothing is wrong, but a custodian has to decide first",
    ExitCode.INTERRUPTED: "stopped by Ctrl-C",
}
