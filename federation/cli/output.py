"""What people and scripts see: text that fits the terminal, tables, JSON. Nothing that a node sends reaches the
terminal as a control sequence."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
PIPE_WIDTH = 100_000
"""Where nobody looks at a terminal, lines are as long as they are."""


def console(*, stderr: bool = False) -> Console:
    """Standard output or error as it is now. Colour goes by the terminal and NO_COLOR."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(
        file=stream,
        markup=False,
        highlight=False,
        emoji=False,
        width=None if stream.isatty() else PIPE_WIDTH,
    )


def emit(renderable: RenderableType, *, stderr: bool = False) -> None:
    """Print. Where nobody looks at a terminal, no line ends in blanks."""
    screen = console(stderr=stderr)
    if screen.is_terminal:
        screen.print(renderable)
        return
    with screen.capture() as captured:
        screen.print(renderable)
    screen.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().removesuffix("\n").split("\n")))
    screen.file.flush()


def clean(text: object) -> str:
    """Text with control and direction-changing characters made visible.

    What a requester typed is read by a custodian: it must neither move the cursor nor show in another order than it
    runs in (Boucher and Anderson, "Trojan Source", 2021).

    >>> clean("a\\x1b[2Jb\\u202ec")
    'a\\\\x1b[2Jb\\\\u202ec'
    """
    return "".join(_visible(character) for character in str(text))


def _visible(character: str) -> str:
    if character in "\n\t" or unicodedata.category(character) not in _UNSEEN:
        return character
    return character.encode("unicode_escape").decode("ascii")


def say(text: object = "", style: str = "", *, stderr: bool = False) -> None:
    """A paragraph."""
    emit(Text(clean(text), style=style), stderr=stderr)


def heading(text: str) -> None:
    say()
    say(text, "bold")


def indented(text: object, style: str = "", *, by: int = 2, stderr: bool = False) -> None:
    """A block set in from the left, wrapped lines too."""
    shown = Text(clean(text).replace("\t", "    "), style=style)
    emit(Padding(shown, (0, 0, 0, by), expand=False), stderr=stderr)


def fields(pairs: Mapping[str, object], *, indent: int = 0) -> None:
    """Names and values in two columns; what has no value is left out."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs.items():
        if value not in (None, "", [], {}, ()):
            table.add_row(name, Text(clean(_words(value))))
    emit(Padding(table, (0, 0, 0, indent), expand=False))


def rows(columns: Sequence[str], lines: Sequence[Sequence[object]], numeric: Sequence[bool] = ()) -> None:
    """A table with a header."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False)
    for index, name in enumerate(columns):
        right = index < len(numeric) and numeric[index]
        table.add_column(Text(clean(name)), justify="right" if right else "left", overflow="fold")
    for line in lines:
        table.add_row(*(_cell(clean(value)) for value in line))
    emit(table)


def _cell(text: str) -> Text:
    shown = Text(text)
    shown.highlight_regex(r"\[[a-z]+\]$", "yellow")
    return shown


def _words(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {item}" for name, item in value.items())
    return str(value)


def print_json(value: Any) -> None:  # noqa: ANN401  # whatever JSON can hold
    """One JSON document on standard output, its characters escaped where a terminal would act on them."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    sys.stdout.write("".join(_json_safe(character) for character in text) + "\n")
    sys.stdout.flush()


def _json_safe(character: str) -> str:
    if character == "\n" or unicodedata.category(character) not in _UNSEEN:
        return character
    return json.dumps(character)[1:-1]


@contextmanager
def busy(text: str) -> Iterator[Callable[[str], None]]:
    """Shows on a terminal that something goes on; yields what changes the text."""
    screen = console(stderr=True)
    if not screen.is_terminal:
        yield lambda _: None
        return
    with screen.status(Text(clean(text))) as status:
        yield lambda changed: status.update(Text(clean(changed)))
