"""A small node on disk: three thousand people, vacancies of another custodian, bodies, agreements and persons."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import uvicorn

from federation.api.app import create_app
from federation.client import Session, connect
from federation.composition import build_node
from federation.identity.builtin import DEMO_GRANT
from federation.service.node import Node

SECRET = "a secret of the dashboard, long and random"
PURPOSE = "skills planning"

STANDING_SQL = "SELECT region, count(*) AS people FROM people GROUP BY region ORDER BY region"
"""Covered by the standing rule: it is approved at once."""
CUSTODIAN_SQL = "SELECT region, sex, count(*) AS people FROM people GROUP BY ALL ORDER BY region, sex"
"""Uses a dimension that the standing rule leaves out: a custodian decides."""
BOTH_SQL = (
    "SELECT p.region, p.n, v.n AS vacancies FROM "
    "(SELECT region, count(*) AS n FROM people WHERE sex = 'F' GROUP BY region) p "
    "JOIN (SELECT region, count(*) AS n FROM vacancies GROUP BY region) v USING (region) ORDER BY 1"
)
"""Touches the data of two custodians, neither by a standing rule."""

FILES = {
    "bodies/bodies.yaml": """\
- {body: office, title: Office of example statistics}
- {body: skills_board, title: Skills board}
- {body: greater_ay, title: Greater Ay Combined Authority}
- {body: effshire, title: Effshire Council}
""",
    "profiles/counts.yaml": """\
profile: counts
title: Counts with noise
version: "1"
frequency: {minimum_frequency: 10}
cell_keys: {counts: {maximum_noise: 2, variance: 1.05, smallest_published: 1}}
""",
    "codelists/geography.yaml": """\
codelist: geography
title: Areas
source: Made up
vintage: "2025"
kind: codes
file: geography.csv
levels: [{name: region, title: Region}, {name: area, title: Area}]
""",
    "codelists/geography.csv": "region,region_name,area,area_name\n"
    + "".join(f"{'N' if i < 4 else 'S'},{'North' if i < 4 else 'South'},A{i},Area {i}\n" for i in range(8)),
    "codelists/sex.yaml": """\
codelist: sex
title: Sex
source: Made up
vintage: "2025"
kind: codes
file: sex.csv
levels: [{name: sex, title: Sex}]
""",
    "codelists/sex.csv": "sex,sex_name\nF,Female\nM,Male\n",
    "codelists/age.yaml": """\
codelist: age
title: Age
source: Made up
vintage: "2025"
kind: integers
minimum: 16
maximum: 80
""",
    "datasets/people.yaml": """\
dataset: people
title: People
description: Everybody of working age and a few more.
publisher: office
custodian: office
population: Residents aged 16 to 80
unit: {name: person, plural: people, expression: person_id, row_is_unit: true}
series: people
reference_period: "2025"
licence: Open Government Licence v3.0
legal_basis: Statistics Act
source: {connector: duckdb, location: people.parquet}
record_key: record_key
profile: counts
variables:
  area: {role: dimension, title: Area of residence, codelist: geography}
  region: {role: dimension, title: Region of residence, codelist: geography, of: area, level: region, stored: false}
  sex: {role: dimension, title: Sex, codelist: sex}
  age: {role: dimension, title: Age, codelist: age}
  pay: {role: measure, title: Weekly pay, unit: GBP, decimals: 2, minimum: 0, maximum: 5000, step: 10}
""",
    "datasets/vacancies.yaml": """\
dataset: vacancies
title: Vacancies
description: Posts that were advertised.
publisher: skills_board
custodian: skills_board
population: Advertised posts
unit: {name: post, plural: posts, expression: post_id, row_is_unit: true}
series: vacancies
reference_period: "2025"
licence: Open Government Licence v3.0
legal_basis: Statistics Act
source: {connector: duckdb, location: vacancies.parquet}
record_key: record_key
profile: counts
variables:
  area: {role: dimension, title: Area, codelist: geography}
  region: {role: dimension, title: Region, codelist: geography, of: area, level: region, stored: false}
""",
    "agreements/planning.yaml": """\
- agreement: planning
  title: Skills planning
  version: "1"
  bodies: [greater_ay]
  datasets: [people, vacancies]
  purposes: [skills planning]
  legal_gateway: Digital Economy Act 2017, Part 5
  start: 2025-01-01
  review: 2026-01-01
  end: 2090-01-01
