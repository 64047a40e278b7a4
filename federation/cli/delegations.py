"""How what people did by delegation is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def by_delegation(said: Mapping[str, Any]) -> str:
    """The delegation under which somebody acted, to be put after what they did; empty where there is none.

    >>> given = {"delegation": "officer", "body": "council", "instrument": "Minute 4", "until": "2026-12-31"}
    >>> by_delegation({"requester": "eve", "delegation": given})
    ', by delegation officer for council until 2026-12-31 (Minute 4)'
    >>> by_delegation({"requester": "pat"})
    ''
    """
    given = said.get("delegation")
    if not given:
        return ""
    return f", by delegation {given['delegation']} for {given['body']} until {given['until']} ({given['instrument']})"
