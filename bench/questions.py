"""The same question asked of the service and of DuckDB directly, over one file of people."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import duckdb

from bench.timing import Pair, in_turn
from catalogue.catalogue import Catalogue, bind_dataset
from connectors.duckdb import DuckDBConnector
from connectors.protocol import Finding
from connectors.sources import FileSource
from federation.configuration import read_configuration
from federation.holders.local import LocalHolder
from federation.holders.verification import HeldData
from federation.sandbox.model import Limits
from federation.sandbox.pool import Sandbox
from policies.cells import ProtectedCells
from policies.compiler import compile_query
from policies.context import Context
from policies.plan import ClearedPlan
from policies.protect import NoiseKey

ROOT = Path(__file__).resolve().parent.parent
BODY = "greater_manchester"


@dataclass(frozen=True)
class Question:
    """``limit`` is the ratio that is aimed at, None where the figure is printed without an aim."""

    name: str
    sql: str
    limit: float | None = None
    second_units: int | None = None
    holding: str | None = None


QUESTIONS = (
    Question("counts", "SELECT lad_res, sex, COUNT(*) FROM people GROUP BY ALL", 1.75),
    Question("means with p%", "SELECT lad_res, sex, AVG(pay) FROM people GROUP BY ALL", 2.2),
    Question("medians", "SELECT sex, qualification, MEDIAN(pay) FROM people GROUP BY ALL", 1.5),
    Question(
        "three-way cube of counts",
        "SELECT sex, qualification, status, COUNT(*) FROM people GROUP BY CUBE (sex, qualification, status)",
        1.75,
    ),
    Question(
        "counts with three employers",
        "SELECT lad_work, sex, COUNT(*) FROM people WHERE status = 'EE' GROUP BY ALL",
        4,
        second_units=3,
    ),
    Question(
        "means with p% of holdings",
        "SELECT lad_work, sex, AVG(pay) FROM people GROUP BY ALL",
        4,
        holding="employer_id",
    ),
)
OF_ENTITIES = tuple(question for question in QUESTIONS if question.second_units or question.holding)


class Generated:
    """A record of verifications under which all data is sound: the generator made it so."""

    def is_sound(self, held: HeldData) -> bool:  # noqa: ARG002
        return True

    def keep(self, held: HeldData, findings: tuple[Finding, ...]) -> None:
        """Never called: nothing is verified."""


class Bench:
    """The service's own pieces over ``data``, and a plain DuckDB of the same number of threads beside them."""

    def __init__(self, data: Path) -> None:
        self.catalogue = read_configuration(ROOT / "examples" / "labour_market").catalogue
        self.connector = DuckDBConnector(FileSource(data), memory_limit="8GB")
        self.sandbox = Sandbox()
        self.raw = duckdb.connect(":memory:", config={"memory_limit": "8GB"})
        self.raw.execute(f"CREATE VIEW people AS SELECT * FROM read_parquet('{data / 'people.parquet'}')")

    def close(self) -> None:
        self.sandbox.close()
        self.connector.close()
        self.raw.close()

    def run(self, questions: Iterable[Question], repeat: int) -> Iterator[tuple[Question, Pair]]:
        for question in questions:
            yield question, self.compare(question, repeat)

    def compare(self, question: Question, repeat: int) -> Pair:
        catalogue = self._catalogue(question)
        holder = LocalHolder(
            {"duckdb": self.connector}, catalogue, NoiseKey(bytes(range(32)), 1), Generated()
        )
        context = self.context(catalogue)
        return in_turn(
            lambda: self.answer(question.sql, context, holder),
            lambda: self.raw.sql(question.sql).to_arrow_table(),
            repeat,
        )

    def context(self, catalogue: Catalogue) -> Context:
        """Everything in full: what an agreement hides would make the protected side's work less."""
        agreement = catalogue.agreements["local_labour_market"].model_copy(update={"jurisdiction": None})
        return Context(catalogue, BODY, agreement, agreement.purposes[0], date(2026, 3, 31))

    def compiled(self, sql: str, catalogue: Catalogue) -> ClearedPlan:
        return compile_query(sql, self.context(catalogue))

    def answer(self, sql: str, context: Context, holder: LocalHolder) -> object:
        """Compiled, asked of the source, protected and presented, as in a run."""
        plan = compile_query(sql, context)
        deadline, cancel = time.monotonic() + 600, threading.Event()
        cells = [holder.answer(query, deadline=deadline, cancel=cancel) for query in plan.queries]
        tables = {each.relation: each.table for each in cells if isinstance(each, ProtectedCells)}
        return self.sandbox.run_presentation(plan.presentation, tables, limits=Limits(deadline_seconds=600))

    def _catalogue(self, question: Question) -> Catalogue:
        people = self.catalogue.datasets["people"].document
        unit = people.unit.model_copy(update={"holding": question.holding})
        changed = bind_dataset(people.model_copy(update={"unit": unit}), self.catalogue.codelists)
        profile = self.catalogue.profiles[people.profile]
        frequency = profile.frequency.model_copy(update={"minimum_second_units": question.second_units})
        return replace(
            self.catalogue,
            datasets={**self.catalogue.datasets, "people": changed},
            profiles={
                **self.catalogue.profiles,
                people.profile: profile.model_copy(update={"frequency": frequency}),
            },
        )
