"""Write the four tables of a synthetic labour market, block by block, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from examples.synthetic.columns import TableFile
from examples.synthetic.draws import BLOCK_ROWS
from examples.synthetic.employers import Register, Vacancies
from examples.synthetic.learners import Learning
from examples.synthetic.people import Population

Progress = Callable[[int, int], None]


def blocks(rows: int) -> Iterator[tuple[int, int, int]]:
    """(block, first row, rows) until all are covered; one empty block where there are none."""
    for block, first in enumerate(range(0, max(rows, 1), BLOCK_ROWS)):
        yield block, first, min(BLOCK_ROWS, rows - first)


def generate(people: int, out: Path, seed: int, progress: Progress | None = None) -> dict[str, int]:
    """Write people, employers, vacancies and learners as Parquet files in ``out``; rows by table.

    The same ``people`` and ``seed`` give the same files. ``progress`` hears how many people are done. A file
    stands under its name only when it is whole.
    """
    out.mkdir(parents=True, exist_ok=True)
    population = Population(seed, people)
    register, learning, vacancies = Register(population), Learning(population), Vacancies(population)
    rows: dict[str, int] = {}
    with TableFile(out / "people.parquet") as all_people, TableFile(out / "learners.parquet") as learners:
        for block, first, number in blocks(people):
            drawn = population.draw(first, number, block)
            all_people.add(population.columns(drawn))
            learners.add(learning.columns(drawn, block))
            register.count(drawn.employer)
            if progress is not None:
                progress(first + number, people)
        rows |= {"people": all_people.rows, "learners": learners.rows}
    with TableFile(out / "employers.parquet") as table:
        for _, first, number in blocks(len(population.employers)):
            table.add(register.columns(first, number))
        rows["employers"] = table.rows
    with TableFile(out / "vacancies.parquet") as table:
        for block, first, number in blocks(vacancies.number):
            table.add(vacancies.columns(first, number, block))
        rows["vacancies"] = table.rows
    return rows
