"""How far a run is, on a terminal alone and gone when it is over."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from federation.cli.output import console


class Progress:
    """A bar on standard error while a run goes on; silent where nobody looks."""

    def __init__(self) -> None:
        screen = console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
        self._bar = Bar(*columns, console=screen, transient=True, disable=not screen.is_terminal)
        self._task = self._bar.add_task("queued", total=100)

    def update(self, percent: int, state: str) -> None:
        self._bar.update(self._task, completed=percent, description=state)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
