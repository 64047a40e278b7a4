"""Who asks here through another node: by what name this node knows somebody for whom a hub asks."""

from __future__ import annotations

from collections.abc import Iterable

from federation.state.models import Request


def subject_at(hub: str, requester: str) -> str:
    """The name here of ``requester`` at a hub. No person's name has blanks, so nobody else has it."""
    return f"{_hub(hub)}{requester}"


def hub_of(request: Request, peers: Iterable[str]) -> str | None:
    """The one of ``peers`` that asked for somebody; None for what was asked here."""
    return next((peer for peer in peers if request.requester.startswith(_hub(peer))), None)


def _hub(node: str) -> str:
    return f"hub {node} for "
