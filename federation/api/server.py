"""Serving a node: logs, the web server, and an end in good order."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import TextIO, cast

import structlog
import uvicorn

from federation.api.app import create_app
from federation.service.node import Node

GRACE_SECONDS = 10


class _StandardError:
    """Standard error as it is now. A log that nobody reads any more (a closed pipe, a full disk) stops no work."""

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.flush()


def configure_logs() -> None:
    """One JSON object a line on standard error. Nothing logs a data value; errors are logged by class and place."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _StandardError())),
    )


def serve(node: Node) -> None:
    """Serve ``node`` until the process is told to end; runs under way go back to the queue."""
    configure_logs()
    try:
        uvicorn.run(
            create_app(node),
            host=node.settings.host,
            port=node.settings.port,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    finally:
        node.close()
