"""Compiles queries in processes of their own: a hostile query can cost a worker, never the node.

A thread that runs away cannot be stopped and holds up every other; a process can be ended at its deadline.
"""

from __future__ import annotations

import copyreg
import logging
import multiprocessing
import pickle
import queue
import resource
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import MappingProxyType
from typing import Any

from catalogue.catalogue import Catalogue
from policies.compiler import coarser_question, compile_query
from policies.context import Context, ParameterDomain
from policies.plan import ClearedPlan
from policies.refusals import Refusal, RefusalError


# Read-only views of mappings, of which the catalogue is made, have no pickled form of their own.
def _read_only(items: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(items)


copyreg.pickle(MappingProxyType, lambda view: (_read_only, (dict(view),)))


@dataclass(frozen=True)
class Question:
    """A query and all that decides what becomes of it, beside the catalogue. ``agreement`` is its name."""

    sql: str
    body: str
    agreement: str | None
    purpose: str
    today: date
    parameters: Mapping[str, str | int | Decimal] = field(default_factory=dict)
    domains: Mapping[str, ParameterDomain] = field(default_factory=dict)
    stage_values: tuple[Decimal | None, ...] = ()

    def context(self, catalogue: Catalogue) -> Context:
        agreement = None if self.agreement is None else catalogue.agreements.get(self.agreement)
        return Context(
            catalogue=catalogue,
            body=self.body,
            agreement=agreement,
            purpose=self.purpose,
            today=self.today,
            parameters=self.parameters,
            domains=self.domains,
            stage_values=self.stage_values,
        )


class Wish(StrEnum):
    """What is wanted of the compiler."""

    PLAN = "plan"
    COARSER = "coarser"


@dataclass(frozen=True)
class Suggestion:
    """A coarser question that the compiler accepts, where it knows one."""

    sql: str | None


WORKER_BYTES = 6 << 30
"""Address space of a worker: the engine's libraries map more than one GiB of it."""

PLACES_PER_WORKER = 8
"""Questions that are compiled or wait for it, per worker: those who come later are told to come back, so that a
crowd of slow questions does not take every thread of the node."""


REMEMBERED_PLANS = 64
"""Plans that are kept: one question is compiled when it is checked, asked, run, and in each round with other nodes."""


class CompilerTimeout(Exception):
    """The query took longer to compile than the node allows; its process was ended."""


class CompilerBusy(Exception):
    """Every worker is taken: try again shortly."""


class CompilerFault(Exception):
    """The compiler failed in a way that is no refusal. ``kind`` is the class of the error, without its text."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class CompilerPool:
    """``workers`` processes that hold the catalogue and compile one query at a time each.

    Args:
        deadline_seconds: the time that one query may take; also how long a query waits for a free worker.
    """

    def __init__(self, catalogue: Catalogue, workers: int, deadline_seconds: float) -> None:
        self._catalogue = pickle.dumps(catalogue)
        self._deadline = deadline_seconds
        self._idle: queue.LifoQueue[_Worker] = queue.LifoQueue()
        self._lock = threading.Lock()
        self._all: set[_Worker] = set()
        self._closed = False
        self._places = threading.BoundedSemaphore(workers * PLACES_PER_WORKER)
        self._plan = lru_cache(maxsize=REMEMBERED_PLANS)(self._compiled)
        for _ in range(workers):
            self._start()

    def _start(self) -> None:
        with self._lock:
            if self._closed:
                return
            worker = _Worker(self._catalogue)
            self._all.add(worker)
        self._idle.put(worker)

    def compile(self, question: Question) -> ClearedPlan:
        """The cleared plan of ``question``.

        Raises:
            RefusalError: the query is refused; all reasons that were found.
            CompilerTimeout: it took too long.
            CompilerBusy: no worker became free in time, or too many questions wait already.
            CompilerFault: the compiler failed.
        """
        # The catalogue is that of the node's whole life, so the same question has the same plan.
        return self._plan(pickle.dumps(question))

    def _compiled(self, question: bytes) -> ClearedPlan:
        answer = self._ask(Wish.PLAN, pickle.loads(question))
        if isinstance(answer, ClearedPlan):
            return answer
        assert isinstance(answer, tuple)
        raise RefusalError(*answer)

    def coarser(self, question: Question) -> str | None:
        """A coarser question that would be accepted, from metadata alone; None where the compiler knows none.

        Raises:
            CompilerTimeout, CompilerBusy, CompilerFault: as for ``compile``.
        """
        answer = self._ask(Wish.COARSER, question)
        assert isinstance(answer, Suggestion)
        return answer.sql

    def _ask(self, wish: Wish, question: Question) -> ClearedPlan | Suggestion | tuple[Refusal, ...]:
        if not self._places.acquire(blocking=False):
            raise CompilerBusy
        try:
            return self._ask_worker(wish, question)
        finally:
            self._places.release()

    def _ask_worker(self, wish: Wish, question: Question) -> ClearedPlan | Suggestion | tuple[Refusal, ...]:
        try:
            worker = self._idle.get(timeout=self._deadline)
        except queue.Empty:
            raise CompilerBusy from None
        try:
            answer = worker.ask(wish, question, self._deadline)
        except (CompilerTimeout, CompilerFault):
            self._replace(worker)
            raise
        self._idle.put(worker)
        if isinstance(answer, str):
            raise CompilerFault(answer)
        return answer

    def _replace(self, worker: _Worker) -> None:
        worker.end()
        with self._lock:
            self._all.discard(worker)
        self._start()

    def close(self) -> None:
        """End every worker."""
        with self._lock:
            self._closed = True
            workers, self._all = self._all, set()
        for worker in workers:
            worker.end()


Answer = ClearedPlan | Suggestion | tuple[Refusal, ...] | str
"""A string is the class of an unforeseen error."""


# Workers fork from a process that has done the imports and holds nothing else, so one that was ended is soon replaced.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload([__name__])


class _Worker:
    """One process and the pipe to it. Started at once; ready when its imports are done."""

    START_SECONDS = 30.0

    def __init__(self, catalogue: bytes) -> None:
        self._pipe, theirs = _PROCESSES.Pipe()
        self._process: BaseProcess = _PROCESSES.Process(target=_serve, args=(theirs, catalogue), daemon=True)
        self._process.start()
        theirs.close()
        self._ready = False

    def ask(self, wish: Wish, question: Question, deadline: float) -> Answer:
        try:
            if not self._ready:
                if not self._pipe.poll(self.START_SECONDS):
                    raise CompilerTimeout
                self._ready = self._pipe.recv() == "ready"
            self._pipe.send((wish, question))
            if not self._pipe.poll(deadline):
                raise CompilerTimeout
            answer: Answer = self._pipe.recv()
        except (EOFError, OSError):
            raise CompilerFault("worker ended") from None
        return answer

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()


def _serve(pipe: Connection, catalogue: bytes) -> None:
    """The worker's loop. It reads nothing but questions of its own node, and ends with the pipe."""
    loaded: Catalogue = pickle.loads(catalogue)  # the parent pickled it
    # The parser's warnings quote the question; what is wrong with it goes to the one who asked, as a refusal.
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
    # Expressions of a user are evaluated on code lists here: one that grows without bound ends this process alone.
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    bound = WORKER_BYTES if hard == resource.RLIM_INFINITY else min(WORKER_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
    pipe.send("ready")
    while True:
        try:
            job: tuple[Wish, Question] = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        pipe.send(_answer(*job, loaded))


def _answer(wish: Wish, question: Question, catalogue: Catalogue) -> Answer:
    try:
        context = question.context(catalogue)
        if wish is Wish.COARSER:
            return Suggestion(coarser_question(question.sql, context))
        return compile_query(question.sql, context)
    except RefusalError as error:
        return error.refusals
    except Exception as error:  # noqa: BLE001  # whatever fails here must not end the worker or show its text
        return type(error).__name__
