"""The compiler pool: plans and refusals come through, and what goes wrong costs a worker, not the node."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import MappingProxyType

import pytest

from catalogue.loader import load_catalogue
from federation.service.compiling import (
    PLACES_PER_WORKER,
    CompilerBusy,
    CompilerFault,
    CompilerPool,
    CompilerTimeout,
    Question,
)
from policies.compiler import compile_query
from policies.refusals import Code, RefusalError
from tests.support.node import PURPOSE, STANDING_SQL, write_node

QUESTION = Question(STANDING_SQL, "greater_ay", "planning", PURPOSE, date(2026, 1, 5))


def limited(rows: int) -> Question:
    """A question like no other of these tests, so that it has to be compiled."""
    return replace(QUESTION, sql=f"{STANDING_SQL} LIMIT {rows}")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_node(tmp_path_factory.mktemp("node"))


@pytest.fixture(scope="module")
def pool(directory: Path) -> Iterator[CompilerPool]:
    found = CompilerPool(load_catalogue(directory), workers=1, deadline_seconds=20)
    yield found
    found.close()


def test_the_plan_is_the_one_that_compiling_here_gives(pool: CompilerPool, directory: Path) -> None:
    here = compile_query(QUESTION.sql, QUESTION.context(load_catalogue(directory)))
    assert pool.compile(QUESTION) == here


def test_a_refusal_arrives_whole(pool: CompilerPool) -> None:
    with pytest.raises(RefusalError) as caught:
        pool.compile(replace(QUESTION, sql="SELECT regoin FROM people"))
    (refusal,) = caught.value.refusals
    assert refusal.code is Code.UNKNOWN_COLUMN
    assert refusal.position is not None


def test_an_unknown_agreement_is_for_the_compiler_to_refuse(pool: CompilerPool) -> None:
    with pytest.raises(RefusalError) as caught:
        pool.compile(replace(QUESTION, agreement="none"))
    assert caught.value.refusals[0].code is Code.NO_AGREEMENT


def test_a_query_that_takes_too_long_costs_its_worker_only(pool: CompilerPool) -> None:
    pool.compile(QUESTION)
    (before,) = pool._all
    pool._deadline = 0.0001
    try:
        with pytest.raises(CompilerTimeout):
            pool.compile(limited(1))
    finally:
        pool._deadline = 20
    assert not before._process.is_alive()
    assert pool.compile(limited(1)).digest


def test_a_worker_that_dies_is_replaced(pool: CompilerPool) -> None:
    (worker,) = pool._all
    pool.compile(QUESTION)
    os.kill(worker._process.pid or 0, signal.SIGKILL)
    with pytest.raises(CompilerFault):
        pool.compile(limited(2))
    assert pool.compile(limited(2)).digest


def test_what_was_compiled_is_remembered_and_what_failed_is_not(pool: CompilerPool) -> None:
    plan = pool.compile(QUESTION)
    assert pool.compile(replace(QUESTION)) is plan
    assert pool.compile(replace(QUESTION, today=date(2026, 1, 6))) is not plan


def test_a_crowd_is_told_to_come_back(directory: Path) -> None:
    pool = CompilerPool(load_catalogue(directory), workers=1, deadline_seconds=20)
    outcomes: list[str] = []

    def ask(number: int) -> None:
        try:
            pool.compile(limited(number))
            outcomes.append("compiled")
        except CompilerBusy:
            outcomes.append("busy")

    threads = [threading.Thread(target=ask, args=[n]) for n in range(PLACES_PER_WORKER + 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pool.close()
    assert sorted(outcomes) == ["busy"] * 3 + ["compiled"] * PLACES_PER_WORKER


def test_read_only_mappings_can_be_sent() -> None:
    view = MappingProxyType({"a": 1})
    assert pickle.loads(pickle.dumps(view)) == view
