"""Timing in pairs: the two sides take turns, so that a machine whose speed drifts treats them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Pair:
    """Medians in seconds of two sides that took turns, and the ratio of the medians."""

    protected: float
    raw: float

    @property
    def ratio(self) -> float:
        return self.protected / self.raw


PAUSE_SECONDS = 1.5
"""Between two questions. A node starts the next sandbox after an answer, not within one; nor is it timed here."""


def in_turn(protected: Callable[[], object], raw: Callable[[], object], repeat: int) -> Pair:
    """Both sides once to warm up, then ``repeat`` times each in turn, with a pause before each."""
    protected()
    raw()
    ours, theirs = [], []
    for _ in range(repeat):
        time.sleep(PAUSE_SECONDS)
        ours.append(_seconds(protected))
        time.sleep(PAUSE_SECONDS)
        theirs.append(_seconds(raw))
    return Pair(statistics.median(ours), statistics.median(theirs))


def median_seconds(work: Callable[[], object], repeat: int) -> float:
    work()
    return statistics.median(_seconds(work) for _ in range(repeat))


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def peak_mebibytes() -> float:
    """Peak memory of this program alone: ``ru_maxrss`` begins with that of the process which started it."""
    status = Path("/proc/self/status").read_text("ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024
