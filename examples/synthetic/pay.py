"""Hours and gross weekly pay of employees."""

from __future__ import annotations

import numpy as np

from examples.synthetic import assumptions
from examples.synthetic.draws import Choice, Flags, Floats, Integers

FULL_TIME_HOURS = np.array([35.0, 37.0, 37.5, 38.0, 39.0, 40.0, 42.0, 45.0, 48.0, 55.0])
FULL_TIME_SHARES = Choice(np.array([13.0, 11.0, 29.0, 5.0, 8.0, 22.0, 4.0, 4.0, 3.0, 1.0]))
AGES = np.array([16, 18, 21, 25, 30, 40, 50, 60, 70])
PAY_BY_AGE = np.array([0.62, 0.73, 0.82, 0.92, 1.00, 1.08, 1.07, 1.01, 0.93])
WOMEN, PART_TIME = 0.95, 0.93
PAY_BY_ATTAINMENT = np.array([1.07, 1.0, 0.95])
SPREAD = 0.25
TOP_EARNERS, PARETO_EXPONENT = 0.004, 2.5


class YearlyPay:
    """Pay by year of the reference period: its level, and the minimum wage at each age."""

    def __init__(self) -> None:
        table = assumptions.table("pay_by_year")
        self.first = int(table[0]["year"])
        self.index = assumptions.column(table, "pay_index")
        self.minimum = np.stack(
            [assumptions.column(table, f"minimum_wage_{age}") for age in (16, 18, 21)], axis=1
        )

    def floor(self, year: Integers, age: Integers) -> Floats:
        """The lowest lawful hourly pay (the age of the full rate is taken as 21 throughout)."""
        floor: Floats = self.minimum[year - self.first, np.searchsorted([18, 21], age, side="right")]
        return floor


def hours(random: np.random.Generator, part_time: Flags) -> Integers:
    """Usual weekly hours, in tenths."""
    full = FULL_TIME_HOURS[FULL_TIME_SHARES.draw(0, random.random(len(part_time)))]
    part = np.rint(2 * random.triangular(4, 20, 30, len(part_time))) / 2
    tenths: Integers = np.rint(10 * np.where(part_time, np.minimum(part, 29.5), full)).astype(np.int64)
    return tenths


def weekly_pay(
    random: np.random.Generator,
    yearly: YearlyPay,
    *,
    hourly: Floats,
    tenths_of_hours: Integers,
    age: Integers,
    year: Integers,
    woman: Flags,
    part_time: Flags,
    attainment: Integers,
) -> Integers:
    """Gross weekly pay in pence: log-normal about the ``hourly`` pay of occupation, area and employer.

    A few in a thousand earn far more (a Pareto tail), which is what dominance rules are for.
    """
    number = len(age)
    level = hourly * yearly.index[year - yearly.first] * np.interp(age, AGES, PAY_BY_AGE)
    level *= PAY_BY_ATTAINMENT[attainment] * np.where(woman, WOMEN, 1.0) * np.where(part_time, PART_TIME, 1.0)
    level *= np.exp(SPREAD * random.standard_normal(number))
    tail = random.random(number)
    top = tail < TOP_EARNERS
    level[top] *= (tail[top] / TOP_EARNERS + 1e-6) ** (-1 / PARETO_EXPONENT)
    level = np.maximum(level, yearly.floor(year, age))
    pence: Integers = np.rint(level * tenths_of_hours * 10).astype(np.int64)
    return pence
