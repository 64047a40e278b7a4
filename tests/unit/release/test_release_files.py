"""Files are in place whole, or absent; what is on the disk is what was stored."""

from __future__ import annotations

import hashlib
import resource
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from federation.client.verify import embedded_statement, verify_statement
from federation.release.files import FileDamaged, ReleaseStore, StorageError, StorageFull
from federation.release.keys import SigningKey
from federation.release.statement import sign_statement
from tests.support.statements import TABLE, statement

KEY = SigningKey.generate()
TOKEN = sign_statement(statement(), KEY)
REPOSITORY = Path(__file__).parents[3]


def files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


@contextmanager
def file_size_limit(limit: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_release_is_addressed_by_its_bytes_and_carries_its_statement(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path)
    stored = store.put_release(TABLE, TOKEN)
    (file,) = files(tmp_path)
    assert stored.path == file.relative_to(tmp_path).as_posix()
    assert stored.digest == "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest()
    assert stored.size == file.stat().st_size
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for table in (store.read(stored.path, stored.digest), pq.read_table(file)):
        assert verify_statement(embedded_statement(table), KEY.public_jwks(), table).table_checked


def test_the_same_content_is_one_file(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path)
    assert store.put_cells(TABLE) == store.put_cells(TABLE)
    assert len(files(tmp_path)) == 1


def test_a_damaged_or_missing_file_is_not_served(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path)
    stored = store.put_release(TABLE, TOKEN)
    (file,) = files(tmp_path)
    content = file.read_bytes()
    for damage in (content[:-10], content.replace(b"E08000001", b"E08000009"), b""):
        assert damage != content
        file.write_bytes(damage)
        with pytest.raises(FileDamaged):
            store.read(stored.path, stored.digest)
    file.unlink()
    with pytest.raises(FileDamaged):
        store.read(stored.path, stored.digest)


@pytest.mark.parametrize("limit", [0, 100, 4_000])
def test_a_full_disk_leaves_nothing_behind_and_the_next_try_succeeds(tmp_path: Path, limit: int) -> None:
    store = ReleaseStore(tmp_path)
    large = pa.table({"n": pa.array(range(50_000))})
    with file_size_limit(limit), pytest.raises(StorageFull) as raised:
        store.put_release(large, TOKEN)
    assert raised.value.code == "storage_full"
    assert files(tmp_path) == []
    stored = store.put_release(large, TOKEN)
    assert store.read(stored.path, stored.digest).num_rows == 50_000


def test_a_directory_that_is_gone_is_a_typed_error(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path)
    (tmp_path / "cells").rmdir()
    with pytest.raises(StorageError, match="ENOENT"):
        store.put_cells(TABLE)


DIE_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
import pyarrow as pa
from federation.release import files
real = os.fsync
def die(descriptor):
    os.kill(os.getpid(), signal.SIGKILL)
files.os.fsync = die
files.ReleaseStore(Path(sys.argv[1])).put_cells(pa.table({"n": [1, 2, 3]}))
"""


def test_what_a_killed_writer_leaves_is_swept_and_named_files_stay(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path)
    named = store.put_release(TABLE, TOKEN)
    orphan = store.put_cells(TABLE)
    killed = subprocess.run(
        [sys.executable, "-c", DIE_WHILE_WRITING, str(tmp_path)], cwd=REPOSITORY, check=False
    )
    assert killed.returncode == -9
    assert len(files(tmp_path)) == 3
    secret = tmp_path / "secrets.json"
    secret.write_text("{}")
    assert store.sweep({named.digest}) == 2
    assert files(tmp_path) == sorted([tmp_path / named.path, secret])
    with pytest.raises(FileDamaged):
        store.read(orphan.path, orphan.digest)
