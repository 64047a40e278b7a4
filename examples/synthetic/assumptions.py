"""The assumptions behind the invented people: tables in ``assumptions/``, over the project's code lists.

They were written to resemble published tables (Annual Population Survey, ASHE, BRES) and measure nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import yaml

from examples.synthetic.draws import Floats, Integers

HERE = Path(__file__).resolve().parent
CODELISTS = HERE.parent / "labour_market" / "codelists"

Row = Mapping[str, str]


def rows(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def table(name: str) -> list[Row]:
    return rows(HERE / "assumptions" / f"{name}.csv")


def column(of: Sequence[Row], name: str) -> Floats:
    return np.array([float(row[name]) for row in of])


class Codes:
    """The leaves of a code list, by position."""

    def __init__(self, codelist: str) -> None:
        self.rows = rows(CODELISTS / f"{codelist}.csv")
        header = yaml.safe_load((CODELISTS / f"{codelist}.yaml").read_text(encoding="utf-8"))
        self.leaf: str = header["levels"][-1]["name"]
        self.codes = [row[self.leaf] for row in self.rows]
        self.index = {code: position for position, code in enumerate(self.codes)}

    def __len__(self) -> int:
        return len(self.codes)

    def level(self, name: str) -> tuple[list[str], Integers]:
        """Codes of a level, and for each leaf the position of its own among them."""
        codes = sorted({row[name] for row in self.rows})
        position = {code: index for index, code in enumerate(codes)}
        return codes, np.array([position[row[name]] for row in self.rows])

    def years_and_months(self) -> tuple[Integers, Integers]:
        """Year, and month counted from 0, of leaves such as 2025-01."""
        return (
            np.array([int(code[:4]) for code in self.codes]),
            np.array([int(code[5:]) - 1 for code in self.codes]),
        )


class AgeBands:
    """Consecutive age bands of an assumption table, and which of them an age is in."""

    def __init__(self, of: Sequence[Row]) -> None:
        self.first = np.array(sorted({int(row["first_age"]) for row in of}))
        self.last = np.array(sorted({int(row["last_age"]) for row in of}))

    def __len__(self) -> int:
        return len(self.first)

    def of(self, age: Integers) -> Integers:
        return np.searchsorted(self.first, age, side="right") - 1