- agreement: finished
  title: An agreement that is over
  version: "1"
  bodies: [effshire]
  datasets: [people]
  purposes: [skills planning]
  legal_gateway: Digital Economy Act 2017, Part 5
  start: 2020-01-01
  review: 2020-06-01
  end: 2020-12-31
""",
    "rules/regions.yaml": """\
rule: people_by_region
title: Counts of people by region
body: greater_ay
dataset: people
dimensions: [area]
decided_by: olu
decided_on: 2025-02-01
until: 2090-01-01
""",
    "node.yaml": f"""\
node: test_node
title: Test node
environment: test
sources: {{duckdb: {{kind: duckdb, directory: data, threads: 1}}}}
limits: {{run_workers: 1, compile_workers: 1, lease_seconds: 5}}
identity:
  persons:
    - {{person: pat, name: Pat Planner, body: greater_ay, roles: [planner]}}
    - {{person: eve, name: Eve Elsewhere, body: effshire, roles: [planner]}}
    - {{person: olu, name: Olu Office, body: office, roles: [custodian]}}
    - {{person: oma, name: Oma Office, body: office, roles: [custodian]}}
    - {{person: sam, name: Sam Skills, body: skills_board, roles: [custodian]}}
    - {{person: ada, name: Ada Auditor, body: office, roles: [auditor]}}
  programs:
    - client_id: dashboard
      name: Dashboard
      secret_sha256: {hashlib.sha256(SECRET.encode()).hexdigest()}
      body: greater_ay
      roles: [analyst]
""",
}


def people(rows: int = 3000, seed: int = 1) -> pa.Table:
    random = np.random.default_rng(seed)
    return pa.table(
        {
            "person_id": np.arange(rows),
            "record_key": random.integers(0, 100_000_000, rows),
            "area": pa.array([f"A{i}" for i in random.choice(8, rows, p=_SHARES)]),
            "sex": pa.array(random.choice(["F", "M"], rows)),
            "age": random.integers(16, 81, rows),
            "pay": np.round(random.lognormal(6.2, 0.5, rows), 2),
        }
    )


_SHARES = [0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.099, 0.001]


def vacancies(rows: int = 500, seed: int = 2) -> pa.Table:
    random = np.random.default_rng(seed)
    return pa.table(
        {
            "post_id": np.arange(rows),
            "record_key": random.integers(0, 100_000_000, rows),
            "area": pa.array([f"A{i}" for i in random.choice(8, rows)]),
        }
    )


def write_node(directory: Path, changes: Mapping[str, str] | None = None, rows: int = 3000) -> Path:
    """Write the configuration and its data; ``changes`` replace whole files."""
    for name, text in {**FILES, **(changes or {})}.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (directory / "data").mkdir(exist_ok=True)
    pq.write_table(people(rows), directory / "data" / "people.parquet")
    pq.write_table(vacancies(), directory / "data" / "vacancies.parquet")
    return directory


@dataclass(frozen=True)
class Running:
    """A node that listens on a loopback port, with its workers."""

    node: Node
    url: str

    def session(self, person: str) -> Session:
        """The project's own client, logged in as a demo person."""
        return connect(self.url, person=person)

    def http(self, person: str | None = None) -> httpx.Client:
        """A plain HTTP client, with a person's token where one is named."""
        headers = {}
        if person is not None:
            form = {"grant_type": DEMO_GRANT, "client_id": "demo", "person": person}
            token = httpx.post(f"{self.url}/oauth/token", data=form).json()["access_token"]
            headers["Authorization"] = f"Bearer {token}"
        return httpx.Client(base_url=self.url, timeout=30, headers=headers)


@contextmanager
def running(
    directory: Path,
    environment: Mapping[str, str] | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    port: int = 0,
) -> Iterator[Running]:
    """Serve the node of a directory from a thread of this process; ``environment`` may name its secrets."""
    node = build_node(directory, environment=environment or {}, clock=clock)
    try:
        with served(node, port) as found:
            yield found
    finally:
        node.close()


@contextmanager
def served(node: Node, port: int = 0) -> Iterator[Running]:
    """Serve a node that was made, and that is closed by who made it."""
    server = uvicorn.Server(uvicorn.Config(create_app(node), port=port, log_level="critical"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Running(node, f"http://127.0.0.1:{port}")
    finally:
        server.should_exit = True
        thread.join()
