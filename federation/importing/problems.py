"""Why a file can't be imported: every reason that was found, by column name and row number, never by value."""

from __future__ import annotations

from collections.abc import Sequence

SHOWN_ROWS = 10


class ImportRefused(Exception):
    """A file that was not imported. Nothing was written. ``problems`` are sentences for the custodian."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def rows_text(rows: Sequence[int], total: int) -> str:
    """Row numbers in words, the first few of many; the header is row 1.

    >>> rows_text([4], 1), rows_text([2, 3], 7)
    ('row 4', 'rows 2, 3 and 5 more')
    """
    word = "row" if total == 1 else "rows"
    rest = f" and {total - len(rows):,} more" if total > len(rows) else ""
    return f"{word} {', '.join(str(row) for row in rows)}{rest}"
