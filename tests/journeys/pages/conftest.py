"""One node, with a map of its areas, and one browser for all journeys."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.browser import Visitor, chromium
from tests.support.node import FILES, Running, running, write_node

MAPS = """\
pages:
  maps:
    - {codelist: geography, level: area, tiles: maps/areas.csv, attribution: Laid out for the test}
"""
TILES = "code,column,row\n" + "".join(f"A{i},{i % 4},{i // 4}\n" for i in range(8))
QUERY = """\
query: by_sex
title: People of a region by sex
description: Residents from an age on, women and men.
sql: SELECT sex, count(*) AS people FROM people WHERE region = $region AND age >= $from GROUP BY sex ORDER BY sex
agreement: planning
purpose: skills planning
parameters:
  region: {title: Region, type: text, codelist: geography, level: region}
  from: {title: From what age, type: integer, minimum: 16, maximum: 20}
decided_by: {office: olu}
decided_on: 2025-02-01
until: 2090-01-01
"""
OTHERS = FILES["agreements/planning.yaml"].replace(
    "  purposes: [skills planning]\n",
    "  purposes: [skills planning]\n  other_purposes: needs_a_person\n  excluded_purposes: [marketing]\n",
    1,
)
PRIVATE = """\
- agreement: unlisted
  title: An agreement that is not in the register
  version: "1"
  bodies: [effshire]
  datasets: [people]
  purposes: [internal audit]
  legal_gateway: Digital Economy Act 2017, Part 5
  start: 2025-01-01
  review: 2026-01-01
  end: 2090-01-01
  public_register: false
"""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    changes = {
        "node.yaml": FILES["node.yaml"] + MAPS,
        "maps/areas.csv": TILES,
        "agreements/planning.yaml": OTHERS,
        "agreements/unlisted.yaml": PRIVATE,
        "queries/by_sex.yaml": QUERY,
    }
    with running(write_node(tmp_path_factory.mktemp("pages"), changes)) as found:
        yield found


@pytest.fixture
def visit(browser: Browser, node: Running) -> Iterator[Callable[..., Visitor]]:
    """A visitor to the node's pages; signed in where a person is named."""
    there: list[Visitor] = []

    def come(person: str = "", *, scripts: bool = True) -> Visitor:
        visitor = Visitor(browser, node.url, scripts=scripts)
        there.append(visitor)
        return visitor.sign_in(person) if person else visitor

    yield come
    for visitor in there:
        visitor.leave()
