"""Learners in England: some of the people, with what they began to learn and what came of it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from examples.synthetic import assumptions
from examples.synthetic.assumptions import Codes
from examples.synthetic.columns import coded, integers
from examples.synthetic.draws import Choice, Floats, Integers, Stream, UnitKind, generator, record_keys
from examples.synthetic.occupations import FEMALE
from examples.synthetic.people import People, Population

START_BY_CALENDAR_MONTH = np.array([9, 5, 5, 4, 4, 3, 3, 5, 42, 11, 6, 3], dtype=float)
LEARNS = {16: 0.62, 18: 0.36, 19: 0.16, 24: 0.09, 35: 0.06, 50: 0.03, 65: 0.008, 80: 0.001}
LEARNS_NEAR_HOME = 0.72
PROVISION_OF_YOUNG = np.array([0.80, 0.17, 0.03])  # study programme, apprenticeship, adult skills fund
PROVISION_OF_ADULT = np.array([0.0, 0.28, 0.64, 0.08])  # and loan
LEVEL_PENALTY = 3.0  # percentage points of achievement for each level from the second on
# Destinations of an achiever, by code list order: employment, learning, both, none, unknown.
DESTINATIONS = {
    "EMP": [62.0, 4.0, 22.0, 6.0, 6.0],
    "UNE": [16.0, 8.0, 3.0, 58.0, 15.0],
    "INA": [6.0, 24.0, 3.0, 50.0, 17.0],
    "STU": [5.0, 68.0, 12.0, 8.0, 7.0],
}
WITHOUT_ACHIEVEMENT = np.array([0.7, 0.5, 0.5, 1.8, 1.3])


class Learning:
    """What learners are drawn from."""

    def __init__(self, population: Population) -> None:
        self.population = population
        self.subjects = Codes("sector_subject_area")
        self.levels = Codes("learning_level")
        self.months = Codes("start_month")
        self.provisions = Codes("provision")
        self.destinations = Codes("destination")
        self.answers = Codes("yes_no")
        table = {row["subject"]: row for row in assumptions.table("subjects")}
        rows = [table[code] for code in self.subjects.codes if code in table]
        female = assumptions.column(rows, "percent_female")
        by_sex = np.stack([100 - female, female])
        by_kind = np.stack([assumptions.column(rows, kind) for kind in self._kinds("subject")])
        self._subject = Choice((by_kind[:, None, :] * by_sex).reshape(-1, len(rows)))
        self._achievement = assumptions.column(rows, "achievement")
        shares = {row["provision"]: row for row in assumptions.table("levels")}
        known = [code for code in self.levels.codes if code in shares["YP"]]
        self._level = Choice(
            np.array([[float(shares[kind][code]) for code in known] for kind in self._kinds("level")])
        )
        self._start_year, calendar_month = self.months.years_and_months()
        self._start = Choice(START_BY_CALENDAR_MONTH[calendar_month])
        self._destination = Choice(self._destinations())

    def _kinds(self, of: str) -> list[str]:
        """The row of an assumption table for each provision; loans are taken for the subjects of adults."""
        loan = "LOAN" if of == "level" else "ADULT"
        return [{"YP": "YP", "APP": "APP", "LOAN": loan}.get(code, "ADULT") for code in self.provisions.codes]

    def _destinations(self) -> Floats:
        statuses = self.population.statuses
        base = np.array(
            [
                DESTINATIONS["STU" if row[statuses.leaf] == "STU" else row["economic_activity"]]
                for row in statuses.rows
            ]
        )
        return np.stack([base * WITHOUT_ACHIEVEMENT, base], axis=1).reshape(-1, len(self.destinations))

    def _provision(self, uniform: Floats, young: Integers, home: Integers) -> Integers:
        adult_fund = np.where(
            self.population.areas.devolved[home],
            self.provisions.index["ASF_DEVOLVED"],
            self.provisions.index["ASF_NATIONAL"],
        )
        kinds = Choice(np.stack([PROVISION_OF_ADULT, np.append(PROVISION_OF_YOUNG, 0.0)]))
        drawn = kinds.draw(young, uniform)
        fixed = np.array([self.provisions.index[code] for code in ("YP", "APP", "ASF_NATIONAL", "LOAN")])
        return np.where(drawn == 2, adult_fund, fixed[drawn])

    def columns(self, people: People, block: int) -> dict[str, pa.Array]:
        """The learners among a block of people, as columns of the table ``learners``."""
        world = self.population
        random = generator(world.seed, Stream.LEARNERS, block)
        start = self._start.draw(0, random.random(len(people.person)))
        age = people.age + self._start_year[start] - people.year
        rate = np.interp(age, list(LEARNS), list(LEARNS.values()))
        learns = random.random(len(age)) < rate
        chosen = np.flatnonzero(learns & (age >= 16) & world.areas.english[people.home])
        number = len(chosen)
        age, home, sex = age[chosen], people.home[chosen], people.sex[chosen]

        provision = self._provision(random.random(number), (age < 19).astype(np.int64), home)
        subject = self._subject.draw(provision * len(world.sexes) + sex, random.random(number))
        level = self._level.draw(provision, random.random(number))
        away = random.random(number) >= LEARNS_NEAR_HOME
        provider = np.where(away, world.places_near(home, random.random(number)), home)
        rate = self._achievement[subject] - LEVEL_PENALTY * np.maximum(level - 2, 0) + 1.5 * (sex == FEMALE)
        achieved = 100 * random.random(number) < rate
        group = people.status[chosen] * 2 + achieved
        destination = self._destination.draw(group, random.random(number))
        identity = people.person[chosen] + 1
        return {
            "learner_id": integers(identity, pa.int64()),
            "lad_home": coded(home, world.areas.codes.codes),
            "lad_provider": coded(provider, world.areas.codes.codes),
            "subject": coded(subject, self.subjects.codes),
            "level": coded(level, self.levels.codes),
            "provision": coded(provision, self.provisions.codes),
            "age": integers(age, pa.int32()),
            "sex": coded(sex, world.sexes.codes),
            "start_month": coded(start[chosen], self.months.codes),
            "achieved": coded((~achieved).astype(np.int64), self.answers.codes),
            "destination": coded(destination, self.destinations.codes),
            "rkey": integers(record_keys(world.seed, UnitKind.PERSON, identity), pa.int32()),
        }
