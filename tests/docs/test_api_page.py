"""docs/api.md has every endpoint, its examples run, and they use every endpoint."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from typing import Any

import httpx
import pytest

from federation.api.negotiation import MediaType
from policies.cells import Status
from tests.docs.pages import blocks, code, read, rows, section
from tests.support.node import Running

PAGE = read("api.md")
PROLOGUE = """set -euo pipefail
STATE=
curl() { command curl --fail-with-body --show-error "$@"; }
"""


@pytest.fixture(scope="module")
def openapi(demo_node: Running) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{demo_node.url}/openapi.json").json()
    return found


def endpoints(openapi: dict[str, Any]) -> set[tuple[str, str]]:
    return {(method.upper(), path) for path, methods in openapi["paths"].items() for method in methods}


def test_every_endpoint_is_there_and_no_other(openapi: dict[str, Any]) -> None:
    shown = [(row[0], code(row[1])) for row in rows(section(PAGE, "Endpoints"))]
    assert len(shown) == len(set(shown))
    assert set(shown) == endpoints(openapi)


def test_every_format_and_mark_is_there() -> None:
    tables = rows(section(PAGE, "Formats"))
    assert {code(row[0]) for row in tables} == {*MediaType, *(status.mark for status in Status if status)}
    meanings = {code(row[0]): row[1] for row in tables}
    assert all(meanings[status.mark] == status.meaning for status in Status if status)


def run(node: Running, script: str) -> subprocess.CompletedProcess[str]:
    """Run shell examples as a reader would, except that an answer that is an error ends them."""
    if shutil.which("curl") is None or shutil.which("bash") is None:
        pytest.skip("bash and curl are not here")
    environment = {**os.environ, "NODE": node.url}
    return subprocess.run(
        ["bash", "-c", PROLOGUE + script], env=environment, capture_output=True, text=True, timeout=120
    )


def test_the_examples_run_and_use_every_endpoint(demo_node: Running, openapi: dict[str, Any]) -> None:
    # Whether the run to cancel has ended already is a matter of luck.
    examples = [
        f"{text.rstrip()} || true" if text in blocks(PAGE, "sh", "cancel") else text
        for text in blocks(PAGE, "sh")
    ]
    ran = run(demo_node, "\n".join(text for text in examples if text not in blocks(PAGE, "sh", "fails")))
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    assert '"qualification","qualification__status","people","people__status"' in ran.stdout
    counted = httpx.get(f"{demo_node.url}/metrics").text
    outcome = re.compile(r'federation_http_requests_total\{method="(\w+)",route="([^"]+)",status="(?:2|409)')
    used = outcome.findall(counted)
    assert endpoints(openapi) <= set(used)


def test_the_error_is_the_one_on_the_page(demo_node: Running) -> None:
    script = "".join([*blocks(PAGE, "sh", "run")[:4], *blocks(PAGE, "sh", "fails")])
    refused = run(demo_node, script)
    assert refused.returncode == 22
    (shown,) = re.findall(r"<!-- problem -->\n```json\n(.*?)\n```", PAGE, re.DOTALL)
    assert json.loads(refused.stdout[refused.stdout.rindex('{"type"') :]) == json.loads(shown)
