"""Routes to runs, as jobs: started, watched (with long polling), cancelled."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Annotated

import anyio
import anyio.to_thread
from fastapi import APIRouter, Query, Request, Response

from federation.api import examples
from federation.api.bodies import RunBody
from federation.api.dependencies import Caller, NodeDep, OnceDep
from federation.service import runs
from federation.service.views import RunView
from federation.state.lifecycle import RunState

router = APIRouter(prefix="/v1", tags=["runs"])

POLL_SECONDS = 0.1

GOING = frozenset({RunState.QUEUED, RunState.RUNNING})


@dataclass(frozen=True, slots=True)
class Runs:
    runs: list[RunView]


@router.post("/requests/{request}/runs", status_code=202, responses=examples.example(202, examples.RUN))
def start(
    node: NodeDep,
    principal: Caller,
    request: str,
    once: OnceDep,
    response: Response,
    body: RunBody | None = None,
) -> RunView:
    """Start a run of an approved request; follow it at the `Location`. Without parameters it needs no body."""
    view = runs.start(node, principal, request, {} if body is None else body.parameters, once)
    response.headers["Location"] = f"/v1/runs/{view.run}"
    return view


@router.get("/requests/{request}/runs")
def listing(node: NodeDep, principal: Caller, request: str) -> Runs:
    """The runs of a request, newest first, with the releases that they ended in."""
    return Runs(runs.listing(node, principal, request))


@router.get("/runs/{run}", responses=examples.example(200, examples.RUN))
async def get(
    node: NodeDep,
    principal: Caller,
    http: Request,
    run: str,
    wait: Annotated[
        float, Query(ge=0, le=120, description="Seconds to wait for a change before answering.")
    ] = 0.0,
) -> RunView:
    """How far a run is. With `wait` the answer comes when something changes, or when the time is over."""
    end = time.monotonic() + min(wait, node.settings.limits.wait_seconds)
    first = view = await anyio.to_thread.run_sync(runs.get, node, principal, run)
    while (
        view.state in GOING
        and (view.state, view.progress) == (first.state, first.progress)
        and time.monotonic() < end
        and not await http.is_disconnected()
    ):
        await anyio.sleep(POLL_SECONDS)
        view = await anyio.to_thread.run_sync(runs.get, node, principal, run)
    return view


@router.delete("/runs/{run}", responses=examples.example(200, examples.RUN))
def cancel(node: NodeDep, principal: Caller, run: str) -> RunView:
    """Ask for a run to stop. Whatever happens, it releases nothing any more."""
    return runs.cancel(node, principal, run)
