"""docs/federation.md has every address, kind and member of a message, and its settings are sound."""

from __future__ import annotations

import re

import yaml

from federation.api.federation_routes import router
from federation.settings import Settings
from federation.wire import envelope
from federation.wire.channel import MessageKind
from tests.docs.pages import ROOT, first_codes, read, rows, section

PAGE = read("federation.md")
TABLES = [row for row in rows(section(PAGE, "What a message is")) if row[0].startswith("`")]
NAMES = {name for row in TABLES for name in re.findall(r"`([^`]+)`", row[0])}


def test_every_address_is_there() -> None:
    routes = {f"POST {route.path}" for route in router.routes}  # type: ignore[attr-defined]
    assert {name for name in NAMES if name.startswith("POST")} == routes


def test_every_kind_and_member_is_there() -> None:
    named = {name for name in NAMES if not name.startswith("POST")}
    assert named == envelope.MEMBERS | set(MessageKind)
    assert f"`{envelope.FORMAT}`" in PAGE
    assert f"`{envelope.MESSAGE_TYPE}`" in PAGE


def test_the_settings_are_sound() -> None:
    (text,) = re.findall(r"<!-- peers -->\n```yaml\n(.*?)```", PAGE, re.DOTALL)
    settings = Settings(**yaml.safe_load(text), environment="demo")
    assert list(settings.federation.peers) == ["wales"]


def test_every_reason_of_a_node_that_takes_no_part_is_there() -> None:
    """They are literal codes at the place; this finds them in the source."""
    places = ("federation/masked", "federation/service/asked.py", "federation/state/errors.py")
    sources = [file for place in places for file in (ROOT / place).glob("*.py")]
    sources += [ROOT / place for place in places if place.endswith(".py")]
    text = "".join(file.read_text() for file in sources)
    literal = set(re.findall(r'"(joint_\w+)"', text)) | set(
        re.findall(r'Declined\(Unavailability\.REFUSED, "(\w+)"\)', text)
    )
    assert set(first_codes(section(PAGE, "Why a node takes no part"))) == literal
