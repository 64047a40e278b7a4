"""The API's documentation as one plain page, made from its OpenAPI document.

Pages that draw an OpenAPI document in the browser load their code from elsewhere, which a sealed network forbids.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #0b0c0c }
h2 { margin-top: 3rem; border-top: 2px solid #1d70b8; padding-top: .5rem }
code, pre { font-family: ui-monospace, monospace; background: #f3f2f1; padding: .1rem .3rem }
pre { padding: 1rem; overflow-x: auto }
table { border-collapse: collapse } th, td { text-align: left; vertical-align: top; padding: .2rem 1rem .2rem 0 }
"""


def docs_page(document: Mapping[str, Any]) -> str:
    """The page for an OpenAPI document: every operation with its parameters, body, answers and examples."""
    info = document["info"]
    body = "".join(
        _operation(path, method, operation, document)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    title = escape(info["title"])
    paragraphs = "".join(f"<p>{escape(part)}</p>" for part in info["description"].split("\n\n"))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}: API</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>'
        f"<body><main><h1>{title}: API</h1>{paragraphs}"
        f'<p>For programs: <a href="/openapi.json">OpenAPI document</a>.</p>{body}</main></body></html>'
    )


def _operation(path: str, method: str, operation: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    parts = [
        f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(operation.get('description', ''))}</p>"
    ]
    if parameters := operation.get("parameters"):
        rows = "".join(_parameter(each) for each in parameters)
        parts.append(f"<table><tr><th>Parameter</th><th>In</th><th>Meaning</th></tr>{rows}</table>")
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        parts.append(f"<h3>Body: <code>{escape(media_type)}</code></h3>{_fields(content, document)}")
        parts += [f"<pre>{escape(example)}</pre>" for example in _examples(content)]
    answers = "".join(
        f"<tr><td>{status}</td><td>{escape(answer['description'])}</td></tr>"
        for status, answer in sorted(operation["responses"].items())
    )
    parts.append(f"<h3>Answers</h3><table>{answers}</table>")
    for answer in operation["responses"].values():
        parts += [
            f"<pre>{escape(example)}</pre>"
            for c in answer.get("content", {}).values()
            for example in _examples(c)
        ]
    return "".join(parts)


def _parameter(parameter: Mapping[str, Any]) -> str:
    name = escape(parameter["name"])
    meaning = escape(parameter.get("description", ""))
    return f"<tr><td><code>{name}</code></td><td>{parameter['in']}</td><td>{meaning}</td></tr>"


def _fields(content: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    schema = content.get("schema", {})
    name = schema.get("$ref", "").rpartition("/")[2]
    schema = document["components"]["schemas"].get(name, schema)
    required = set(schema.get("required", ()))
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code>{' (required)' if field in required else ''}</td>"
        f"<td>{escape(each.get('description', ''))}{_example(each)}</td></tr>"
        for field, each in schema.get("properties", {}).items()
    )
    return f"<table>{rows}</table>"


def _example(field: Mapping[str, Any]) -> str:
    return "".join(f"<br>For example <code>{escape(str(each))}</code>" for each in field.get("examples", ()))


def _examples(content: Mapping[str, Any]) -> Iterator[str]:
    found = [example["value"] for example in content.get("examples", {}).values()]
    found += [content["example"]] if "example" in content else []
    for example in found:
        yield example if isinstance(example, str) else json.dumps(example, indent=2, ensure_ascii=False)
