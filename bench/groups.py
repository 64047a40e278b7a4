"""A million groups, in a process of its own so that its peak memory is its own."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

from bench.questions import Bench, Generated
from bench.timing import peak_mebibytes
from federation.holders.local import LocalHolder
from policies.protect import NoiseKey

SQL = "SELECT lad_res, soc, sex, status, COUNT(*) FROM people GROUP BY ALL"


def main(data: Path) -> None:
    """Prints cells, seconds and peak memory in MiB."""
    bench = Bench(data)
    people = bench.catalogue.datasets["people"].document
    profile = bench.catalogue.profiles[people.profile]
    limits = profile.limits.model_copy(update={"maximum_cells": 5_000_000})
    profiles = {**bench.catalogue.profiles, people.profile: profile.model_copy(update={"limits": limits})}
    catalogue = replace(bench.catalogue, profiles=profiles)
    holder = LocalHolder({"duckdb": bench.connector}, catalogue, NoiseKey(bytes(range(32)), 1), Generated())
    start = time.perf_counter()
    plan = bench.compiled(SQL, catalogue)
    bench.answer(SQL, bench.context(catalogue), holder)
    seconds = time.perf_counter() - start
    print(f"{sum(query.size for query in plan.queries)} {seconds:.1f} {peak_mebibytes():.0f}")
    bench.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
