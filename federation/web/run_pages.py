"""Runs: started, watched without a script, stopped."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from federation.api.dependencies import NodeDep
from federation.service import requests, runs
from federation.service.questions import Value
from federation.state.lifecycle import RunState
from federation.web.ask_pages import domain_of
from federation.web.rendering import page
from federation.web.visitor import Fields, Form, OnceDep, Reader, Sender, first

router = APIRouter()
GOING = frozenset({RunState.QUEUED, RunState.RUNNING})
PATIENCE_SECONDS = 2.0
"""An answer that is there within this time is shown at once."""
POLL_SECONDS = 0.1
REFRESH_SECONDS = 5


@router.post("/requests/{request_id}/runs")
def start(node: NodeDep, principal: Sender, form: Fields, once: OnceDep, request_id: str) -> Response:
    """Start a run, with a value for each parameter that may have several."""
    values = values_of(form, requests.get(node, principal, request_id).parameters)
    view = runs.start(node, principal, request_id, values, once)
    return RedirectResponse(f"/runs/{view.run}", 303)


def values_of(form: Form, domains: Mapping[str, Sequence[Value]]) -> dict[str, Value]:
    """The value that a form gives for each parameter."""
    values = {}
    for name, allowed in domains.items():
        given = first(form, f"value-{name}")
        if given:
            # The form has the value as text; the domain says which of its values that is.
            fitting = [value for value in allowed if str(value) == given]
            values[name] = fitting[0] if fitting else domain_of(given)[0]
    return values


@router.get("/runs/{run_id}")
def get(
    node: NodeDep,
    request: Request,
    principal: Reader,
    run_id: str,
    refresh: Annotated[str, Query(max_length=8)] = "on",
) -> Response:
    """How far a run is; its answer once there is one. The page loads itself again until then, unless told not to."""
    end = time.monotonic() + PATIENCE_SECONDS
    view = runs.get(node, principal, run_id)
    while view.state in GOING and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
        view = runs.get(node, principal, run_id)
    if view.release is not None:
        return RedirectResponse(f"/releases/{view.release}", 303)
    going = view.state in GOING
    headers = {"Refresh": str(REFRESH_SECONDS)} if going and refresh != "off" else {}
    return page(
        request,
        "run.html",
        headers=headers,
        run=view,
        going=going,
        refreshes=bool(headers),
        seconds=REFRESH_SECONDS,
    )


@router.post("/runs/{run_id}/stop")
def stop(node: NodeDep, principal: Sender, run_id: str) -> Response:
    """Ask for a run to stop."""
    runs.cancel(node, principal, run_id)
    return RedirectResponse(f"/runs/{run_id}?refresh=off", 303)
