"""A wrong release is taken back: nobody is given its table, and whoever holds a copy can learn it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from federation.client import FederationError
from federation.client.errors import Recalled
from federation.client.verify import verify_statement
from federation.state.errors import StateConflict
from tests.support.node import PURPOSE, STANDING_SQL, Running, running, write_node


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(write_node(tmp_path_factory.mktemp("node"))) as found:
        yield found


@pytest.fixture
def release(node: Running) -> str:
    with node.session("pat") as pat:
        request = pat.request(STANDING_SQL, agreement="planning", purpose=PURPOSE)
        return request.wait(progress=False).release


def verify(node: Running, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "federation", "verify", *arguments, "--url", node.url, "--json"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_a_recalled_release_is_gone_with_the_reason_and_its_statement_stays(
    node: Running, release: str
) -> None:
    path = f"/v1/releases/{release}"
    with node.http("pat") as pat, node.http("olu") as olu:
        tag = pat.get(path).headers["ETag"]
        made = olu.post(f"{path}/recall", json={"reason": "the source had a row twice"})
        assert (made.status_code, made.json()["body"]) == (201, "office")
        for gone in (
            pat.get(path),
            pat.get(path, headers={"If-None-Match": tag}),
            pat.get(path, headers={"Accept": "text/csv"}),
            pat.get(f"{path}/crate"),
            olu.get(path),
        ):
            assert (gone.status_code, gone.json()["code"]) == (410, "release_recalled")
            assert "office recalled" in gone.json()["detail"]
            assert "the source had a row twice" in gone.json()["detail"]
        assert pat.get(f"{path}/statement").status_code == 200
        assert pat.get(f"{path}/about").status_code == 200
        again = olu.post(f"{path}/recall", json={"reason": "again"})
        assert again.json()["code"] == "wrong_state"
    with node.http() as anybody:
        (listed,) = anybody.get(f"/v1/recalls?release={release}").json()["recalls"]
        assert listed["reason"] == "the source had a row twice"
        assert "olu" not in json.dumps(listed)
        assert release in {each["release"] for each in anybody.get("/v1/recalls").json()["recalls"]}
    with node.session("pat") as pat, pytest.raises(Recalled):
        pat.release(release)


def test_only_custodians_of_the_data_recall(node: Running, release: str) -> None:
    for person, code in (
        ("pat", "not_permitted"),
        ("ada", "not_permitted"),
        ("sam", "not_found"),
        ("eve", "not_permitted"),
    ):
        with node.http(person) as http:
            answer = http.post(f"/v1/releases/{release}/recall", json={"reason": "no"})
            assert answer.json()["code"] == code
    with node.session("pat") as pat:
        assert pat.recalls(release) == []


def test_a_recall_is_recorded_before_and_never_changed(node: Running, release: str) -> None:
    with node.session("olu") as olu, node.session("ada") as ada:
        olu.recall(release, reason="wrong")
        assert ada.audit_events(subject=release)[-1]["action"] == "release.recalled"
    for statement in ("delete from recalls", "update recalls set reason = ''"):
        with pytest.raises(StateConflict), node.node.database.write() as session:
            session.execute(text(statement))


def test_who_verifies_a_copy_online_learns_of_it(node: Running, release: str, tmp_path: Path) -> None:
    file, keys = tmp_path / "answer.parquet", tmp_path / "keys.json"
    with node.session("pat") as pat:
        file.write_bytes(pat.download(release, "application/vnd.apache.parquet"))
        keys.write_text(json.dumps(pat.keys()))
    found = verify(node, str(file))
    assert (found.returncode, json.loads(found.stdout)["recalled"]) == (0, None)
    with node.session("olu") as olu:
        olu.recall(release, reason="wrong")
    found = verify(node, str(file))
    assert (found.returncode, json.loads(found.stdout)["recalled"]["reason"]) == (1, "wrong")
    assert verify(node, str(file), "--keys", str(keys)).returncode == 0


def test_a_crate_has_a_table_that_its_statement_signs(node: Running, release: str) -> None:
    with node.session("pat") as pat, zipfile.ZipFile(io.BytesIO(pat.crate(release))) as crate:
        keys = json.loads(crate.read("node-keys.json"))
        found = verify_statement(crate.read("answer.csv.jws").decode(), keys)
        metadata = json.loads(crate.read("ro-crate-metadata.json"))
        assert found.payload["release"] == release
        root = next(each for each in metadata["@graph"] if each["@id"] == "./")
        assert root["identifier"] == release
    with node.session("eve") as eve, pytest.raises(FederationError, match="not_found"):
        eve.crate(release)
