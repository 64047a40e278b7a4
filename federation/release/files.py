"""Files of releases and of ledger cells: Parquet, addressed by the SHA-256 of their bytes, in place or absent.

A file is written beside its place, forced to disk and renamed; only then may the database name it. What a killed run
leaves behind is unnamed, and ``sweep`` removes it.
"""

from __future__ import annotations

import errno
import hashlib
import io
import math
import os
import secrets
from collections.abc import Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from federation.client.verify import with_statement
from federation.state.private import OWNER_ONLY, sync_directory

KINDS = ("releases", "cells")
PARTIAL = ".partial-"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class StorageError(Exception):
    """A file could not be written or read. Nothing is left of it, and the run may be tried again."""

    code: ClassVar[str] = "storage_failed"


class StorageFull(StorageError):
    """There is no room for the file."""

    code = "storage_full"


class FileDamaged(StorageError):
    """A stored file is missing, or its bytes are not those that its digest names."""

    code = "release_file_damaged"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """``path`` is relative to the store, ``digest`` is ``sha256:`` and the hexadecimal digest of the bytes."""

    path: str
    digest: str
    size: int


class ReleaseStore:
    """A directory with the files of releases (what left the node) and of ledger cells (what never does)."""

    def __init__(self, root: Path) -> None:
        self._root = root
        for kind in KINDS:
            (root / kind).mkdir(mode=0o700, parents=True, exist_ok=True)

    def put_release(self, table: pa.Table, statement: str) -> StoredFile:
        """Store a protected table with its signed statement embedded.

        Raises:
            StorageFull, StorageError: nothing was stored.
        """
        return self._put("releases", with_statement(table, statement))

    def put_cells(self, cells: pa.Table) -> StoredFile:
        """Store the cells of one cell query for the custodian's ledger.

        Raises:
            StorageFull, StorageError: nothing was stored.
        """
        return self._put("cells", cells)

    def read(self, path: str, digest: str) -> pa.Table:
        """The table of a stored file, once its bytes are seen to be those that were stored.

        Raises:
            FileDamaged: they are not, or there is no such file.
        """
        try:
            content = (self._root / path).read_bytes()
        except OSError:
            raise FileDamaged(f"the file {path} cannot be read") from None
        if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
            raise FileDamaged(f"the file {path} is not what was stored")
        return pq.read_table(pa.BufferReader(content))

    def sweep(self, keep: Set[str], older_than: float = math.inf) -> int:
        """Remove unfinished files and those whose digest is not in ``keep``; returns how many.

        Only while no run is going: at the start of the node that holds the lock. Where other servers may be at
        work on the same files, those alone that were last changed before ``older_than`` (seconds of the epoch).
        """
        gone = 0
        for kind in KINDS:
            for file in (self._root / kind).rglob("*"):
                unnamed = file.name.startswith(PARTIAL) or f"sha256:{file.stem}" not in keep
                with suppress(FileNotFoundError):  # another server was there first
                    if file.is_file() and unnamed and file.stat().st_mtime < older_than:
                        file.unlink()
                        gone += 1
        return gone

    def _put(self, kind: str, table: pa.Table) -> StoredFile:
        partial = self._root / kind / f"{PARTIAL}{secrets.token_hex(8)}"
        try:
            try:
                digest, size = _write(partial, table)
                folder = self._root / kind / digest[:2]
                folder.mkdir(mode=0o700, exist_ok=True)
                target = folder / f"{digest}.parquet"
                partial.replace(target)
                sync_directory(folder)
                sync_directory(folder.parent)
            finally:
                partial.unlink(missing_ok=True)
        except OSError as error:
            if error.errno in _FULL:
                raise StorageFull(
                    "there is no room for the release: free some space and run it again"
                ) from None
            raise StorageError(
                f"the release could not be stored ({errno.errorcode.get(error.errno or 0)})"
            ) from None
        return StoredFile(target.relative_to(self._root).as_posix(), f"sha256:{digest}", size)


class _HashingFile(io.RawIOBase):
    """A file that is hashed as it is written, so that it need not be read again."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.digest = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.size

    def write(self, data: bytes | bytearray | memoryview, /) -> int:  # type: ignore[override]
        rest = memoryview(data).cast("B")
        total = len(rest)
        self.digest.update(rest)
        while rest:
            written = os.write(self._descriptor, rest)
            rest = rest[written:]
        self.size += total
        return total


def _write(path: Path, table: pa.Table) -> tuple[str, int]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY)
    try:
        file = _HashingFile(descriptor)
        pq.write_table(table, pa.PythonFile(file, mode="w"), compression="zstd")
        os.fsync(descriptor)
        return file.digest.hexdigest(), file.size
    finally:
        os.close(descriptor)
