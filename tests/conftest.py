"""Fixtures that every suite shares."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.browser import NO_BROWSER
from tests.support.postgresql import NO_SERVER
from tests.support.provider import NO_PROVIDER
from tests.support.spark import LEFT_OUT, NO_CLUSTER
from tests.support.thorough import ONLY_THOROUGH

REFERENCE_VARIABLE = "FEDERATION_REFERENCE_DATA"
_DEFAULT_REFERENCE = Path(__file__).resolve().parents[2] / "shared" / "data"
_NO_REFERENCE = f"reference data is not here: set {REFERENCE_VARIABLE} to its folder"


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The folder of reference data: inputs and outputs of public tools, and real records.

    A folder that the environment names must exist. Without the variable and the default folder the test is skipped.
    """
    named = os.environ.get(REFERENCE_VARIABLE)
    if named is not None:
        folder = Path(named)
        if not folder.is_dir():
            pytest.fail(f"{REFERENCE_VARIABLE} names a folder that does not exist: {named}", pytrace=False)
        return folder
    if not _DEFAULT_REFERENCE.is_dir():
        pytest.skip(_NO_REFERENCE)
    return _DEFAULT_REFERENCE


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """End by saying how many reference tests did not run: a green run without them proves less."""
    yield
    skipped = [
        report
        for report in terminalreporter.stats.get("skipped", [])
        if _NO_REFERENCE in str(report.longrepr)
    ]
    reason = f" ({_NO_REFERENCE})" if skipped else ""
    terminalreporter.write_line(f"reference tests skipped: {len(skipped)}{reason}")
    for what, reason in (
        ("tests on a PostgreSQL server", NO_SERVER),
        ("tests on an identity provider", NO_PROVIDER),
        ("tests of pages in a browser", NO_BROWSER),
        ("tests on a Spark cluster", LEFT_OUT),
        ("tests on a Spark cluster", NO_CLUSTER),
        ("long tests", ONLY_THOROUGH),
    ):
        number = sum(reason in str(r.longrepr) for r in terminalreporter.stats.get("skipped", []))
        if number:
            terminalreporter.write_line(f"{what} skipped: {number} ({reason})")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of one file share what they set up, so they stay on one worker, unless the file says that they may not."""
    for item in items:
        if item.get_closest_marker("spread") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
