"""``make demo-federation``: from the first step to the last, with nothing left running."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from examples.four_nations.layout import NODES
from federation.state.lock import NodeLock
from tests.support.thorough import thorough

ROOT = Path(__file__).parents[2]


@thorough
def test_four_nations_answer_together(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "examples.federation_demo", "--folder", tmp_path]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    shown = ended.stdout
    assert ended.returncode == 0, shown[-2000:] + ended.stderr
    assert re.findall(r"^(\d)\. ", shown, re.MULTILINE) == [str(number) for number in range(1, 9)]
    order = [
        "northern_ireland: not asked: it fetches its messages",
        "counted jointly by the nations",
        "within 8 of the true one",
        "people_together is counted jointly by: england, northern_ireland, scotland, wales",
        "&& echo the same",
        "sum modulo 2^64",
        "wales: its custodian has to decide first",
        "Approved: req_",
        "It can be run until",
        "scotland: it could not be reached",
        "code: holders_unavailable",
        "Verified",
        "wales, rel_",
        "The audit chain is whole",
        "The nodes are stopped.",
    ]
    places = [shown.index(text) for text in order]
    assert places == sorted(places)
    assert "Traceback" not in shown + ended.stderr
    assert "\x1b" not in shown
    for node in NODES:
        with NodeLock(tmp_path / "nodes" / node / "state"):
            pass
