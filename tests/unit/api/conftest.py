"""One node for the tests of the API: its data and its configuration never change."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.node import Running, running, write_node


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(write_node(tmp_path_factory.mktemp("node"))) as found:
        yield found
