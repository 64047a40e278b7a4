"""One presentation, then exit. Forked by the template beside it: it imports nothing of this project.

It opens the engine, says that it is ready, reads one job from standard input, gives up what it no longer needs
(files, processes, memory and time beyond the job's limits), answers on standard output and ends. An answer never
holds the text of an error: that could hold a value.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import IO, Any

import duckdb
import pyarrow as pa
import pyarrow.dataset  # the engine would import it at its first Arrow table, in each child anew

READY = b"R"
_SIZE = 8


def _read(source: IO[bytes]) -> bytes:
    return source.read(int.from_bytes(source.read(_SIZE), "big"))


def _write(sink: IO[bytes], *parts: bytes) -> None:
    for part in parts:
        sink.write(len(part).to_bytes(_SIZE, "big") + part)
    sink.flush()


def _limit(which: int, amount: int) -> None:
    """Lower a limit for good; one that is lower already stays."""
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        amount = min(amount, hard)
    resource.setrlimit(which, (amount, amount))


def _mapped() -> int:
    """Bytes of address space in use: the engine's libraries alone map more than a GiB."""
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[0]) * resource.getpagesize()
    except OSError:
        return 2 << 30


def _connect() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:", config={"threads": 1, "temp_directory": ""})
    # What is loaded lazily (Arrow in and out, time zones) is loaded now, while files can still be opened.
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("warm", pa.table({"a": pa.array([1], pa.int64())}))
    connection.execute("CREATE TABLE warmed AS SELECT a, now() AS t FROM warm")
    connection.sql("SELECT sum(a), strftime(max(t), '%Y') FROM warmed").to_arrow_reader(1).read_all()
    connection.execute("DROP TABLE warmed")
    connection.unregister("warm")
    return connection


def _confine(limits: dict[str, Any]) -> None:
    """From here on the process can use what it holds, for as long as it may, and get nothing new."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + 1 + limits["cpu_seconds"]
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    _limit(resource.RLIMIT_AS, _mapped() + limits["memory_bytes"])
    _limit(resource.RLIMIT_NPROC, 0)
    _limit(resource.RLIMIT_NOFILE, 3)
    # Should the parent die, nobody else ends this process: the alarm's default action does.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, limits["deadline_seconds"])


def _run(
    connection: duckdb.DuckDBPyConnection, job: dict[str, Any], tables: list[pa.Table]
) -> tuple[bytes, ...]:
    limits = job["limits"]
    for name, table in zip(job["tables"], tables, strict=True):
        connection.register("arriving", table)
        quoted = '"' + name.replace('"', '""') + '"'
        connection.execute(f"CREATE TABLE {quoted} AS FROM arriving")
        connection.unregister("arriving")
    connection.execute(f"SET memory_limit = '{limits['memory_bytes'] // 2}B'")
    connection.execute("SET python_enable_replacements = false")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    relation = connection.sql(job["sql"])
    if relation is None:  # no SELECT
        return (_header("engine"),)
    reader = relation.to_arrow_reader(8192)
    batches, rows, size = [], 0, 0
    for batch in reader:
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows > limits["max_rows"] or size > limits["max_bytes"]:
            return (_header("too_large"),)
        batches.append(batch)
    table = pa.Table.from_batches(batches, reader.schema)
    counts = [row[0] for sql in job["notes"] for row in connection.execute(sql).fetchall()]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return _header("done", counts=counts), sink.getvalue().to_pybytes()


def _header(outcome: str, **more: object) -> bytes:
    return json.dumps({"outcome": outcome, **more}).encode()


def main() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    connection = _connect()
    sys.stdout.buffer.write(READY)
    sys.stdout.buffer.flush()
    header = _read(sys.stdin.buffer)
    if not header:
        return
    job = json.loads(header)
    tables = [pa.ipc.open_stream(_read(sys.stdin.buffer)).read_all() for _ in job["tables"]]
    _confine(job["limits"])
    try:
        answer = _run(connection, job, tables)
    except (MemoryError, duckdb.OutOfMemoryException, pa.ArrowMemoryError):
        answer = (_header("memory"),)
    except duckdb.Error as error:
        answer = (_header("engine", engine=type(error).__name__),)
    _write(sys.stdout.buffer, *answer)
    os.close(sys.stdout.fileno())  # the parent need not wait for the memory to be given back
    os._exit(0)
