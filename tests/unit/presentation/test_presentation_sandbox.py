"""The child process above the line: it computes, it is contained, and its errors say nothing of the data."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from federation.sandbox.model import Fault, Limits, PresentationError, PresentedNote
from federation.sandbox.pool import Sandbox
from policies.cells import Status
from policies.presentation.model import NoteQuery, OutputColumn, Presentation

CELLS = pa.table(
    {
        "k0": ["Leeds", "York"],
        "a0": pa.array([120, None], pa.int64()),
        "s0": pa.array([0, Status.CONFIDENTIAL], pa.int8()),
    }
)
TIGHT = Limits(deadline_seconds=3, cpu_seconds=2, memory_bytes=1 << 30, max_rows=1000, max_bytes=1 << 20)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(size=2) as sandbox:
        yield sandbox


def presentation(sql: str, *notes: NoteQuery) -> Presentation:
    return Presentation(sql, (OutputColumn("a", "s"),), notes)


def fault(sandbox: Sandbox, sql: str) -> PresentationError:
    with pytest.raises(PresentationError) as raised:
        sandbox.run_presentation(presentation(sql), {"cells_0": CELLS}, TIGHT)
    return raised.value


def test_values_statuses_and_notes_come_back(sandbox: Sandbox) -> None:
    notes = (
        NoteQuery("filter", "rows were compared", "SELECT count(*) FROM cells_0 WHERE s0 >= 3"),
        NoteQuery("limit", "rows were cut", "SELECT 0"),
    )
    presented = sandbox.run_presentation(
        presentation("SELECT a0 AS a, s0 AS s FROM cells_0 ORDER BY k0", *notes), {"cells_0": CELLS}
    )
    assert presented.table.to_pydict() == {"a": [120, None], "s": [0, Status.CONFIDENTIAL]}
    assert presented.notes == (PresentedNote("filter", "rows were compared", 1),)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) AS a, 0 AS s FROM range(100000000) x, range(1000000) y",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT max(n) AS a, 0 AS s FROM r",
        "SELECT sum(sin(x.range)) AS a, 0 AS s FROM range(100000) x, range(1000000) y",
    ],
)
def test_endless_work_ends_at_the_deadline(sandbox: Sandbox, sql: str) -> None:
    started = time.monotonic()
    assert fault(sandbox, sql).fault is Fault.TIMEOUT
    assert time.monotonic() - started < TIGHT.deadline_seconds + 5


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT repeat('x', 4000000000) AS a, 0 AS s",
        "SELECT len(range(400000000)) AS a, 0 AS s",
        "SELECT string_agg(repeat('x', 1000), '') AS a, 0 AS s FROM range(100000000)",
        "SELECT list(i) AS a, 0 AS s FROM range(1000000000) t(i)",
    ],
)
def test_memory_is_bounded(sandbox: Sandbox, sql: str) -> None:
    assert fault(sandbox, sql).fault in {Fault.MEMORY, Fault.TIMEOUT}


@pytest.mark.parametrize(
    "sql",
    ["SELECT i AS a, 0 AS s FROM range(1001) t(i)", "SELECT repeat('x', 2000000) AS a, 0 AS s"],
    ids=["rows", "bytes"],
)
def test_a_result_has_a_largest_size(sandbox: Sandbox, sql: str) -> None:
    assert fault(sandbox, sql).fault is Fault.TOO_LARGE


@pytest.mark.parametrize(
    ("sql", "engine"),
    [
        ("SELECT content AS a, 0 AS s FROM read_text('/etc/passwd')", "PermissionException"),
        ("SELECT * FROM '/etc/passwd'", None),
        ("COPY cells_0 TO '/tmp/cells.csv'", "PermissionException"),
        ("ATTACH '/tmp/other.db'", "PermissionException"),
        ("INSTALL httpfs", "PermissionException"),
        ("LOAD httpfs", "PermissionException"),
        ("SET enable_external_access = true", "InvalidInputException"),
        ("SET memory_limit = '64GB'", "InvalidInputException"),
        ("SELECT getenv('PATH') AS a, 0 AS s", "CatalogException"),
        ("SELECT * FROM tables", "CatalogException"),
        ("SELECT * FROM job", "CatalogException"),
    ],
)
def test_nothing_outside_can_be_reached(sandbox: Sandbox, sql: str, engine: str | None) -> None:
    """Even SQL that the allow-list would never let through finds no file, setting or Python object."""
    error = fault(sandbox, sql)
    assert error.fault is Fault.ENGINE
    assert engine is None or error.engine == engine


@pytest.mark.parametrize(
    "sql", ["SELECT CAST(k0 AS INT) AS a, 0 AS s FROM cells_0", "SELECT error(k0) AS a FROM cells_0"]
)
def test_an_error_holds_no_value(sandbox: Sandbox, sql: str) -> None:
    error = fault(sandbox, sql)
    assert error.fault is Fault.ENGINE
    assert "Leeds" not in str(error)
    assert "York" not in str(error)
    assert error.__cause__ is None


def test_a_result_of_another_shape_is_an_error(sandbox: Sandbox) -> None:
    assert fault(sandbox, "SELECT 1 AS b, 0 AS s").fault is Fault.ENGINE


def test_children_are_used_once_and_see_nothing_of_each_other(sandbox: Sandbox) -> None:
    sandbox.run_presentation(presentation("SELECT a0 AS a, s0 AS s FROM cells_0"), {"cells_0": CELLS})
    with pytest.raises(PresentationError):
        sandbox.run_presentation(presentation("SELECT a0 AS a, s0 AS s FROM cells_0"), {})


def test_a_child_that_died_is_passed_over() -> None:
    with Sandbox(size=2) as sandbox:
        for child in list(sandbox._waiting):
            child.wait_ready()
            os.kill(child.pid, signal.SIGKILL)
            assert child._code_within(10) == -signal.SIGKILL
        presented = sandbox.run_presentation(presentation("SELECT 1 AS a, 0 AS s"), {})
    assert presented.table.to_pydict() == {"a": [1], "s": [0]}


def test_a_template_that_died_takes_its_children_and_is_started_anew() -> None:
    with Sandbox(size=2) as sandbox:
        children = list(sandbox._waiting)
        for child in children:
            assert child.wait_ready()
        first = sandbox._template.pid
        os.kill(first, signal.SIGKILL)
        for child in children:
            assert child._answer is not None
            assert os.read(child._answer, 1) == b""  # nobody holds its other end: the child is gone
        presented = sandbox.run_presentation(presentation("SELECT 1 AS a, 0 AS s"), {})
        assert sandbox._template.pid != first
    assert presented.table.to_pydict() == {"a": [1], "s": [0]}


def test_a_child_holds_its_two_pipes_and_nothing_of_its_siblings(sandbox: Sandbox) -> None:
    child = sandbox._template.child()
    assert child.wait_ready()
    held = {int(path.name): str(path.readlink()) for path in Path(f"/proc/{child.pid}/fd").iterdir()}
    environment = Path(f"/proc/{child.pid}/environ").read_bytes()
    template_threads = list(Path(f"/proc/{sandbox._template.pid}/task").iterdir())
    child.end()
    assert [held[0].split(":")[0], held[1].split(":")[0], held[2]] == ["pipe", "pipe", "/dev/null"]
    assert not [name for name in held.values() if name.startswith("socket:") or "pidfd" in name]
    assert len([name for name in held.values() if name.startswith("pipe:")]) == 2
    assert b"HOME=" not in environment
    assert b"FEDERATION" not in environment
    assert len(template_threads) == 1


def test_many_threads_share_a_sandbox() -> None:
    answers: list[int] = []

    def ask(number: int) -> None:
        table = pa.table({"n": [number] * 200_000})
        presented = sandbox.run_presentation(
            presentation("SELECT max(n) AS a, 0 AS s FROM mine"), {"mine": table}
        )
        answers.append(presented.table.column("a")[0].as_py())

    with Sandbox(size=1) as sandbox:
        threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(answers) == [0, 1, 2, 3]


def test_closing_ends_the_children_that_wait() -> None:
    sandbox = Sandbox(size=2)
    pids = [child.pid for child in sandbox._waiting]
    sandbox.close()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    with pytest.raises(RuntimeError):
        sandbox.run_presentation(presentation("SELECT 1 AS a, 0 AS s"), {})
