"""docs/identity.md: its example is a sound configuration, and it names every role and address."""

from __future__ import annotations

import re
from pathlib import Path

from federation.api.session_routes import provider_router, router
from federation.configuration import read_configuration
from federation.identity.principal import NodeRole
from tests.docs.pages import code, first_codes, read, rows, section
from tests.support.node import write_node

PAGE = read("identity.md")


def test_the_example_is_sound(tmp_path: Path) -> None:
    ((name, text),) = re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    bodies = "- {body: riverside_college, title: College}\n- {body: riverside_council, title: Council}\n"
    found = read_configuration(write_node(tmp_path, {name: text, "bodies/riverside.yaml": bodies})).settings
    assert found.identity.provider is not None
    assert found.environment == "production"
    assert len(found.identity.delegations) == 1


def test_every_role_is_there() -> None:
    table = rows(section(PAGE, "People, bodies and roles"))
    assert {name for row in table for name in re.findall(r"`(\w+)`", row[0])} == set(NodeRole)


def test_every_address_of_a_session_is_there() -> None:
    shown = set(first_codes(section(PAGE, "At the pages")))
    routes = [*router.routes, *provider_router.routes]
    assert shown == {f"{method} {route.path}" for route in routes for method in route.methods}  # type: ignore[attr-defined]


def test_clients_are_registered_as_the_flows_need() -> None:
    table = rows(section(PAGE, "Set up a provider"))
    assert any(code(row[2]) == "PUBLIC_URL/login/callback" for row in table if "`" in row[2])
