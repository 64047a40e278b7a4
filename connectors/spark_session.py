"""One Spark Connect session for one piece of work: pinned, watched, and released whatever happens.

A session has its temporary views, settings and operations to itself, and Spark drops them with it, so that nothing
is left in the cluster. What could change a digit is set here and not left to the cluster's own defaults.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

import grpc
import pyarrow as pa
from pyspark.errors import AnalysisException, ParseException, PySparkException
from pyspark.errors.exceptions.connect import SparkConnectGrpcException
from pyspark.sql.connect.client import DefaultChannelBuilder
from pyspark.sql.connect.client.retries import DefaultPolicy
from pyspark.sql.connect.dataframe import DataFrame
from pyspark.sql.connect.plan import SQL
from pyspark.sql.connect.session import SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from catalogue.fragment import SourceError, SourceFault
from connectors.protocol import CancelSignal

POLL_SECONDS = 0.05
GRACE_SECONDS = 3.0
"""How long the server has to obey an interrupt before the connection is cut."""

RELEASE_SECONDS = 5.0
FAILURES = (
    PySparkException,
    grpc.RpcError,
    pa.ArrowException,
    OSError,
    MemoryError,
    RuntimeError,
    ValueError,
)
T = TypeVar("T")

PINNED = {
    "spark.sql.ansi.enabled": "false",  # nothing raises because of a row
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.caseSensitive": "false",
    "spark.sql.decimalOperations.allowPrecisionLoss": "true",
    "spark.sql.groupByAliases": "false",
    "spark.sql.groupByOrdinal": "false",
    "spark.sql.orderByOrdinal": "false",
    "spark.sql.legacy.parser.havingWithoutGroupByAsWhere": "false",
    "spark.sql.parser.escapedStringLiterals": "false",
    "spark.sql.parser.quotedRegexColumnNames": "false",
    "spark.sql.variable.substitute": "false",  # a code may hold ${…}
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",  # codes keep their zeros
    "spark.sql.files.ignoreCorruptFiles": "false",
    "spark.sql.files.ignoreMissingFiles": "false",
    "spark.sql.parquet.mergeSchema": "false",
    "spark.sql.parquet.binaryAsString": "false",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
    "spark.sql.adaptive.enabled": "true",
}

logging.getLogger("pyspark.sql.connect.logging").disabled = True  # it would write the engine's own words


class _Builder(DefaultChannelBuilder):  # type: ignore[misc]  # of an untyped import
    """Keeps the channel, so that it can be cut."""

    def toChannel(self) -> grpc.Channel:  # noqa: N802 - Spark's name
        self.channel = super().toChannel()
        return self.channel


def fault_of(error: Exception) -> SourceFault:
    """What kind of failure an engine's exception is; its text is never passed on."""
    text = str(error)
    condition = (error.getCondition() or "") if isinstance(error, PySparkException) else ""
    if isinstance(error, MemoryError) or any(sign in text for sign in EXHAUSTED):
        return SourceFault.RESOURCES
    if any(sign in text for sign in FORBIDDEN):
        return SourceFault.DENIED
    if condition.startswith(("INVALID_HANDLE", "NO_ACTIVE_SESSION")):
        return SourceFault.UNREACHABLE  # the server was started anew
    if condition.startswith(("TABLE_OR_VIEW_NOT_FOUND", "PATH_NOT_FOUND", "SCHEMA_NOT_FOUND")):
        return SourceFault.MISSING
    if isinstance(error, SparkConnectGrpcException | grpc.RpcError) and not condition:
        return SourceFault.UNREACHABLE
    if isinstance(error, AnalysisException | ParseException) or any(sign in text for sign in OTHER_SCHEMA):
        return SourceFault.SCHEMA
    return SourceFault.FAILED


EXHAUSTED = (
    "OutOfMemoryError", "UNABLE_TO_ACQUIRE_MEMORY", "UNABLE_TO_SPILL", "No space left on device",
    "spark.driver.maxResultSize", "GC overhead", "exit code 52", "exited with code 52",
)  # fmt: skip
FORBIDDEN = (
    "AccessControlException", "AccessDeniedException", "Permission denied", "INSUFFICIENT_PERMISSIONS",
    "PERMISSION_DENIED",
)  # fmt: skip
OTHER_SCHEMA = ("PARQUET_COLUMN_DATA_TYPE_MISMATCH", "CANNOT_MERGE_SCHEMAS", "UNABLE_TO_INFER_SCHEMA")


class Session:
    """A session, watched: its operations are interrupted when it is cancelled or late, and if the server does
    not obey, the connection is cut."""

    def __init__(self, url: str, settings: Mapping[str, str], deadline: float, cancel: CancelSignal) -> None:
        self._deadline = deadline
        self._cancel = cancel
        self._closed = threading.Event()
        self._builder = _Builder(url)
        self.spark = SparkSession(self._builder, userId="federation")
        client = self.spark.client
        atexit.unregister(client._on_exit)  # it would keep every session's client until the process ends
        client.set_retry_policies([DefaultPolicy(max_retries=2, initial_backoff=200, max_backoff=1000)])
        self._settings = {**settings, **PINNED}
        self._watchdog = threading.Thread(target=self._watch, name="source-watchdog", daemon=True)
        self._watchdog.start()

    def pin(self) -> None:
        """Set what digits hang on; a cluster that lets it not be set is refused by the engine's own error."""
        self.spark.conf._set_all(self._settings, silent=False)  # in one message

    def stopped(self) -> SourceFault | None:
        if self._cancel.is_set():
            return SourceFault.CANCELLED
        return SourceFault.TIMEOUT if time.monotonic() >= self._deadline else None

    def _watch(self) -> None:
        while not self._closed.wait(POLL_SECONDS):
            if self.stopped() is None:
                continue
            cut = time.monotonic() + GRACE_SECONDS
            while not self._closed.wait(POLL_SECONDS):  # again at every poll: one between operations is lost
                if _within(self.spark.interruptAll, cut - time.monotonic()) is None:
                    self._builder.channel.close()
                    return

    def check(self) -> None:
        fault = self.stopped()
        if fault is not None:
            raise SourceError(fault, "stopped before it was done")

    def fetch(self, asked: str | DataFrame) -> pa.Table:
        """What a statement or frame gives, in one message: ``sql().toArrow()`` has it planned three times over."""
        self.check()
        plan, client = SQL(asked) if isinstance(asked, str) else asked._plan, self.spark.client
        table: pa.Table = client.to_table(plan.to_proto(client), {})[0]
        return table

    def give(self, name: str, rows: pa.Table) -> None:
        """Make a small table a view of the session; its types are told, since an empty one shows none."""
        frame = self.spark.createDataFrame(rows, from_arrow_schema(rows.schema))
        frame.createOrReplaceTempView(name)

    def close(self) -> None:
        """Let the server forget the session, if it is there to be told."""
        self._closed.set()
        self._watchdog.join()
        _within(self.spark.client.release_session, RELEASE_SECONDS)
        self._builder.channel.close()


def _within(work: Callable[[], T], seconds: float) -> T | bool | None:
    """Do something that a silent server could hold up; None if it takes longer, True where it fails."""
    found: list[T | bool] = []

    def attempt() -> None:
        try:
            found.append(work() or True)
        except FAILURES:
            found.append(True)

    thread = threading.Thread(target=attempt, name="source-call", daemon=True)
    thread.start()
    thread.join(max(0.0, seconds))
    return found[0] if found else None
