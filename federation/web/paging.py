"""Long lists in parts: which part, and the addresses of its neighbours."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request


@dataclass(frozen=True, slots=True)
class Paging:
    """Part ``number`` of ``pages``; ``first`` to ``last`` of ``total`` items. An address is None at an end."""

    number: int
    pages: int
    first: int
    last: int
    total: int
    previous: str | None
    next: str | None

    @classmethod
    def of(cls, request: Request, number: int, total: int, size: int) -> Paging:
        pages = max(1, -(-total // size))

        def address(of: int) -> str | None:
            if not 1 <= of <= pages:
                return None
            url = request.url.include_query_params(page=of)
            return f"{url.path}?{url.query}"

        first = min((number - 1) * size + 1, total)
        return cls(
            number, pages, first, min(number * size, total), total, address(number - 1), address(number + 1)
        )
