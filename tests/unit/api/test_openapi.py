"""The OpenAPI document is true: generated requests get answers that it describes, and never a server error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest
import schemathesis
from pydantic import TypeAdapter
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from federation.api import examples
from federation.api.app import create_app
from federation.api.catalogue_routes import Datasets
from federation.service.releases import About
from federation.service.views import CheckView, RequestView, RunView
from tests.support.node import Running
from tests.support.thorough import share

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def test_every_operation_is_described(node: Running) -> None:
    document = create_app(node.node).openapi()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation.get("description"), f"{method} {path}"
            for status, answer in operation["responses"].items():
                if status.startswith(("4", "5")):
                    assert list(answer["content"]) == ["application/problem+json"], (
                        f"{method} {path} {status}"
                    )
    assert "Problem" in document["components"]["schemas"]
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_request_bodies_have_examples(node: Running) -> None:
    schemas = create_app(node.node).openapi()["components"]["schemas"]
    for name in ("CheckBody", "RequestBody", "DecisionBody"):
        assert any("examples" in field for field in schemas[name]["properties"].values()), name


def test_the_documentation_needs_nothing_from_elsewhere(node: Running) -> None:
    with node.http() as http:
        page = http.get("/docs")
        paths = http.get("/openapi.json").json()["paths"]
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "http://" not in page.text.replace(node.url, "")
    assert "https://" not in page.text
    for path in paths:
        assert path in page.text


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Datasets, examples.DATASETS),
        (CheckView, examples.CHECK),
        (RequestView, examples.REQUEST),
        (RunView, examples.RUN),
        (About, examples.ABOUT),
    ],
)
def test_examples_are_what_they_are_examples_of(kind: type, value: object) -> None:
    adapter = TypeAdapter(kind)
    assert adapter.dump_python(adapter.validate_python(value), mode="json") == value


def operations(node: Running) -> Iterator[Any]:
    schema = schemathesis.openapi.from_url(f"{node.url}/openapi.json")
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.method.upper() in ("GET", "POST") and operation.path != "/oauth/token":
            yield operation


@pytest.mark.slow
def test_generated_requests_are_answered_as_described(node: Running) -> None:
    tokens = {}
    for person in ("pat", "olu", "ada"):
        with node.http(person) as http:
            tokens[person] = {"Authorization": http.headers["Authorization"]}
    seen: Counter[str] = Counter()
    for operation in operations(node):

        @hypothesis.given(case=operation.as_strategy(), person=st.sampled_from(sorted(tokens)))
        @hypothesis.settings(
            max_examples=share(12),
            deadline=None,
            database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        def answered(case: Any, person: str) -> None:
            response = case.call(headers=tokens[person])
            case.validate_response(response, checks=CHECKS)
            seen[operation.label] += 1  # noqa: B023  # called within the loop

        answered()
    assert len(seen) > 15
