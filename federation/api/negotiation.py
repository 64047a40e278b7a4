"""Content negotiation (RFC 9110, section 12.5.1): which of the offered formats a caller likes best."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from federation.service.errors import ServiceCode, ServiceError


class MediaType(StrEnum):
    """The formats of a release; the first is what a caller without a preference gets."""

    JSON = "application/json"
    CSV = "text/csv"
    ARROW = "application/vnd.apache.arrow.stream"
    PARQUET = "application/vnd.apache.parquet"


def negotiate(accept: str, offered: Sequence[MediaType] = tuple(MediaType)) -> MediaType:
    """The offered type with the highest quality; among equals the first offered.

    Raises:
        ServiceError: NOT_ACCEPTABLE, with the types that are offered.

    >>> negotiate("text/csv;q=0.5, application/vnd.apache.parquet").value
    'application/vnd.apache.parquet'
    >>> negotiate("").value
    'application/json'
    """
    ranges = [_parse(part) for part in accept.split(",") if part.strip()] or [("*/*", 1.0)]
    best, best_quality = None, 0.0
    for media_type in offered:
        quality = _quality(str(media_type), ranges)
        if quality > best_quality:
            best, best_quality = media_type, quality
    if best is None:
        listed = ", ".join(offered)
        raise ServiceError(ServiceCode.NOT_ACCEPTABLE, f"a release can be had as: {listed}")
    return best


def _parse(part: str) -> tuple[str, float]:
    media_range, *parameters = (piece.strip().lower() for piece in part.split(";"))
    quality = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                quality = min(1.0, max(0.0, float(value)))
            except ValueError:
                quality = 0.0
    return media_range, quality


def _quality(media_type: str, ranges: Sequence[tuple[str, float]]) -> float:
    """That of the most specific range that matches."""
    family = media_type.partition("/")[0] + "/*"
    for wanted in (media_type, family, "*/*"):
        found = [quality for media_range, quality in ranges if media_range == wanted]
        if found:
            return max(found)
    return 0.0
