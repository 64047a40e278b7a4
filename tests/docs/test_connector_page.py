"""The connector that the page makes: installed, checked, asked, and held to the conformance suite."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalogue.fragment import Field, SourceError, SourceFault, Table, Tally
from connectors.protocol import Capability
from connectors.registry import kind_names, kind_of
from tests.connectors.test_faults import fragment
from tests.docs.demo import SECRETS
from tests.docs.pages import ROOT, code, read, rows, section
from tests.support.node import FILES, PURPOSE, STANDING_SQL, running, write_node

PAGE = read("write-a-connector.md")
SOURCES = "sources: {duckdb: {kind: duckdb, directory: data, threads: 1}}"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the page's files, and what an installer makes of its pyproject.toml."""
    folder = tmp_path_factory.mktemp("packages")
    files = dict(re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
    project = tomllib.loads(files.pop("pyproject.toml"))["project"]
    for name, text in files.items():
        (folder / name).write_text(text)
    information = folder / f"arrow_counts-{project['version']}.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    groups = (
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in project["entry-points"].items()
    )
    (information / "entry_points.txt").write_text("\n".join(groups))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        importlib.invalidate_caches()
        yield folder
    kind_of.cache_clear()


def in_a_process(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def with_source(text: str) -> dict[str, str]:
    return {"node.yaml": FILES["node.yaml"].replace(SOURCES, text)}


def the_source() -> str:
    found = re.search(r"<!-- source -->\n```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert found
    return found[1].rstrip()


def test_it_is_found_and_its_settings_are_checked(installed: Path, tmp_path: Path) -> None:
    assert "arrow_counts" in kind_names()
    sound = write_node(tmp_path / "sound", with_source(the_source()))
    checked = in_a_process(installed, "federation", "check", str(sound), "--data")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    wrong = the_source().replace("directory: data", "folder: data")
    checked = in_a_process(
        installed, "federation", "check", str(write_node(tmp_path / "wrong", with_source(wrong)))
    )
    assert checked.returncode == 1
    shown = checked.stdout + checked.stderr
    assert "node.yaml:" in shown
    assert "directory" in shown
    assert "folder" in shown


def answers(directory: Path) -> list[dict[str, object]]:
    with running(directory, SECRETS) as node:
        asked = node.session("pat").request(STANDING_SQL, purpose=PURPOSE, agreement="planning")
        rows_: list[dict[str, object]] = asked.fetch().to_arrow().to_pylist()
        return rows_


def test_it_answers_with_the_digits_of_every_other(installed: Path, tmp_path: Path) -> None:
    theirs = answers(write_node(tmp_path / "theirs", with_source(the_source())))
    assert len(theirs) == 2
    assert theirs == answers(write_node(tmp_path / "ours"))


@pytest.mark.slow
def test_it_passes_the_conformance_suite(installed: Path) -> None:
    done = in_a_process(
        installed,
        "pytest",
        "tests/connectors/test_conformance.py",
        "-k",
        "arrow_counts",
        "-p",
        "no:cacheprovider",
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"\d passed", done.stdout)


def test_what_it_cannot_do_is_refused_before_a_row_is_read(installed: Path, tmp_path: Path) -> None:
    """No file is there, and it does not come to that."""
    connector = importlib.import_module("arrow_counts").ArrowCounts(tmp_path)
    asked = fragment(Table("data", "people.parquet", "people"), Tally("t"), unit=Field("id"))
    with pytest.raises(SourceError) as refused:
        connector.run((asked,), deadline=time.monotonic() + 60, cancel=threading.Event())
    assert refused.value.fault is SourceFault.UNSUPPORTED
    assert refused.value.detail == "dataset people: its source cannot do repeated_units"


def test_every_capability_and_method_is_on_the_page() -> None:
    tables = rows(section(PAGE, "Rules"))
    assert {code(row[0]) for row in tables} == {capability.value for capability in Capability}
    methods = {code(row[0]) for row in rows(section(PAGE, "What a connector is asked"))}
    assert methods == {"capabilities", "snapshot", "describe", "run", "explain", "verify", "close"}
