"""Four nations and a hub as processes of this machine: what asking over all of them costs, and how right it is."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from examples.four_nations.layout import HUB, NATIONS, make_people, write_nodes
from examples.four_nations.processes import Processes, free_addresses, port_of
from examples.four_nations.relay import Carried, relay, watched
from federation.client import Session, connect

PURPOSE = "Skills planning across the United Kingdom"
MODES = {"protected parts": "people", "masked sums": "people_together"}
SLOWEST = "england"
BANDS = ("16-19", "20-24", "25-34", "35-49", "50-64", "65+")
YEARS = 5
AXES = ("sex", "status", "age")
MINIMUM, BASE = 10, 5
"""What is naive: parts under the first are taken for nothing, others are rounded to the second, and added."""

Key = tuple[object, ...]


@dataclass(frozen=True)
class Cost:
    """Medians in seconds by who was asked, and bytes that crossed from nations to the hub for one question."""

    seconds: Mapping[str, float]
    bytes: Mapping[str, int]


@dataclass(frozen=True)
class Error:
    """Of totals against the truth: cells given, of how many that have anybody, mean and mean absolute error."""

    given: int
    cells: int
    bias: float
    absolute: float


@dataclass(frozen=True)
class Asked:
    """Sessions with the hub and with the slowest node, and the messages carried so far."""

    hub: Session
    slowest: Session
    carried: list[Carried]
    data: Path

    def cost(self, repeat: int) -> Cost:
        """Each question is a new one, for a released answer is given again; who is asked takes turns."""
        times: dict[str, list[float]] = {name: [] for name in (*MODES, SLOWEST)}
        sizes: dict[str, list[int]] = {name: [] for name in MODES}
        for number in range(repeat + 1):
            band, year = BANDS[number // YEARS % len(BANDS)], 2021 + number % YEARS
            for name in times:
                session, dataset = (self.slowest, "people") if name == SLOWEST else (self.hub, MODES[name])
                sql = (
                    f"SELECT sex, status, count(*) FROM {dataset} WHERE period = {year} "
                    f"AND age_band = '{band}' GROUP BY ALL"
                )
                self.carried.clear()
                start = time.perf_counter()
                _answer(session, sql)
                if number:  # the first warms up
                    times[name].append(time.perf_counter() - start)
                if name in MODES:
                    sizes[name].append(sum(each.bytes for each in self.carried if each.issuer in NATIONS))
        return Cost(
            {name: statistics.median(each) for name, each in times.items()},
            {name: round(statistics.median(each)) for name, each in sizes.items()},
        )

    def errors(self) -> Mapping[str, Error]:
        """Totals over all nations, by sex, status and single year of age, with all margins."""
        parts = [_counts(self.data / node / "people.parquet") for node in NATIONS]
        truth = {key: sum(part.get(key, 0) for part in parts) for part in parts for key in part}
        naive = {key: sum(_naive(part.get(key, 0)) for part in parts) for key in truth}
        found = {"suppressed and rounded, then added": {key: n for key, n in naive.items() if n}}
        for name, dataset in MODES.items():
            sql = (
                f"SELECT {', '.join(AXES)}, count(*) AS n FROM {dataset} WHERE period = 2025 "
                f"GROUP BY CUBE ({', '.join(AXES)})"
            )
            table = self.hub.release(_answer(self.hub, sql)).table
            found[name] = {
                tuple(row[axis] for axis in AXES): row["n"]
                for row in table.to_pylist()
                if row["n__status"] == ""
            }
        return {name: _error(figures, truth) for name, figures in found.items()}


@contextmanager
def four_nations(folder: Path, people: int) -> Iterator[Asked]:
    """The nodes, started afresh over ``people`` that are made once."""
    data, nodes, addresses = folder / f"nations-{people}", folder / "nations", free_addresses()
    make_people(data, people)
    shutil.rmtree(nodes, ignore_errors=True)
    write_nodes(nodes, data, addresses)
    carried: list[Carried] = []
    with ExitStack() as stack:
        processes = stack.enter_context(Processes(nodes, addresses))
        for node, url in addresses.called.items():
            stack.enter_context(relay(port_of(url), addresses.ports[node], watched(carried.append)))
        processes.start((*NATIONS, HUB))
        hub, slowest = (
            stack.enter_context(connect(addresses.url(node), person="asha")) for node in (HUB, SLOWEST)
        )
        yield Asked(hub, slowest, carried, data)


def _answer(session: Session, sql: str) -> str:
    request = session.request(sql, purpose=PURPOSE, agreement="four_nations").wait(progress=False)
    session.release(request.release)
    return request.release


def _counts(file: Path) -> dict[Key, int]:
    axes = ", ".join(AXES)
    sql = f"SELECT {axes}, count(*) FROM '{file}' WHERE period = 2025 GROUP BY CUBE ({axes})"
    with duckdb.connect(":memory:") as raw:
        return {row[:-1]: row[-1] for row in raw.sql(sql).fetchall()}


def _naive(count: int) -> int:
    """
    >>> [_naive(count) for count in (0, 9, 12, 13)]
    [0, 0, 10, 15]
    """
    return 0 if count < MINIMUM else BASE * ((count + BASE // 2) // BASE)


def _error(figures: Mapping[Key, int], truth: Mapping[Key, int]) -> Error:
    errors = [figure - truth[key] for key, figure in figures.items() if key in truth]
    return Error(len(errors), len(truth), statistics.mean(errors), statistics.mean(map(abs, errors)))
