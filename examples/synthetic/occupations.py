"""Who does which work: unit groups of SOC 2020 by industry, sex, qualification and kind of work."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from examples.synthetic import assumptions
from examples.synthetic.assumptions import Codes
from examples.synthetic.draws import Choice, Floats, Integers

SEXES = 2
FEMALE = 1  # position in the code list of sex
ATTAINMENTS = ("high", "mid", "low")
ATTAINMENT_OF_QUALIFICATION = {
    "RQF4PLUS": 0, "RQF3": 1, "RQF2": 1, "TRADE": 1, "RQF1": 2, "OTHER": 2, "NONE": 2,
}  # fmt: skip


@dataclass(frozen=True)
class Occupations:
    """``of_worker`` draws a unit group for a ``worker_group``; ``of_vacancy`` for a section.

    ``hourly_pay`` (pounds, full-time, 2025) is by unit group, ``part_time`` by (sub-major group, sex, age class).
    """

    codes: Codes
    sub_major: Integers
    of_worker: Choice
    of_vacancy: Choice
    hourly_pay: Floats
    part_time: Floats
    sections: int

    def worker_group(
        self, self_employed: Integers, section: Integers, sex: Integers, attainment: Integers
    ) -> Integers:
        """The group of ``of_worker`` that a worker is in."""
        return ((self_employed * self.sections + section) * SEXES + sex) * len(ATTAINMENTS) + attainment


def build_occupations(random: np.random.Generator, industries: Codes) -> Occupations:
    codes = Codes("soc2020")
    groups, sub_major = codes.level("sub_major")
    of_group = {row["sub_major"]: row for row in assumptions.table("occupations")}
    facts = [of_group[code] for code in groups]
    sections, _ = industries.level("section")

    by_section = np.zeros((len(sections), len(groups)))
    for row in assumptions.table("occupations_by_industry"):
        by_section[sections.index(row["section"]), groups.index(row["sub_major"])] = float(row["percent"])
    # Within a sub-major group some unit groups are common, and each industry has its own.
    within = np.exp(0.9 * random.standard_normal(len(codes)))
    within = within * np.exp(random.standard_normal((len(sections), len(codes))))
    for group in range(len(groups)):
        members = sub_major == group
        within[:, members] /= within[:, members].sum(axis=1, keepdims=True)
    by_unit = by_section[:, sub_major] * within

    female = assumptions.column(facts, "percent_female") / 100
    by_sex = np.stack([1 - female, female])
    by_attainment = np.stack([assumptions.column(facts, name) for name in ATTAINMENTS])
    by_kind = np.stack([np.ones(len(groups)), assumptions.column(facts, "self_employed_lean")])
    person = by_kind[:, None, None, :] * by_sex[None, :, None, :] * by_attainment[None, None, :, :]
    weights = by_unit[None, :, None, None, :] * person[:, None, :, :, sub_major]

    pay = assumptions.column(facts, "hourly_pay")[sub_major] * np.exp(
        0.12 * random.standard_normal(len(codes))
    )
    for row in assumptions.table("notable_pay"):
        pay[codes.index[row["unit"]]] *= float(row["factor"])
    part_time = assumptions.column(facts, "percent_part_time") / 100
    odds = (part_time / (1 - part_time))[:, None, None] * np.array([0.55, 1.5])[:, None] * [2.2, 0.8, 2.0]
    return Occupations(
        codes=codes,
        sub_major=sub_major,
        of_worker=Choice(weights.reshape(-1, len(codes))),
        of_vacancy=Choice(by_unit),
        hourly_pay=pay,
        part_time=odds / (1 + odds),
        sections=len(sections),
    )
