"""docs/how-a-query-is-rewritten.md shows what the compiler and the connector really make of its question.

After a change on purpose: ``python -m tests.docs.test_rewriting_page`` writes the page's blocks anew.
"""

from __future__ import annotations

import re
import tempfile
from datetime import date
from pathlib import Path

from connectors.duckdb import DuckDBConnector
from connectors.sources import FileSource
from examples.synthetic.generate import generate
from federation.configuration import read_configuration
from policies.compiler import compile_query
from policies.context import Context
from policies.explain import explain

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-a-query-is-rewritten.md"
BLOCK = re.compile(r"<!-- (\w+) -->\n```(\w+)\n(.*?)\n```", re.DOTALL)


def blocks(question: str) -> dict[str, str]:
    """What each block of the page should hold, made from its question."""
    configuration = read_configuration(ROOT / "examples" / "labour_market")
    agreement = configuration.catalogue.agreements["local_labour_market"]
    context = Context(
        configuration.catalogue, "greater_manchester", agreement, agreement.purposes[0], date(2026, 3, 31)
    )
    plan = compile_query(question, context)
    with tempfile.TemporaryDirectory() as folder:
        generate(2_000, Path(folder), seed=1)
        connector = DuckDBConnector(FileSource(Path(folder)), threads=1)
        explanation = explain(plan, lambda query: (";\n\n".join(connector.explain(query.fragment)),))
        connector.close()
    return {
        "asked": question,
        "words": explanation.question,
        "source": explanation.source_sql[0],
        "presentation": explanation.presentation_sql,
        "rules": "\n".join(f"{rule.rule}: {rule.effect}" for rule in explanation.rules),
    }


def test_the_page_shows_what_happens() -> None:
    found = {name: text for name, _, text in BLOCK.findall(PAGE.read_text())}
    assert found == blocks(found["asked"])


def rewrite() -> None:
    page = PAGE.read_text()
    asked = {name: text for name, _, text in BLOCK.findall(page)}["asked"]
    made = blocks(asked)
    PAGE.write_text(BLOCK.sub(lambda m: f"<!-- {m[1]} -->\n```{m[2]}\n{made[m[1]]}\n```", page))


if __name__ == "__main__":
    rewrite()
