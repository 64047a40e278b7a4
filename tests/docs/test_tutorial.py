"""docs/tutorial.md is run from its first command to its last, and shows what comes out.

After a change on purpose: ``python -m tests.docs.test_tutorial`` writes the page's outputs anew.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT
from tests.docs.sessions import follow, settled
from tests.support.thorough import thorough

PAGE = DOCS / "tutorial.md"

REWRITE = "after a change on purpose: python -m tests.docs.test_tutorial"


def workplace(folder: Path) -> Path:
    """What a fresh clone has that the tutorial needs."""
    kept_out = shutil.ignore_patterns("data", "state", "secrets")
    shutil.copytree(
        ROOT / "examples" / "labour_market", folder / "examples" / "labour_market", ignore=kept_out
    )
    return folder


@thorough
@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not here")
def test_the_tutorial_shows_what_comes_out(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    page = PAGE.read_text("utf-8")
    assert settled(follow(page, workplace(tmp_path))) == settled(page), REWRITE


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        PAGE.write_text(follow(PAGE.read_text("utf-8"), workplace(Path(place))), "utf-8")
