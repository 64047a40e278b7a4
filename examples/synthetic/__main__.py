"""Make a synthetic labour market of any size.

python -m examples.synthetic --people 1_000_000 --out DIR --seed 1
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from examples.synthetic.generate import generate

SECONDS_BETWEEN_REPORTS = 1.0


class Reporter:
    """Says on the terminal how far it is, at most once a second."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, done: int, of: int) -> None:
        now = time.monotonic()
        if now - self._last >= SECONDS_BETWEEN_REPORTS:
            self._last = now
            print(f"  {done:,} of {of:,} people", file=sys.stderr)


def at_least(minimum: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        number = int(text)
        if number < minimum:
            raise argparse.ArgumentTypeError(f"must be at least {minimum}")
        return number

    parse.__name__ = "integer"  # what argparse calls the type in its messages
    return parse


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m examples.synthetic",
        description="Make a synthetic labour market: people, employers, vacancies and learners.",
    )
    parser.add_argument(
        "--people", type=at_least(1), required=True, help="number of people, 1_000_000 for instance"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the Parquet files")
    parser.add_argument("--seed", type=at_least(0), default=1, help="the same seed gives the same data")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    rows = generate(options.people, options.out, options.seed, Reporter())
    for name, number in rows.items():
        print(f"{options.out / name}.parquet: {number:,} rows")
    print(f"{time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    main()
