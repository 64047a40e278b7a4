"""One demonstration node for the pages whose examples are run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.synthetic.generate import generate
from tests.docs.demo import PEOPLE, SECRETS
from tests.docs.pages import ROOT
from tests.support.node import Running, running


@pytest.fixture(scope="session")
def demo_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demonstration's configuration with a small labour market beside it."""
    directory = tmp_path_factory.mktemp("demo") / "labour_market"
    kept_out = shutil.ignore_patterns("data", "state", "secrets")
    shutil.copytree(ROOT / "examples" / "labour_market", directory, ignore=kept_out)
    generate(PEOPLE, directory / "data", seed=1)
    return directory


@pytest.fixture(scope="session")
def demo_node(demo_directory: Path) -> Iterator[Running]:
    with running(demo_directory, SECRETS) as found:
        yield found
