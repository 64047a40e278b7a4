"""Children started ahead of need, each used once: a run waits for the query, not for an engine to open."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

import pyarrow as pa

from federation.sandbox.model import Fault, Limits, PresentationError, PresentedNote, PresentedTable
from federation.sandbox.process import Child, template
from policies.presentation.model import Presentation

_SIZE = 8
_FRAMING_BYTES = 1 << 20
_ATTEMPTS = 3


class Sandbox:
    """Runs presentations in child processes. Thread-safe; close it, or use it as a context manager.

    ``size`` children wait, forked from one template; a run that finds none starts its own.
    """

    def __init__(self, size: int = 2) -> None:
        self._size = size
        self._template = template()
        self._waiting: deque[Child] = deque()
        self._lock = threading.Lock()
        self._closed = False
        # Ending a child and starting the next take time that no run should wait for.
        self._keeper = ThreadPoolExecutor(1, thread_name_prefix="sandbox")
        self._refill()

    def run_presentation(
        self, presentation: Presentation, tables: Mapping[str, pa.Table], limits: Limits | None = None
    ) -> PresentedTable:
        """The result of ``presentation`` over ``tables`` (protected cells and lookups by relation name).

        Raises PresentationError: out of time or memory, too large, or the engine failed.
        """
        limits = limits or Limits()
        job = _job(presentation, tables, limits)
        child = self._take()
        try:
            answer = child.run(job, limits.deadline_seconds, limits.max_bytes + _FRAMING_BYTES)
        finally:
            self._release(child)
        return _presented(presentation, answer)

    def close(self) -> None:
        """End the children that wait. Runs under way finish."""
        with self._lock:
            self._closed = True
            children = list(self._waiting)
            self._waiting.clear()
        for child in children:
            child.end()
        self._keeper.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self) -> Child:
        """A child that is ready; one that died while it waited is passed over."""
        fresh = 0
        while fresh < _ATTEMPTS:
            with self._lock:
                if self._closed:
                    raise RuntimeError("the sandbox is closed")
                child = self._waiting.popleft() if self._waiting else None
            if child is None:
                child, fresh = self._template.child(), fresh + 1
            if child.wait_ready():
                return child
            child.end()
        raise PresentationError(Fault.ENGINE)

    def _release(self, child: Child) -> None:
        """A child was used: end it and start another, behind the run's back."""
        with self._lock:
            if not self._closed:
                self._keeper.submit(self._replace, child)
                return
        child.end()

    def _replace(self, child: Child) -> None:
        child.end()
        self._refill()

    def _refill(self) -> None:
        with self._lock:
            while not self._closed and len(self._waiting) < self._size:
                self._waiting.append(self._template.child())


def _frame(part: bytes) -> bytes:
    return len(part).to_bytes(_SIZE, "big") + part


def _job(presentation: Presentation, tables: Mapping[str, pa.Table], limits: Limits) -> bytes:
    header = {
        "sql": presentation.sql,
        "notes": [note.sql for note in presentation.notes],
        "tables": list(tables),
        "limits": {name: getattr(limits, name) for name in Limits.__slots__},
    }
    parts = [_frame(json.dumps(header).encode())]
    for table in tables.values():
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        parts.append(_frame(sink.getvalue().to_pybytes()))
    return b"".join(parts)


def _presented(presentation: Presentation, answer: bytes) -> PresentedTable:
    """The child's answer, held against the shape that the presentation promises."""
    try:
        size = int.from_bytes(answer[:_SIZE], "big")
        header = json.loads(answer[_SIZE : _SIZE + size])
        outcome = header["outcome"]
        if outcome != "done":
            faults = {"memory": Fault.MEMORY, "too_large": Fault.TOO_LARGE}
            raise PresentationError(faults.get(outcome, Fault.ENGINE), header.get("engine"))
        table = pa.ipc.open_stream(answer[2 * _SIZE + size :]).read_all()
        counts = [int(count) for count in header["counts"]]
    except (ValueError, KeyError, pa.ArrowException) as error:
        raise PresentationError(Fault.ENGINE) from error
    names = [c.name for c in presentation.columns] + [c.status_name for c in presentation.columns]
    if table.column_names != names or len(counts) != len(presentation.notes):
        raise PresentationError(Fault.ENGINE)
    notes = zip(presentation.notes, counts, strict=True)
    return PresentedTable(table, tuple(PresentedNote(n.kind, n.text, count) for n, count in notes if count))
