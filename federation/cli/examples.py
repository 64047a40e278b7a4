"""Examples at the foot of a command's help."""

from __future__ import annotations


def examples(*pairs: str) -> str:
    """Commands and what they do, in turn, as Markdown for the help.

    >>> print(examples("federation keys", "print the keys"))
    Examples:
    <BLANKLINE>
    - `federation keys`  print the keys
    """
    lines = [f"- `{command}`  {what}" for command, what in zip(pairs[::2], pairs[1::2], strict=True)]
    return "Examples:\n\n" + "\n".join(lines)
