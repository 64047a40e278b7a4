"""docs/sql.md lists every aggregate below the line and every function above it, and no other.

After a change on purpose: ``python -m tests.docs.test_sql_page`` writes the list of functions anew.
"""

from __future__ import annotations

import re
import textwrap

from policies.compiler.aggregates import SUPPORTED_NAMES
from policies.presentation.functions import ALLOWED
from tests.docs.pages import DOCS, read

PAGE = DOCS / "sql.md"
LIST = re.compile(r"(<!-- functions -->\n```text\n)(.*?)(```)", re.DOTALL)
NAMES = sorted({name for name, _ in ALLOWED if re.fullmatch(r"[A-Za-z]\w*", name)})


def test_every_aggregate_below_the_line_is_there() -> None:
    found = re.search(r"<!-- aggregates -->(.*?)<!-- end -->", read("sql.md"))
    assert found is not None
    assert re.findall(r"`(\w+)`", found[1]) == list(SUPPORTED_NAMES)


def test_every_function_above_the_line_is_there() -> None:
    found = LIST.search(read("sql.md"))
    assert found is not None
    assert found[2].split() == NAMES


if __name__ == "__main__":
    text = "\n".join(textwrap.wrap(" ".join(NAMES), 120)) + "\n"
    PAGE.write_text(LIST.sub(lambda found: found[1] + text + found[3], PAGE.read_text("utf-8")), "utf-8")
