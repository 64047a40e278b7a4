"""Employers, and the vacancies that they advertise."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from examples.synthetic.assumptions import Codes
from examples.synthetic.columns import coded, fixed_point, integers
from examples.synthetic.draws import Choice, Integers, Stream, UnitKind, generator, record_keys
from examples.synthetic.people import NOBODY, Population

SMALLEST_OF_BAND = np.array([0, 5, 10, 20, 50, 100, 250, 500, 1000])
VACANCIES_PER_PERSON = 0.2
VACANCIES_BY_CALENDAR_MONTH = np.array([11, 9, 9, 8, 8, 8, 7, 7, 10, 9, 8, 6], dtype=float)
SHOWS_PAY = 0.65
WEEKLY_HOURS = 37.5


class Register:
    """Counts employees as people are drawn."""

    def __init__(self, population: Population) -> None:
        self.population = population
        self.bands = Codes("size_band")
        self.employees = np.zeros(len(population.employers), dtype=np.int64)

    def count(self, employer: Integers) -> None:
        self.employees += np.bincount(employer[employer != NOBODY], minlength=len(self.employees))

    def columns(self, first: int, number: int) -> dict[str, pa.Array]:
        """Employers ``first`` up to ``first + number`` as columns of the table ``employers``."""
        world = self.population
        part = slice(first, first + number)
        employees = self.employees[part]
        identity = np.arange(first, first + len(employees)) + 1
        band = np.searchsorted(SMALLEST_OF_BAND, employees, side="right") - 1
        return {
            "employer_id": integers(identity, pa.int64()),
            "sic": coded(world.employers.division[part], world.industries.codes),
            "lad": coded(world.employers.area[part], world.areas.codes.codes),
            "size_band": coded(band, self.bands.codes),
            "employees": integers(employees, pa.int32()),
            "rkey": integers(record_keys(world.seed, UnitKind.EMPLOYER, identity), pa.int32()),
        }


class Vacancies:
    """Vacancies of two years, in proportion to employees. Their unit is the employer."""

    def __init__(self, population: Population) -> None:
        self.population = population
        self.months = Codes("vacancy_month")
        self.number = round(population.people * VACANCIES_PER_PERSON)
        areas = population.areas
        self._area = Choice(areas.population @ areas.commuting)
        self._year, calendar_month = self.months.years_and_months()
        self._month = Choice(VACANCIES_BY_CALENDAR_MONTH[calendar_month])

    def columns(self, first: int, number: int, block: int) -> dict[str, pa.Array]:
        """Vacancies ``first`` up to ``first + number`` as columns of the table ``vacancies``."""
        world = self.population
        random = generator(world.seed, Stream.VACANCIES, block)
        area = self._area.draw(0, random.random(number))
        employer = world.employers.of_employee(area, random.random(number))
        industry = world.employers.division[employer]
        occupation = world.occupations.of_vacancy.draw(world.section[industry], random.random(number))
        month = self._month.draw(0, random.random(number))
        pay_index = world.yearly.index[self._year[month] - world.yearly.first]
        hourly = world.occupations.hourly_pay[occupation] * world.areas.pay_index[area] * pay_index
        hourly *= np.exp(0.15 * random.standard_normal(number))
        pounds = np.rint(np.maximum(hourly, world.yearly.minimum[-1, -1]) * WEEKLY_HOURS)
        hidden = random.random(number) >= SHOWS_PAY
        return {
            "vacancy_id": integers(np.arange(first, first + number) + 1, pa.int64()),
            "employer_id": integers(employer + 1, pa.int64()),
            "soc": coded(occupation, world.occupations.codes.codes),
            "lad": coded(area, world.areas.codes.codes),
            "month": coded(month, self.months.codes),
            "pay_offered": fixed_point((100 * pounds).astype(np.int64), 9, 2, hidden),
            "rkey": integers(record_keys(world.seed, UnitKind.EMPLOYER, employer + 1), pa.int32()),
        }
