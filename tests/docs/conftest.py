"""One demonstration node for the pages whose examples are run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.docs.demo import SECRETS, write_demo
from tests.support.node import Running, running


@pytest.fixture(scope="session")
def demo_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(write_demo(tmp_path_factory.mktemp("demo")), SECRETS) as found:
        yield found
