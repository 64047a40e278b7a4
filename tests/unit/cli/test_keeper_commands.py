"""Import, check, serve: for whoever keeps a node, with what goes wrong."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from federation.cli.exits import ExitCode
from federation.cli.main import run
from federation.state.lock import NodeLock
from federation.web import assets
from tests.support.node import FILES, write_node
from tests.support.thorough import thorough

ROOT = Path(__file__).parents[3]
CSV = "person id,region,sex,pay\n" + "".join(
    f"p{i},{'NS'[i % 2]},{'FM'[i % 3 == 0]},{400 + i}.50\n" for i in range(300)
)


@pytest.fixture(autouse=True)
def _no_settings_in_the_environment() -> Iterator[None]:
    """None are there, and none stay: `serve --port` makes one."""
    with patch.dict(os.environ):
        for name in [name for name in os.environ if name.startswith("FEDERATION_")]:
            del os.environ[name]
        yield


@pytest.fixture
def federation(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def type_(*words: str | Path) -> tuple[int, str, str]:
        code = run([str(word) for word in words])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return type_


Type = Callable[..., tuple[int, str, str]]

# import


def test_a_file_becomes_a_dataset_in_draft(federation: Type, tmp_path: Path) -> None:
    file, node = tmp_path / "survey.csv", tmp_path / "node"
    file.write_text(CSV)
    code, out, err = federation("import", file, "--unit", "person id", "--into", node)
    assert (code, err) == (0, "")
    assert "survey: 300 rows, 300 people." in out
    assert "datasets/survey.yaml" in out
    assert f"federation check {node}" in out
    table = pq.read_table(node / "data" / "survey.parquet")
    assert table.num_rows == 300
    assert table.column("record_key").null_count == 0
    assert (node / "secrets" / "node-secrets.json").stat().st_mode & 0o077 == 0


def test_the_same_import_again_changes_nothing_and_new_data_keeps_the_documents(
    federation: Type, tmp_path: Path
) -> None:
    file, node = tmp_path / "survey.csv", tmp_path / "node"
    file.write_text(CSV)
    words = ("import", file, "--unit", "person id", "--into", node)
    federation(*words)
    keys = pq.read_table(node / "data" / "survey.parquet").column("record_key")
    assert federation(*words)[0] == 0
    assert pq.read_table(node / "data" / "survey.parquet").column("record_key") == keys
    document = node / "datasets" / "survey.yaml"
    document.write_text(document.read_text().replace("To be completed", "Said by the custodian"))
    code, _, err = federation(*words)
    assert code == ExitCode.REFUSED
    assert "is there already and differs" in err
    file.write_text(CSV + "p300,N,F,1.00\n")
    code, out, _ = federation(*words, "--keep", "--json")
    assert code == 0
    assert json.loads(out)["rows"] == 301
    assert "Said by the custodian" in document.read_text()
    assert federation(*words, "--keep", "--replace")[0] == ExitCode.USAGE


@pytest.mark.parametrize(
    ("content", "unit", "said"),
    [
        (CSV, "person", "There is no column `person`"),
        (CSV + CSV.splitlines()[1] + "\n", "person id", "repeats in rows 2, 302"),
        (CSV + "p900,N\n", "person id", "too few columns"),
        ("", "person id", "is empty"),
        (CSV + "p901,N,F,\xff\n", "person id", "UTF-8"),
    ],
)
def test_a_file_that_cannot_be_imported_says_why_and_leaves_nothing(
    federation: Type, tmp_path: Path, content: str, unit: str, said: str
) -> None:
    file, node = tmp_path / "survey.csv", tmp_path / "node"
    file.write_bytes(content.encode("latin-1"))
    code, out, err = federation("import", file, "--unit", unit, "--into", node)
    assert (code, out) == (ExitCode.REFUSED, "")
    assert "Nothing was imported." in err
    assert said in err
    assert not (node / "datasets").exists()
    problems = json.loads(federation("import", file, "--unit", unit, "--into", node, "--json")[1])["problems"]
    assert said in " ".join(problems)


def test_files_and_folders_that_are_not_there(federation: Type, tmp_path: Path) -> None:
    words = ("--unit", "id", "--into", tmp_path / "node")
    assert "There is no file" in federation("import", tmp_path / "none.csv", *words)[2]
    (tmp_path / "a.xlsx").write_text("x")
    assert "neither CSV nor Parquet" in federation("import", tmp_path / "a.xlsx", *words)[2]
    (tmp_path / "a.parquet").write_text("x")
    assert federation("import", tmp_path / "a.parquet", *words)[0] == ExitCode.REFUSED
    (tmp_path / "a.csv").write_text(CSV)
    (tmp_path / "file").write_text("x")
    code, _, err = federation(
        "import", tmp_path / "a.csv", "--unit", "person id", "--into", tmp_path / "file"
    )
    assert code in (ExitCode.REFUSED, ExitCode.FAILED)
    assert err
    assert federation("import", tmp_path / "a.csv", *words, "--decimals", "pay")[0] == ExitCode.USAGE


def test_a_secret_that_others_can_read_stops_an_import(federation: Type, tmp_path: Path) -> None:
    file, node = tmp_path / "survey.csv", tmp_path / "node"
    file.write_text(CSV)
    words = ("import", file, "--unit", "person id", "--into", node)
    federation(*words)
    (node / "secrets" / "node-secrets.json").chmod(0o644)
    code, _, err = federation(*words)
    assert code == ExitCode.FAILED
    assert "can be read by others" in err


# check


def test_a_sound_configuration(federation: Type, tmp_path: Path) -> None:
    in_force = FILES["agreements/planning.yaml"].partition("- agreement: finished")[0]
    directory = write_node(tmp_path, {"agreements/planning.yaml": in_force})
    with patch.object(assets, "present", return_value=True):
        code, out, err = federation("check", directory, "--data")
    assert (code, err) == (0, "")
    assert "the configuration is sound" in out
    assert "The data is what the catalogue says." in out
    with patch.object(assets, "present", return_value=False):
        code, out, err = federation("check", directory)
        (warning,) = json.loads(federation("check", directory, "--json")[1])["warnings"]
    assert code == 0
    assert "the style of the pages is missing" in err
    assert "→ fetch it: python -m federation.web.assets" in err
    assert warning["mend"].endswith(assets.MEND)


def test_all_mistakes_at_once_with_file_line_and_mend(federation: Type, tmp_path: Path) -> None:
    changes = {
        "bodies/bodies.yaml": FILES["bodies/bodies.yaml"] + "- {body: extra, titel: Extra}\n",
        "node.yaml": FILES["node.yaml"].replace("environment: test", "environment: tset"),
        "agreements/planning.yaml": FILES["agreements/planning.yaml"].replace(
            "bodies: [greater_ay]", "bodies: [ay]"
        ),
        "codelists/sex.yaml": "codelist: [",
    }
    node = write_node(tmp_path, changes)
    code, out, err = federation("check", node)
    assert (code, out) == (ExitCode.REFUSED, "")
    for file in changes:
        assert f"  {file}" in err
    assert "bodies/bodies.yaml:5:" in err
    assert "did you mean `title`?" in err
    code, out, _ = federation("check", node, "--json")
    faults = json.loads(out)["faults"]
    assert code == ExitCode.REFUSED
    assert {fault["file"] for fault in faults} >= set(changes)
    assert all(fault["message"] for fault in faults)


def test_data_that_is_not_what_the_catalogue_says(federation: Type, tmp_path: Path) -> None:
    node = write_node(tmp_path)
    table = pq.read_table(node / "data" / "people.parquet")
    pq.write_table(table.drop_columns(["sex"]), node / "data" / "people.parquet")
    (node / "data" / "vacancies.parquet").unlink()
    code, _, err = federation("check", node, "--data")
    assert code == ExitCode.REFUSED
    assert "people.sex: the table has no column sex" in err
    assert "vacancies" in err
    code, out, _ = federation("check", node, "--data", "--json")
    assert {finding["dataset"] for finding in json.loads(out)["findings"]} == {"people", "vacancies"}
    assert federation("check", node)[0] == 0


def test_directories_that_hold_no_configuration(federation: Type, tmp_path: Path) -> None:
    code, _, err = federation("check", tmp_path / "none")
    assert code == ExitCode.REFUSED
    assert "there is no such directory" in err
    code, _, err = federation("check", tmp_path)
    assert code == ExitCode.REFUSED
    assert "node.yaml" in err


# serve


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def serving(node: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """``federation serve`` in a process of its own, as people start it."""
    command = [sys.executable, "-m", "federation", "serve", "--config", node, "--port", str(port)]
    process = subprocess.Popen(
        command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    try:
        for _ in range(600):
            assert process.poll() is None, process.stderr and process.stderr.read()
            try:
                if httpx.get(f"http://127.0.0.1:{port}/readyz").is_success:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


@pytest.mark.slow
@pytest.mark.parametrize("stop", [pytest.param(signal.SIGINT, marks=thorough), signal.SIGTERM])
def test_a_node_serves_alone_and_stops_cleanly(
    federation: Type, tmp_path: Path, stop: signal.Signals
) -> None:
    node, port = write_node(tmp_path), free_port()
    with serving(node, port) as process:
        assert run(["whoami", "--person", "pat", "--url", f"http://127.0.0.1:{port}"]) == 0
        code, _, err = federation("serve", "--config", node, "--port", str(port))
        assert code == ExitCode.FAILED
        assert "choose one with --port" in err
        code, _, err = federation("serve", "--config", node, "--port", str(free_port()))
        assert code == ExitCode.FAILED
        assert "already serves" in err
        process.send_signal(stop)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Test node is at http://127.0.0.1" in said
    assert "may log in by name alone" in said
    assert "The node has stopped." in said
    assert "Traceback" not in said
    with NodeLock(node / "state"):
        pass


def test_a_node_does_not_start_on_mistakes(federation: Type, tmp_path: Path) -> None:
    text = FILES["node.yaml"].replace("environment: test", "environment: production")
    code, _, err = federation("serve", "--config", write_node(tmp_path, {"node.yaml": text}))
    assert code == ExitCode.FAILED
    assert "built-in identity" in err
    assert federation("serve", "--config", tmp_path / "none")[0] == ExitCode.FAILED
    assert federation("serve")[0] == ExitCode.USAGE


def test_a_node_does_not_start_with_a_secret_that_others_can_read(federation: Type, tmp_path: Path) -> None:
    node = write_node(tmp_path)
    (node / "secrets").mkdir()
    (node / "secrets" / "node-secrets.json").write_text("{}")
    (node / "secrets" / "node-secrets.json").chmod(0o644)
    code, _, err = federation("serve", "--config", node, "--port", str(free_port()))
    assert code == ExitCode.FAILED
    assert "can be read by others" in err
    shutil.rmtree(node / "secrets")


def test_agreements_and_rules_that_are_over_are_warned_of(federation: Type, tmp_path: Path) -> None:
    rule = FILES["rules/regions.yaml"].replace("until: 2090-01-01", "until: 2025-03-01")
    directory = write_node(tmp_path, {"rules/regions.yaml": rule})
    code, _, err = federation("check", directory)
    assert code == 0
    assert "the agreement `finished` is over" in err
    assert "the standing rule `people_by_region` is over" in err


def test_unsound_data_is_not_called_sound(federation: Type, tmp_path: Path) -> None:
    directory = write_node(tmp_path)
    file = directory / "data" / "people.parquet"
    table = pq.read_table(file)
    pq.write_table(pa.concat_tables([table, table]), file)
    code, out, err = federation("check", directory, "--data")
    assert code == ExitCode.REFUSED
    assert "people.person: a unit has several rows" in err
    assert "is sound" not in out
    assert "the data is not what the catalogue says" in out
