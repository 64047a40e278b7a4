"""A released answer in the hands of its reader: a table, its marks, its provenance."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from federation.client.display import as_html, as_text, prepare
from federation.client.transport import Transport
from federation.client.verify import VerifiedStatement, embedded_statement, verify_statement

if TYPE_CHECKING:
    import pandas

ARROW = "application/vnd.apache.arrow.stream"


def fetch_release(transport: Transport, release: str) -> Result:
    """Download a release with its statement, the node's keys and what to say beside it."""
    response = transport.send("GET", f"/v1/releases/{release}", headers={"Accept": ARROW})
    with pa.ipc.open_stream(pa.py_buffer(response.content)) as reader:
        table = reader.read_all()
    about = transport.get(f"/v1/releases/{release}/about")
    return Result(release, table, transport.get("/v1/keys"), about["source"], tuple(about["notes"]))


class Result:
    """The table of a release. Beside each column ``x`` stands ``x__status``: empty, or a mark such as ``[c]``.

    Args:
        table: the release as downloaded, with its statement in the schema metadata.
        keys: the public keys (JWK Set) of the node that it came from.
        source: one line that says what it is about and who published it.
        notes: what a filter, join, rank or limit did by reading hidden values.
    """

    def __init__(
        self, release: str, table: pa.Table, keys: Mapping[str, Any], source: str, notes: tuple[str, ...] = ()
    ) -> None:
        self.release = release
        self.table = table
        self.source = source
        self.notes = notes
        self._keys = keys

    @cached_property
    def statement(self) -> Mapping[str, Any]:
        """Who published it, about whom, when, in what context and with what authority. Verified when read."""
        return self.verify().payload

    def verify(self, keys: Mapping[str, Any] | None = None) -> VerifiedStatement:
        """Check that this very table is what the node signed.

        Args:
            keys: the node's public keys as obtained from elsewhere; else those that the node gave.

        Raises:
            VerificationError: the table or the statement was changed.
        """
        return verify_statement(embedded_statement(self.table), keys or self._keys, self.table)

    def to_arrow(self) -> pa.Table:
        return self.table

    def to_pandas(self) -> pandas.DataFrame:
        """A data frame; hidden values are missing, and the status columns say why. Needs pandas."""
        frame: pandas.DataFrame = self.table.to_pandas()
        return frame

    def __len__(self) -> int:
        rows: int = self.table.num_rows
        return rows

    def __str__(self) -> str:
        return as_text(prepare(self.table), self.notes, self.source)

    def __repr__(self) -> str:
        return f"Result(release={self.release!r}, rows={len(self)})"

    def _repr_html_(self) -> str:
        return as_html(prepare(self.table), self.notes, self.source)
