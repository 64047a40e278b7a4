"""The web application of a node."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import anyio.to_thread
from anyio import CapacityLimiter
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse

from federation.api import (
    audit_routes,
    catalogue_routes,
    comment_routes,
    decision_routes,
    federation_routes,
    node_routes,
    notice_routes,
    problems,
    recall_routes,
    register_routes,
    release_routes,
    request_routes,
    run_routes,
    session_routes,
    standard_query_routes,
)
from federation.api.docs_page import docs_page
from federation.api.headers import DefaultHeaders
from federation.api.limits import BodyGuard, RateLimiter
from federation.api.metrics import Metrics, MetricsMiddleware
from federation.identity.builtin import NOTICE
from federation.notices.sender import Sender
from federation.runs.workers import Workers
from federation.service.node import Node
from federation.service.notices import remind
from federation.service.told_recalls import RecallTeller
from federation.web import site

DESCRIPTION = """Approved aggregate queries on data that stays where it is held.

Get a token, read the catalogue, check a query, ask for it to be approved, run it, and fetch the released table.
Every error is a problem document (RFC 9457) with a stable code that collects all faults of the request.
"""

ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"description": description, "content": problems.CONTENT}
    for status, description in {
        401: "No valid token.",
        403: "The role or body does not allow it.",
        404: "There is no such thing, or it is not the caller's to see.",
        405: "The method is not allowed here.",
        406: "None of the accepted formats is offered.",
        409: "The state does not allow it.",
        410: "The release was recalled.",
        413: "The body is too large.",
        415: "The content type is not supported.",
        422: "The request has mistakes, or the query is refused.",
        429: "Too many requests; see Retry-After.",
        503: "Not now; see Retry-After.",
    }.items()
}


def create_app(node: Node) -> FastAPI:
    """The application that serves ``node``; its workers run, it polls, and it tells what there is to tell, as long."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        workers = Workers(node)
        workers.start()
        sender = Sender(node.database, node.mailer, partial(remind, node), node.clock)
        sender.start()
        node.wire.start()
        teller = RecallTeller(node)
        teller.start()
        try:
            yield
        finally:
            await anyio.to_thread.run_sync(teller.stop)
            await anyio.to_thread.run_sync(node.wire.stop)
            await anyio.to_thread.run_sync(sender.stop)
            await anyio.to_thread.run_sync(workers.stop)

    notice = f"\n\n{NOTICE}" if node.token_issuer is not None else ""
    app = FastAPI(
        title=node.settings.title,
        version=_version(),
        description=DESCRIPTION + notice,
        lifespan=lifespan,
        responses=ERRORS,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    app.state.node = node
    app.state.metrics = Metrics()
    app.state.limiter = RateLimiter(node.settings.limits.requests_per_minute)
    app.state.message_threads = CapacityLimiter(federation_routes.AT_ONCE)
    problems.install(app)
    for module in (
        catalogue_routes,
        standard_query_routes,
        request_routes,
        decision_routes,
        run_routes,
        release_routes,
        recall_routes,
        register_routes,
        comment_routes,
        notice_routes,
        audit_routes,
        node_routes,
        federation_routes,
        session_routes,
    ):
        app.include_router(module.router)
    app.include_router(node_routes.probes)
    if node.login is not None:
        app.include_router(session_routes.provider_router)
    app.add_api_route("/docs", lambda: HTMLResponse(docs_page(app.openapi())), include_in_schema=False)
    app.openapi = partial(documented, app)  # type: ignore[method-assign]
    app.add_middleware(
        BodyGuard,
        maximum_bytes=node.settings.limits.body_bytes,
        message_bytes=node.settings.federation.message_bytes,
        upload_bytes=node.settings.limits.upload_bytes,
    )
    app.add_middleware(problems.LastResort)
    site.install(app, node)
    app.add_middleware(DefaultHeaders)
    app.add_middleware(MetricsMiddleware, metrics=app.state.metrics)
    return app


def documented(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with the problem documents that the framework does not know of."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schema = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(schema.pop("$defs"))
        schemas["Problem"] = schema
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        app.openapi_schema = document
    return app.openapi_schema


def _version() -> str:
    try:
        return version("devolved-federation")
    except PackageNotFoundError:
        return "0"
