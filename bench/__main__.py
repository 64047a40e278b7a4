"""``make bench``: protected queries beside raw ones.

    python -m bench [--people 20_000_000] [--repeat 5] [--seed 1]
    python -m bench --federation [--people 20_000_000] [--repeat 5]

Every figure is a median of this run; ratios are of medians of two sides that took turns. Nothing is asserted: the aims
stand beside the figures. The people are made once and kept in ``.bench/``. ``--federation`` measures
several nodes alone.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

import duckdb
import pytest
from rich.console import Console
from rich.table import Table

from bench.federation import MODES, SLOWEST, four_nations
from bench.questions import OF_ENTITIES, QUESTIONS, ROOT, Bench, Question
from bench.service import TYPICAL, compile_seconds, fetch_again, long_query
from bench.smartnoise import beside_smartnoise
from examples.synthetic.generate import generate

OUT = ROOT / ".bench"


def people(count: int, seed: int, console: Console) -> Path:
    folder = OUT / f"people-{count}-{seed}"
    if not (folder / "people.parquet").exists():
        with console.status(f"making {count:,} people (once)"):
            generate(count, folder, seed)
    return folder


def in_order(data: Path, console: Console) -> Path:
    """The same folder with people stored in the order of employers, as ``federation import --keep`` stores them."""
    folder = data / "in_order"
    people = folder / "people.parquet"
    if not people.exists():
        folder.mkdir(exist_ok=True)
        for other in data.glob("*.parquet"):
            if not (folder / other.name).exists() and other.name != people.name:
                (folder / other.name).symlink_to(Path("..") / other.name)
        with console.status("storing people in the order of employers (once)"), duckdb.connect() as making:
            given = f"SELECT * FROM '{data / people.name}' ORDER BY employer_id"
            making.execute(f"COPY ({given}) TO '{people}.new' (FORMAT parquet, COMPRESSION zstd)")
        Path(f"{people}.new").rename(people)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=lambda text: int(text.replace("_", "")), default=20_000_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--federation", action="store_true", help="several nodes alone")
    options = parser.parse_args()
    console = Console()
    if options.federation:
        _federation(console, options.people, options.repeat)
        return
    data = people(options.people, options.seed, console)
    bench = Bench(data)
    _questions(console, bench, QUESTIONS, f"{options.people:,} people", options.repeat)
    _service(console, bench, options.repeat)
    bench.close()
    ordered = Bench(in_order(data, console))
    _questions(
        console, ordered, OF_ENTITIES, "the same people stored in the order of employers", options.repeat
    )
    ordered.close()
    _groups(console, data)
    with console.status("smartnoise-sql"):
        said = beside_smartnoise(OUT, data)
    console.print(said)
    _engines(console, options.people // 4, options.repeat)
    _federation(console, options.people, options.repeat)


def _questions(
    console: Console, bench: Bench, questions: Iterable[Question], people: str, repeat: int
) -> None:
    table = Table(title=f"The same question, protected and raw, {people}, median of {repeat}")
    for heading in ("question", "protected", "raw", "ratio", "aim"):
        table.add_column(heading, justify="left" if heading == "question" else "right")
    with console.status("questions") as status:
        for question, pair in bench.run(questions, repeat):
            aim = f"≤ {question.limit}" if question.limit else "–"
            table.add_row(
                question.name, f"{pair.protected:.2f} s", f"{pair.raw:.2f} s", f"{pair.ratio:.2f}", aim
            )
            status.update(f"after {question.name}")
    console.print(table)


def _service(console: Console, bench: Bench, repeat: int) -> None:
    table = Table(title="The node")
    table.add_column("figure")
    table.add_column("measured", justify="right")
    table.add_column("aim", justify="right")
    lines = long_query().count("\n") + 1
    with console.status("compiling, fetching"):
        typical = compile_seconds(bench, TYPICAL, 4 * repeat) * 1000
        longer = compile_seconds(bench, long_query(), repeat) * 1000
        fetches = fetch_again(200, 3.0)
    table.add_row("compile a typical query, its conditions met before", f"{typical:.1f} ms", "≤ 20 ms")
    table.add_row(f"compile {lines} lines", f"{longer:.0f} ms", "≤ 400 ms")
    table.add_row("a released answer again, in process", f"{fetches.in_process * 1000:.3f} ms", "≤ 5 ms")
    table.add_row("released answers over HTTP, four readers", f"{fetches.per_second:.0f} a second", "–")
    console.print(table)


def _groups(console: Console, data: Path) -> None:
    with console.status("a million groups"):
        command = [sys.executable, "-m", "bench.groups", str(data)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    cells, seconds, peak = done.stdout.split()
    console.print(f"A table of {int(cells):,} cells: {seconds} s, peak memory of the process {peak} MiB.")


def _engines(console: Console, people: int, repeat: int) -> None:
    """Servers that are started for it, where they are installed."""
    for name, module in (("PostgreSQL", "bench.postgresql"), ("Spark", "bench.spark_bench")):
        try:
            with console.status(name):
                found = import_module(module).measure(people, repeat)
        except (ImportError, pytest.skip.Exception) as missing:
            found = f"{name} was not measured: {missing}."
        console.print(found)


def _federation(console: Console, people: int, repeat: int) -> None:
    with console.status("four nations and a hub"), four_nations(OUT, people) as asked:
        cost, errors = asked.cost(repeat), asked.errors()
    table = Table(title=f"A new question over four nations, {people:,} people, median of {repeat}")
    for heading in ("asked", "seconds", f"by {SLOWEST}'s own", "aim", "from nations to hub"):
        table.add_column(heading, justify="left" if heading == "asked" else "right")
    own = cost.seconds[SLOWEST]
    table.add_row(f"{SLOWEST} alone", f"{own:.2f} s", "1.00", "–", "–")
    for mode in MODES:
        seconds = cost.seconds[mode]
        aim = "≤ 3, and round trips" if mode == "masked sums" else "–"
        table.add_row(
            mode, f"{seconds:.2f} s", f"{seconds / own:.2f}", aim, f"{cost.bytes[mode] / 1000:.1f} kB"
        )
    console.print(table)
    table = Table(title="Totals over all nations against the truth")
    for heading in ("totals", "given", "bias", "mean absolute error"):
        table.add_column(heading, justify="left" if heading == "totals" else "right")
    for name, error in errors.items():
        table.add_row(
            name, f"{error.given:,} of {error.cells:,}", f"{error.bias:+.2f}", f"{error.absolute:.2f}"
        )
    console.print(table)
    for mode in ("parts", "joint"):
        with console.status("a million cells at the hub"):
            command = [sys.executable, "-m", "bench.hub", mode]
            done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
        found = json.loads(done.stdout)
        console.print(
            f"{found['cells']:,} cells at the hub, {mode}: {found['seconds']:.1f} s, "
            f"{found['mebibytes']:.0f} MiB more at most."
        )


if __name__ == "__main__":
    main()
