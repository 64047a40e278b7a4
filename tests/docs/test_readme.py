"""README.md: its answer is the tutorial's, and its way from a file to a node is gone from end to end.

After a change on purpose: ``python -m tests.docs.test_readme`` writes the outputs anew (after those of the tutorial).
"""

from __future__ import annotations

import csv
import random
import re
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks, read, section
from tests.docs.sessions import commands, follow, settled

PAGE = ROOT / "README.md"
ANSWER = re.compile(r"(<!-- answer -->\n```text\n)(.*?)(```)", re.DOTALL)

REWRITE = "after a change on purpose: python -m tests.docs.test_readme"


def survey(folder: Path) -> Path:
    """A file such as a reader has: a person in each row, with plain columns."""
    draw = random.Random(1)
    with (folder / "survey.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["person_id", "district", "age", "sector", "weekly_pay"])
        for number in range(2000):
            rows.writerow(
                [
                    f"P{number:05d}",
                    draw.choices(["Riverside", "Millford", "Weirton", "Hilltop"], [5, 3, 2, 1])[0],
                    draw.randint(16, 70),
                    draw.choice(["Care", "Construction", "Retail", "Digital"]),
                    round(draw.lognormvariate(6.1, 0.4), 2),
                ]
            )
    return folder


def tutorial_answer() -> str:
    """What the tutorial's last query prints."""
    (question,) = blocks(PAGE.read_text("utf-8"), "sql", "runs")
    tutorial = section(read("tutorial.md"), "The answer")
    assert all(line in read("tutorial.md") for line in question.splitlines())
    return next(
        shown.lstrip("\n")
        for block in blocks(tutorial, "console", "run")
        for command, shown in commands(block)
        if command == "federation query @construction.sql"
    )


def test_the_answer_is_the_one_of_the_tutorial() -> None:
    found = ANSWER.search(PAGE.read_text("utf-8"))
    assert found is not None
    assert settled(found[2]) == settled(tutorial_answer())


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not here")
def test_ones_own_data_is_behind_a_node_in_the_steps_shown(tmp_path: Path) -> None:
    page = PAGE.read_text("utf-8")
    assert settled(follow(page, survey(tmp_path))) == settled(page), REWRITE


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        page = follow(PAGE.read_text("utf-8"), survey(Path(place)))
    PAGE.write_text(ANSWER.sub(lambda found: found[1] + tutorial_answer() + found[3], page), "utf-8")
