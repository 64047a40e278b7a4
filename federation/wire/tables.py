"""Tables in messages: Arrow IPC, compressed with Zstandard, as base64 in the JSON body."""

from __future__ import annotations

import base64

import pyarrow as pa

LARGEST_BYTES = 1 << 28
"""What a table may take when it is unpacked."""


class TableError(ValueError):
    """A text of a message is not a table, or is one that is too large."""

    code = "message_table_unreadable"


def encode_table(table: pa.Table) -> str:
    """The table as text, for a message."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as packed, pa.ipc.new_stream(packed, table.schema) as stream:
        stream.write_table(table)
    return base64.b64encode(sink.getvalue()).decode()


def decode_table(text: object) -> pa.Table:
    """The table in a text of a message.

    Raises:
        TableError: it is none, or takes more than ``LARGEST_BYTES`` unpacked.

    >>> decode_table(encode_table(pa.table({"n": [1, None]}))).to_pydict()
    {'n': [1, None]}
    """
    if not isinstance(text, str):
        raise TableError("a table of a message is a text")
    try:
        content = _unpacked(base64.b64decode(text, validate=True))
        with pa.ipc.open_stream(content) as reader:
            table: pa.Table = reader.read_all()
        table.validate(full=True)
    except TableError:
        raise
    except (ValueError, pa.ArrowException, OSError, MemoryError):
        raise TableError("this is no table") from None
    return table


def _unpacked(packed: bytes) -> bytes:
    """What was packed, as far as it is not more than may be: a few bytes can stand for very many."""
    with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
        content: bytes = stream.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise TableError(f"a table of a message has at most {LARGEST_BYTES} bytes")
    return content
