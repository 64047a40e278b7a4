"""Mistakes in a configuration directory: where each stands, what is wrong and how to mend it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One mistake. ``file`` is relative to the directory; ``line`` and ``column`` count from 1 (0: the whole
    file); ``mend`` says what to do, and may be empty where the message already says it.

    >>> print(Fault("bodies/gm.yaml", 3, 1, "unknown key `titel`", "did you mean `title`?"))
    bodies/gm.yaml:3:1: unknown key `titel`; did you mean `title`?
    """

    file: str
    line: int
    column: int
    message: str
    mend: str = ""

    def __str__(self) -> str:
        place = ":".join([self.file, *(str(number) for number in (self.line, self.column) if number)])
        return f"{place}: {self.message}" + (f"; {self.mend}" if self.mend else "")


class CatalogueError(Exception):
    """A configuration directory that can't be used; ``faults`` holds every mistake that was found in it."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


def nearest(name: str, known: Iterable[str]) -> str:
    """A mend that names the closest known name, or lists the known ones where they are few.

    >>> nearest("regoin", ["region", "country"])
    'did you mean `region`?'
    >>> nearest("x", ["region", "country"])
    'known are: country, region'
    """
    names = sorted(set(known))
    if close := get_close_matches(name, names, n=1, cutoff=0.6):
        return f"did you mean `{close[0]}`?"
    if 0 < len(names) <= 12:
        return "known are: " + ", ".join(names)
    return "none is declared" if not names else ""
