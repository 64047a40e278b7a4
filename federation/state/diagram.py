"""The life cycles as Mermaid state diagrams, drawn from the tables of ``federation.state.lifecycle``."""

from __future__ import annotations

from collections.abc import Iterable

from federation.state.lifecycle import REQUEST_TRANSITIONS, RUN_TRANSITIONS, When


def request_diagram() -> str:
    """The life of a request. An arrow says what is done, by whom, and under which condition."""
    return _diagram(
        (
            row.source or "[*]",
            row.target,
            f"{row.action} by {row.role}" + ("" if row.when is When.ALWAYS else f", {row.when}"),
        )
        for row in REQUEST_TRANSITIONS
    )


def run_diagram() -> str:
    """The life of a run."""
    return _diagram(
        (row.source or "[*]", row.target, f"{row.action} by {row.role}") for row in RUN_TRANSITIONS
    )


def _diagram(arrows: Iterable[tuple[str, str, str]]) -> str:
    drawn = list(arrows)
    ends = dict.fromkeys(target for _, target, _ in drawn if target not in {source for source, _, _ in drawn})
    lines = ["stateDiagram-v2"]
    lines += [f"    {source} --> {target}: {label.replace('_', ' ')}" for source, target, label in drawn]
    lines += [f"    {end} --> [*]" for end in ends]
    return "\n".join(lines)
