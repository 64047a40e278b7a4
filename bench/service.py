"""What a node adds: compiling, and giving a released answer again, in process and over HTTP."""

from __future__ import annotations

import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import pyarrow as pa

from bench.questions import Bench
from bench.timing import median_seconds
from federation.api.formats import encode
from federation.api.negotiation import MediaType
from federation.identity.principal import NodeRole, Principal
from federation.service import releases
from federation.service.release_cache import ReleaseRecord
from policies.compiler import compile_query
from tests.support.node import FILES, STANDING_SQL, running, write_node

TYPICAL = """\
SELECT region_res, soc_major, COUNT(*) AS people, AVG(pay) AS mean_pay, MEDIAN(pay) AS median_pay
FROM people
WHERE period = 2025 AND age BETWEEN 16 AND 64 AND status = 'EE'
GROUP BY ALL
ORDER BY people DESC
LIMIT 20"""
BANDS = ("16-19", "20-24", "25-34", "35-49", "50-64", "65+")


def long_query(terms: int = 12) -> str:
    """A query of two hundred lines, as one grows when indicators are collected."""
    parts = ",\n".join(
        f"t{i} AS (\n SELECT\n  lad_res,\n  sex,\n  COUNT(*) AS n,\n  AVG(pay) AS mean_pay,\n"
        "  MEDIAN(pay) AS median_pay\n FROM people\n WHERE period = 2025\n"
        f"  AND age_band = '{BANDS[i % len(BANDS)]}'\n GROUP BY\n  lad_res,\n  sex\n)"
        for i in range(terms)
    )
    shares = ",\n".join(f" t{i}.n * 100.0 / NULLIF(t0.n, 0) AS share_{i}" for i in range(1, terms))
    joins = "\n".join(
        f"JOIN t{i}\n ON t{i}.lad_res = t0.lad_res\n AND t{i}.sex = t0.sex" for i in range(1, terms)
    )
    return f"WITH {parts}\nSELECT\n t0.lad_res,\n t0.sex,\n{shares}\nFROM t0\n{joins}"


def compile_seconds(bench: Bench, sql: str, repeat: int) -> float:
    context = bench.context(bench.catalogue)
    return median_seconds(lambda: compile_query(sql, context), repeat)


@dataclass(frozen=True)
class Fetches:
    """Seconds for a released answer in process (median), and answers a second over HTTP by four readers at once."""

    in_process: float
    per_second: float


def fetch_again(repeat: int, seconds: float) -> Fetches:
    # The default bound on one caller's requests is what this figure would show otherwise.
    unbounded = FILES["node.yaml"].replace("limits: {", "limits: {requests_per_minute: 10000000, ")
    with (
        tempfile.TemporaryDirectory() as folder,
        running(write_node(Path(folder), {"node.yaml": unbounded})) as node,
    ):
        session = node.session("pat")
        request = session.request(STANDING_SQL, purpose="skills planning", agreement="planning")
        release = request.wait(progress=False).fetch().release
        reader = Principal("pat", "Pat Planner", "greater_ay", frozenset({NodeRole.PLANNER}))

        def fetch() -> bytes:
            record = releases.find(node.node, reader, release)
            return releases.content(node.node, reader, record, MediaType.JSON, _json)

        return Fetches(median_seconds(fetch, repeat), _throughput(node.http("pat"), release, seconds))


def _json(table: pa.Table, record: ReleaseRecord) -> bytes:
    said = releases.about(record)
    beside = {"release": said.release, "source": said.source, "notes": said.notes}
    return encode(table, record.statement, beside, MediaType.JSON)


def _throughput(client: httpx.Client, release: str, seconds: float) -> float:
    """Bounded in time: four readers fetch one release over loopback."""
    until = time.monotonic() + seconds
    counts = [0] * 4

    def read(number: int) -> None:
        while time.monotonic() < until:
            client.get(f"/v1/releases/{release}").raise_for_status()
            counts[number] += 1

    threads = [threading.Thread(target=read, args=(number,)) for number in range(len(counts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds
