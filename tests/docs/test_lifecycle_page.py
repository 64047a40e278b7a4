"""The page on life cycles shows the tables as they are."""

from __future__ import annotations

import re
from pathlib import Path

from federation.state.diagram import request_diagram, run_diagram
from federation.state.lifecycle import REQUEST_TRANSITIONS, RequestState

PAGE = Path(__file__).parents[2] / "docs" / "lifecycle.md"


def test_the_diagrams_are_drawn_from_the_tables() -> None:
    blocks = re.findall(r"```mermaid\n(.*?)\n```", PAGE.read_text(), re.DOTALL)
    assert blocks == [request_diagram(), run_diagram()]


def test_a_diagram_has_every_transition_and_every_end() -> None:
    lines = request_diagram().splitlines()
    assert len([line for line in lines if ": " in line]) == len(REQUEST_TRANSITIONS)
    assert f"    {RequestState.EXPIRED} --> [*]" in lines
    assert f"    {RequestState.APPROVED} --> [*]" not in lines
