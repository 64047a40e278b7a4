"""The places of the synthetic labour market: how many live and work where, what is made there and paid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from examples.synthetic import assumptions
from examples.synthetic.assumptions import Codes
from examples.synthetic.draws import Choice, Floats, Integers

LONDON = "E12000007"
COMMUTER_BELT = ("E12000006", "E12000008")
DEFAULT_JOBS_PER_RESIDENT = 0.42


@dataclass(frozen=True)
class Areas:
    """Local authorities, by position in the code list of geography.

    ``jobs_per_resident`` and ``pay_index`` (1 is the national level) describe the place as one of work.
    ``commuting[home, work]`` are shares of those who work, by home.
    """

    codes: Codes
    region_codes: list[str]
    region: Integers
    devolved: np.ndarray
    english: np.ndarray
    population: Floats
    jobs_per_resident: Floats
    pay_index: Floats
    high_qualification_odds: Floats
    employment_odds: Floats
    response: Floats
    commuting: Floats
    industry_mix: Floats


def build_areas(random: np.random.Generator, industries: Codes) -> Areas:
    codes = Codes("geography")
    region_codes, region = codes.level("region")
    by_region = {row["region"]: row for row in assumptions.table("regions")}
    regional = [by_region[code] for code in region_codes]
    noise = random.standard_normal((4, len(codes)))
    population = assumptions.column(codes.rows, "population")

    jobs = DEFAULT_JOBS_PER_RESIDENT * np.exp(0.15 * noise[0])
    pay = assumptions.column(regional, "pay_index")[region] * np.exp(0.05 * noise[1])
    stay = np.where(region == region_codes.index(LONDON), 0.33, np.clip(0.40 + 0.40 * jobs, 0.3, 0.8))
    for row in assumptions.table("areas"):
        place = codes.index[row["local_authority"]]
        jobs[place], pay[place], stay[place] = (
            float(row[name]) for name in ("jobs_per_resident", "pay_index", "live_and_work")
        )
    regional_pay = assumptions.column(regional, "pay_index")[region]
    return Areas(
        codes=codes,
        region_codes=region_codes,
        region=region,
        devolved=np.array([bool(row["devolved_area"]) for row in codes.rows]),
        english=np.array([row["country"].startswith("E") for row in codes.rows]),
        population=population,
        jobs_per_resident=jobs,
        pay_index=pay,
        high_qualification_odds=assumptions.column(regional, "high_qualification_odds")[region]
        * (pay / regional_pay) ** 3
        * np.exp(0.2 * noise[2]),
        employment_odds=assumptions.column(regional, "employment_odds")[region] * np.exp(0.1 * noise[3]),
        response=assumptions.column(regional, "response")[region],
        commuting=_commuting(codes, region_codes, region, population * jobs, stay),
        industry_mix=_industry_mix(random, codes, regional, region, industries),
    )


def _commuting(codes: Codes, region_codes: list[str], region: Integers, jobs: Floats, stay: Floats) -> Floats:
    """A gravity model: of those who leave, most go to large places of work in the same skills-plan area."""
    _, country = codes.level("country")
    nearness = np.full((len(codes), len(codes)), 0.0003)
    nearness[country[:, None] == country] = 0.004
    nearness[region[:, None] == region] = 0.08
    belt = np.isin(region, [region_codes.index(code) for code in COMMUTER_BELT])
    london = region == region_codes.index(LONDON)
    nearness[np.ix_(belt, london)] = 0.05
    nearness[np.ix_(london, belt)] = 0.01
    for level in ("lsip", "combined_authority"):
        groups, member = codes.level(level)
        nearness[(member[:, None] == member) & (member[:, None] != groups.index(""))] = 0.6
    flows = nearness * jobs
    np.fill_diagonal(flows, 0.0)
    flows *= ((1 - stay) / flows.sum(axis=1))[:, None]
    np.fill_diagonal(flows, stay)
    return flows


# Public services come in large employers, which are placed first; this leaves less for the rest of the mix.
ANCHOR_DIVISIONS = {"84": 0.5, "85": 0.65, "86": 0.4}


def _industry_mix(
    random: np.random.Generator,
    codes: Codes,
    regional: list[assumptions.Row],
    region: Integers,
    industries: Codes,
) -> Floats:
    """Weights of SIC divisions by area."""
    sections, section = industries.level("section")
    national = {row["division"]: row for row in assumptions.table("industries")}
    mix = np.tile([float(national[code]["employees"]) for code in industries.codes], (len(codes), 1))
    for name, letters in (("manufacturing", "C"), ("city_services", "JKM")):
        of_letters = np.isin(section, [sections.index(letter) for letter in letters])
        mix[:, of_letters] *= assumptions.column(regional, name)[region][:, None]
    mix *= np.exp(0.35 * random.standard_normal((len(codes), len(sections))))[:, section]
    for division, factor in ANCHOR_DIVISIONS.items():
        mix[:, industries.index[division]] *= factor
    for row in assumptions.table("specialisms"):
        mix[codes.index[row["local_authority"]], industries.index[row["division"]]] *= float(row["factor"])
    return mix


MEAN_EMPLOYEES = 16.0
FEWEST_EMPLOYERS = 3
FIRST_ANCHORS = {"86": 0.50, "84": 0.10, "85": 0.14, "47": 0.05, "10": 0.09, "29": 0.06, "41": 0.06}
SECOND_ANCHORS = {"84": 0.25, "85": 0.25, "86": 0.35, "47": 0.15}
THIRD_ANCHORS = {"85": 0.3, "47": 0.2, "84": 0.1, "87": 0.1, "42": 0.15, "56": 0.15}


@dataclass(frozen=True)
class Employers:
    """Employers stand area by area, the largest first: area ``a`` has ``first[a]`` up to ``first[a + 1]``."""

    first: Integers
    area: Integers
    division: Integers
    pay_factor: Floats

    def __len__(self) -> int:
        return int(self.first[-1])

    def of_employee(self, area: Integers, uniform: Floats) -> Integers:
        """An employer of the area, the one of rank r with probability near 1/r (Zipf's law).

        With n employers rank r has ln(1 + 1/r) / ln(n + 1): the largest of 1,000 employs a tenth of the area.
        """
        number = np.diff(self.first)[area]
        rank = np.minimum((number + 1.0) ** uniform - 1, number - 1).astype(np.int64)
        employer: Integers = self.first[area] + rank
        return employer


def build_employers(
    random: np.random.Generator, areas: Areas, industries: Codes, employees: float
) -> Employers:
    """Employers for about ``employees`` people, wherever the jobs are."""
    jobs = (areas.population @ areas.commuting) / areas.population.sum() * employees
    number = np.maximum(np.rint(jobs / MEAN_EMPLOYEES).astype(np.int64), FEWEST_EMPLOYERS)
    first = np.concatenate([[0], np.cumsum(number)])
    area = np.repeat(np.arange(len(number)), number)
    division = Choice(areas.industry_mix).draw(area, random.random(len(area)))
    for rank, anchors in enumerate((FIRST_ANCHORS, SECOND_ANCHORS, THIRD_ANCHORS)):
        known = np.array([industries.index[code] for code in anchors])
        drawn = Choice(np.array(list(anchors.values()))).draw(0, random.random(len(number)))
        division[first[:-1] + rank] = known[drawn]
    # The largest employer of a place that is known for something does that.
    for row in reversed(assumptions.table("specialisms")):
        division[first[areas.codes.index[row["local_authority"]]]] = industries.index[row["division"]]
    return Employers(first, area, division, np.exp(0.07 * random.standard_normal(len(area))))
