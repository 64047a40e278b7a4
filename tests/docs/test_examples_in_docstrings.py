"""Every example in a docstring does what it shows."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from tests.support.spark import LEFT_OUT

PACKAGES = ("catalogue", "policies", "connectors", "federation")
ALEMBIC = "federation.state.migrations"


def modules() -> Iterator[str]:
    for package in PACKAGES:
        found = pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}.")
        # Migrations are scripts that only Alembic can import.
        yield from (module.name for module in found if not module.name.startswith(ALEMBIC))


@pytest.mark.parametrize("name", list(modules()))
def test_examples(name: str) -> None:
    if name.startswith("connectors.spark") and find_spec("pyspark") is None:
        pytest.skip(LEFT_OUT)
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0
