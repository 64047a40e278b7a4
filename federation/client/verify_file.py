"""Verification of an answer that was saved to a file. Nothing of a file is decoded before its statement is known to be
the node's: whoever makes a file up has its first bytes read, and no more."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from federation.client.verify import (
    METADATA_KEY,
    VerificationError,
    VerificationFault,
    VerifiedStatement,
    table_of_csv,
    verify_statement,
)


class FileKind(StrEnum):
    """The formats of an answer that can be held against its statement; JSON does not keep every digit."""

    ARROW = "arrow"
    CSV = "csv"
    PARQUET = "parquet"


class FileUnreadable(Exception):
    """The file is damaged, or not of the format that it is said to be."""


def kind_of(content: bytes) -> FileKind:
    """The format by the first bytes; what is of no other is taken for CSV.

    >>> kind_of(b"PAR1..."), kind_of(b"area,people")
    (<FileKind.PARQUET: 'parquet'>, <FileKind.CSV: 'csv'>)
    """
    if content.startswith(b"PAR1"):
        return FileKind.PARQUET
    return FileKind.ARROW if content.startswith(b"\xff\xff\xff\xff") else FileKind.CSV


def verify_file(
    content: bytes, kind: FileKind, statement: str | None, public_jwks: Mapping[str, Any]
) -> VerifiedStatement:
    """Check that a file is the table that the node signed.

    Args:
        statement: the statement that came beside the file; None: it is in the file, as Arrow and Parquet have it.
        public_jwks: the node's public keys, a JWK Set (RFC 7517).

    Raises:
        VerificationError: with the fault; nothing in the file may be relied on then.
        FileUnreadable: it cannot be read as a file of this kind.
    """
    try:
        token = _embedded(content, kind) if statement is None else statement
        signed = verify_statement(token, public_jwks).payload["table"]
        return verify_statement(token, public_jwks, _table(content, kind, signed))
    except (pa.ArrowException, OSError):
        raise FileUnreadable(str(kind)) from None


def _embedded(content: bytes, kind: FileKind) -> str:
    metadata = None if kind is FileKind.CSV else _schema(content, kind).metadata
    token: bytes | None = (metadata or {}).get(METADATA_KEY)
    if token is None:
        raise VerificationError(VerificationFault.MISSING)
    return token.decode("ascii", errors="replace")


def _schema(content: bytes, kind: FileKind) -> pa.Schema:
    if kind is FileKind.PARQUET:
        return pq.read_schema(pa.BufferReader(content))
    with pa.ipc.open_stream(content) as reader:
        return reader.schema


def _table(content: bytes, kind: FileKind, signed: Mapping[str, Any]) -> pa.Table:
    match kind:
        case FileKind.CSV:
            return table_of_csv(content, signed["columns"])
        case FileKind.PARQUET:
            file = pq.ParquetFile(pa.BufferReader(content))
            if file.metadata.num_rows != signed["rows"]:
                raise VerificationError(VerificationFault.TABLE_DIFFERS)
            return file.read()
        case FileKind.ARROW:
            with pa.ipc.open_stream(content) as reader:
                return reader.read_all()
