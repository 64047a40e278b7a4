"""People aged 16 and over: where they live and work, what they know, do and earn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from examples.synthetic import assumptions, pay
from examples.synthetic.assumptions import AgeBands, Codes
from examples.synthetic.columns import coded, fixed_point, integers
from examples.synthetic.draws import Choice, Flags, Floats, Integers, Stream, UnitKind, generator, record_keys
from examples.synthetic.occupations import (
    ATTAINMENT_OF_QUALIFICATION,
    FEMALE,
    Occupations,
    build_occupations,
)
from examples.synthetic.world import Areas, Employers, build_areas, build_employers

YEARS = np.arange(2021, 2026)
EMPLOYEE_SHARE = 0.51  # of people aged 16 and over
WORKS_WHERE_LIVES = 0.7  # of the self-employed, who otherwise commute like employees
EMPLOYMENT_ODDS_BY_ATTAINMENT = np.array([1.55, 0.95, 0.45])
EMPLOYMENT_LEVEL = 1.06  # brings the employment rate at ages 16 to 64 to three quarters
NOBODY = -1


@dataclass(frozen=True)
class People:
    """A block of people as positions in code lists; -1 where there is no such thing."""

    person: Integers
    year: Integers
    age: Integers
    sex: Integers
    home: Integers
    work: Integers
    qualification: Integers
    status: Integers
    part_time: Integers
    tenths_of_hours: Integers
    occupation: Integers
    industry: Integers
    employer: Integers
    pence: Integers
    weight: Integers


class Population:
    """Everything that a block of people is drawn from. Built once, from the seed and the number of people."""

    def __init__(self, seed: int, people: int) -> None:
        random = generator(seed, Stream.WORLD)
        self.seed = seed
        self.people = people
        self.industries = Codes("sic2007")
        self.sexes = Codes("sex")
        self.qualifications = Codes("qualification")
        self.statuses = Codes("economic_status")
        self.patterns = Codes("working_pattern")
        self.areas: Areas = build_areas(random, self.industries)
        self.employers: Employers = build_employers(
            random, self.areas, self.industries, people * EMPLOYEE_SHARE
        )
        self.occupations: Occupations = build_occupations(random, self.industries)
        self.yearly = pay.YearlyPay()
        self.section = self.industries.level("section")[1]
        self.employed = np.array([row["economic_activity"] == "EMP" for row in self.statuses.rows])
        women = (
            assumptions.column(assumptions.table("women_by_industry"), "percent_female")[self.section] / 100
        )
        self._stays = np.minimum(2 * np.stack([1 - women, women]), 1.0)
        self.attainment = np.array([ATTAINMENT_OF_QUALIFICATION[code] for code in self.qualifications.codes])

        self._home = Choice(self.areas.population * self.areas.response)
        self._age_and_sex(random)
        self._qualification()
        self._status()
        self._commute = Choice(self.areas.commuting)
        national = {row["division"]: float(row["self_employed"]) for row in assumptions.table("industries")}
        self._own_business = Choice(np.array([national[code] for code in self.industries.codes]))

    def _age_and_sex(self, random: np.random.Generator) -> None:
        table = assumptions.table("population")
        self._bands = AgeBands(table)
        thousands, female = (assumptions.column(table, name) for name in ("thousands", "percent_female"))
        by_band = thousands[:, None] * np.stack([100 - female, female], axis=1)
        middle = (self._bands.first + self._bands.last) / 2
        # Places of work are young, and places differ.
        youth = np.clip(self.areas.jobs_per_resident - 0.45, 0, 0.6) * 2.2
        youth = youth + 0.25 * random.standard_normal(len(youth))
        tilt = np.exp(-np.outer(youth, middle - 45) / 30)
        self._age_sex = Choice((tilt[:, :, None] * by_band).reshape(len(youth), -1))
        self.adults = float(thousands.sum() * 1000)

    def _qualification(self) -> None:
        table = assumptions.table("qualifications")
        self._qualification_bands = AgeBands(table)
        base = np.stack([assumptions.column(table, code) for code in self.qualifications.codes], axis=1)
        odds = np.ones((len(self.areas.codes), 1, len(self.qualifications)))
        odds[:, 0, self.qualifications.index["RQF4PLUS"]] = self.areas.high_qualification_odds
        self._qualification_choice = Choice((base * odds).reshape(-1, len(self.qualifications)))

    def _status(self) -> None:
        table = assumptions.table("activity")
        self._status_bands = AgeBands(table)
        shares = np.zeros((len(self._status_bands), len(self.sexes), len(self.statuses)))
        for row in table:
            band = int(self._status_bands.of(np.array(int(row["first_age"]))))
            cell = shares[band, self.sexes.index[row["sex"]]]
            employed, unemployed = float(row["employed"]), float(row["unemployed"])
            kinds = {"SE": "self_employed", "GS": "supported", "UF": "family_worker"}
            for code, name in kinds.items():
                cell[self.statuses.index[code]] = employed * float(row[name]) / 100
            cell[self.statuses.index["EE"]] = employed - cell.sum()
            cell[self.statuses.index["UNE"]] = unemployed
            reasons = [code for code in self.statuses.codes if code in row]
            total = sum(float(row[code]) for code in reasons)
            for code in reasons:
                cell[self.statuses.index[code]] = (100 - employed - unemployed) * float(row[code]) / total
        odds = np.multiply.outer(self.areas.employment_odds, EMPLOYMENT_ODDS_BY_ATTAINMENT) * EMPLOYMENT_LEVEL
        # Axes: area, age band, sex, attainment, status.
        odds_of = np.where(self.employed, odds[:, None, None, :, None], 1.0)
        self._status_choice = Choice((shares[:, :, None, :] * odds_of).reshape(-1, len(self.statuses)))

    def draw(self, first: int, number: int, block: int) -> People:
        """People ``first`` up to ``first + number``, the same whatever blocks came before."""
        random = generator(self.seed, Stream.PEOPLE, block)
        person = np.arange(first, first + number)
        year = random.choice(YEARS, number)
        home = self._home.draw(0, random.random(number))
        band, sex = np.divmod(self._age_sex.draw(home, random.random(number)), len(self.sexes))
        width = (self._bands.last - self._bands.first + 1)[band]
        age = self._bands.first[band] + (random.random(number) * width).astype(np.int64)
        qualification = self._qualification_choice.draw(
            home * len(self._qualification_bands) + self._qualification_bands.of(age), random.random(number)
        )
        attainment = self.attainment[qualification]
        group = home * len(self._status_bands) + self._status_bands.of(age)
        group = (group * len(self.sexes) + sex) * len(EMPLOYMENT_ODDS_BY_ATTAINMENT) + attainment
        status = self._status_choice.draw(group, random.random(number))
        spread = 0.2
        noise = np.exp(spread * random.standard_normal(number) - spread**2 / 2)
        weight = np.rint(100 * self._grossing(home) * noise).astype(np.int64)

        work, employer, industry, occupation, part_time, tenths, pence = (
            np.full(number, NOBODY) for _ in range(7)
        )
        at_work = np.flatnonzero(self.employed[status])
        job = self._jobs(
            random,
            year[at_work],
            age[at_work],
            sex[at_work],
            home[at_work],
            attainment[at_work],
            status[at_work],
        )
        for column, values in zip(
            (work, employer, industry, occupation, part_time, tenths, pence), job, strict=True
        ):
            column[at_work] = values
        return People(
            person, year, age, sex, home, work, qualification, status,
            part_time, tenths, occupation, industry, employer, pence, weight,
        )  # fmt: skip

    def places_near(self, home: Integers, uniform: Floats) -> Integers:
        """Places to which people who live in ``home`` travel."""
        return self._commute.draw(home, uniform)

    def _grossing(self, home: Integers) -> Floats:
        """The mean survey weight by area: its people in a year over those who are expected to answer."""
        response = self.areas.response / np.average(self.areas.response, weights=self.areas.population)
        return (self.adults * len(YEARS) / self.people / response)[home]

    def _jobs(
        self,
        random: np.random.Generator,
        year: Integers,
        age: Integers,
        sex: Integers,
        home: Integers,
        attainment: Integers,
        status: Integers,
    ) -> tuple[Integers, ...]:
        """Workplace, employer, industry, occupation, pattern, hours and pay of people in employment."""
        number = len(home)
        employee = status == self.statuses.index["EE"]
        employed_by_other = employee | (status == self.statuses.index["GS"])
        work = self._commute.draw(home, random.random(number))
        work = np.where(~employed_by_other & (random.random(number) < WORKS_WHERE_LIVES), home, work)
        employer, industry = self._place(random, work, employed_by_other)
        # Who is at odds with the industry's share of their sex tries once more.
        again = np.flatnonzero(random.random(number) >= self._stays[sex, industry])
        employer[again], industry[again] = self._place(random, work[again], employed_by_other[again])
        self_employed = (~employed_by_other).astype(np.int64)
        occupation = self.occupations.of_worker.draw(
            self.occupations.worker_group(self_employed, self.section[industry], sex, attainment),
            random.random(number),
        )
        age_class = np.searchsorted([22, 62], age, side="right")
        part_time = (
            random.random(number)
            < self.occupations.part_time[self.occupations.sub_major[occupation], sex, age_class]
        )
        tenths = pay.hours(random, part_time)
        pence = pay.weekly_pay(
            random,
            self.yearly,
            hourly=self.occupations.hourly_pay[occupation]
            * self.areas.pay_index[work]
            * self.employers.pay_factor[employer],
            tenths_of_hours=tenths,
            age=age,
            year=year,
            woman=sex == FEMALE,
            part_time=part_time,
            attainment=attainment,
        )
        return (
            work,
            np.where(employed_by_other, employer, NOBODY),
            industry,
            occupation,
            part_time.astype(np.int64),
            tenths,
            np.where(employee, pence, NOBODY),
        )

    def _place(
        self, random: np.random.Generator, work: Integers, employed_by_other: Flags
    ) -> tuple[Integers, Integers]:
        """An employer of the area (which only employees have), and the industry."""
        employer = self.employers.of_employee(work, random.random(len(work)))
        own = self._own_business.draw(0, random.random(len(work)))
        return employer, np.where(employed_by_other, self.employers.division[employer], own)

    def columns(self, block: People) -> dict[str, pa.Array]:
        """The block as columns of the table ``people``."""
        idle = block.work == NOBODY
        return {
            "person_id": integers(block.person + 1, pa.int64()),
            "period": integers(block.year, pa.int32()),
            "lad_res": coded(block.home, self.areas.codes.codes),
            "lad_work": coded(block.work, self.areas.codes.codes, idle),
            "age": integers(block.age, pa.int32()),
            "sex": coded(block.sex, self.sexes.codes),
            "qualification": coded(block.qualification, self.qualifications.codes),
            "status": coded(block.status, self.statuses.codes),
            "full_time": coded(block.part_time, self.patterns.codes, idle),
            "hours": fixed_point(block.tenths_of_hours, 4, 1, idle),
            "soc": coded(block.occupation, self.occupations.codes.codes, idle),
            "sic": coded(block.industry, self.industries.codes, idle),
            "employer_id": integers(block.employer + 1, pa.int64(), block.employer == NOBODY),
            "pay": fixed_point(block.pence, 9, 2, block.pence == NOBODY),
            "weight": fixed_point(block.weight, 12, 2),
            "rkey": integers(record_keys(self.seed, UnitKind.PERSON, block.person + 1), pa.int32()),
        }
