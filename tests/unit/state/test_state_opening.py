"""Starting a node on its state directory: once at a time, with the same secrets, without leftovers."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from federation.audit.chain import events, verify_chain
from federation.state.errors import NodeAlreadyRunning, PrivateFileError, StateUnavailable
from federation.state.opening import NodeState, open_state
from tests.support.state import NOW


def start(directory: Path) -> NodeState:
    return open_state(directory, {}, node="node", version="0.1.0", now=NOW)


def test_a_restart_finds_the_same_secrets_and_its_start_in_the_chain(tmp_path: Path) -> None:
    with start(tmp_path) as first:
        known = (first.signing_key.key_id, first.secrets.noise_secret.reveal())
    with start(tmp_path) as second:
        assert (second.signing_key.key_id, second.secrets.noise_secret.reveal()) == known
        with second.database.read() as session:
            assert [event.action for event in events(session)] == ["node.started", "node.started"]
            assert verify_chain(session).whole


def test_a_second_start_is_refused_while_the_first_serves(tmp_path: Path) -> None:
    with start(tmp_path), pytest.raises(NodeAlreadyRunning):
        start(tmp_path)
    start(tmp_path).close()


@pytest.mark.parametrize("lost", ["node-secrets.json", "signing-key.json"])
def test_a_lost_secret_stops_the_node_and_leaves_it_unlocked(tmp_path: Path, lost: str) -> None:
    start(tmp_path).close()
    content = (tmp_path / "secrets" / lost).read_bytes()
    (tmp_path / "secrets" / lost).unlink()
    with pytest.raises(PrivateFileError):
        start(tmp_path)
    restored = tmp_path / "secrets" / lost
    restored.write_bytes(content)
    restored.chmod(0o600)
    start(tmp_path).close()


def test_files_that_no_release_names_are_cleared_away(tmp_path: Path) -> None:
    with start(tmp_path) as first:
        orphan = first.store.put_cells(pa.table({"n": [1]}))
    start(tmp_path).close()
    assert not (tmp_path / "files" / orphan.path).exists()


def test_a_damaged_database_stops_the_node(tmp_path: Path) -> None:
    (tmp_path / "state.sqlite").write_bytes(b"no database" * 1000)
    for _ in range(2):
        with pytest.raises(StateUnavailable):
            start(tmp_path)
