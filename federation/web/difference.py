"""Two texts of SQL side by side, with what one has and the other has not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

TOKENS_COMPARED = 4000
_TOKEN = re.compile(r"\s+|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text; ``changed`` where the other text does not have it."""

    text: str
    changed: bool


@dataclass(frozen=True, slots=True)
class Sides:
    left: tuple[Piece, ...]
    right: tuple[Piece, ...]


def sides(left: str, right: str) -> Sides:
    """Compared word by word, without regard to white space, case and quotes. Long texts are not compared.

    >>> sides("SELECT sex FROM people", 'select "sex", n from people').right[1].text
    ', n'
    """
    a, b = _TOKEN.findall(left), _TOKEN.findall(right)
    if len(a) + len(b) > TOKENS_COMPARED:
        return Sides((Piece(left, False),), (Piece(right, False),))
    words_a = [index for index, token in enumerate(a) if not token.isspace()]
    words_b = [index for index, token in enumerate(b) if not token.isspace()]
    matcher = SequenceMatcher(
        None, [_plain(a[i]) for i in words_a], [_plain(b[i]) for i in words_b], autojunk=False
    )
    same_a: set[int] = set()
    same_b: set[int] = set()
    for block in matcher.get_matching_blocks():
        same_a.update(words_a[block.a : block.a + block.size])
        same_b.update(words_b[block.b : block.b + block.size])
    return Sides(tuple(_pieces(a, same_a)), tuple(_pieces(b, same_b)))


def _plain(token: str) -> str:
    return token.strip('"').lower() if token[:1] != "'" else token


def _pieces(tokens: Sequence[str], same: set[int]) -> Iterator[Piece]:
    """Runs of equal marking; white space goes with what stands before it, and never begins a mark."""
    text, changed = "", False
    for index, token in enumerate(tokens):
        now = (changed and "\n" not in token) if token.isspace() else index not in same
        if now != changed and text:
            stripped = text.rstrip() if changed else text
            yield Piece(stripped, changed)
            text = text[len(stripped) :]
            if text:
                yield Piece(text, False)
                text = ""
        changed = now
        text += token
    if text:
        yield Piece(text, changed)
