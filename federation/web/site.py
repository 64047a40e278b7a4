"""The pages put into the application of a node."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import structlog
from fastapi import FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from federation.service.node import Node
from federation.web import (
    acting_pages,
    ask_pages,
    assets,
    catalogue_pages,
    comment_pages,
    custodian_pages,
    notice_pages,
    register_pages,
    release_pages,
    request_pages,
    run_pages,
    standard_pages,
    start_pages,
    verify_pages,
)
from federation.web.errors import ErrorPages
from federation.web.maps import map_of
from federation.web.rendering import STATIC

log = structlog.get_logger(__name__)
PAGES = (
    start_pages,
    acting_pages,
    catalogue_pages,
    ask_pages,
    standard_pages,
    request_pages,
    run_pages,
    release_pages,
    custodian_pages,
    comment_pages,
    notice_pages,
    register_pages,
    verify_pages,
)


class _Static(StaticFiles):
    """Files whose address changes with their content."""

    async def get_response(self, path: str, scope: MutableMapping[str, Any]) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def install(app: FastAPI, node: Node) -> None:
    """Add the pages to ``app``. Its errors are pages too, where a browser asks."""
    if not assets.present():
        log.warning("pages_without_style", mend=assets.MEND)
    app.state.maps = tuple(map_of(each, node.directory, node.catalogue) for each in node.settings.pages.maps)
    for module in PAGES:
        app.include_router(module.router, include_in_schema=False)
    app.mount("/static", _Static(directory=STATIC), name="static")
    app.add_middleware(ErrorPages, node=node)
