"""A market on every engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.connectors.engines import ENGINES
from tests.connectors.labour import Market


@pytest.fixture(params=list(ENGINES))
def market(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Market]:
    market = ENGINES[request.param](request, tmp_path)
    yield market
    market.close()
