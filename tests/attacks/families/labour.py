"""A small labour market for tests: people with pay and employers, employers, and learners with several aims each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from catalogue.catalogue import Catalogue, bind_dataset
from catalogue.codelists import CodeList, CodeListKind, Grouping, GroupingPart, Level
from catalogue.leaves import LeafSet
from catalogue.models import Agreement, Body, Dataset, Profile
from policies.context import Context

PURPOSE = "Skills planning"
TODAY = date(2026, 3, 31)


def code_list(
    name: str, levels: dict[str, list[tuple[str | None, str | None]]], **groups: dict[str, list[int]]
) -> CodeList:
    made = tuple(
        Level(level, level.replace("_", " ").title(), tuple(c for c, _ in rows), tuple(n for _, n in rows))
        for level, rows in levels.items()
    )
    size = len(made[-1].codes)
    return CodeList(
        name,
        name.title(),
        "Made up for tests",
        "2025",
        CodeListKind.CODES,
        made,
        _groupings(groups, size),
        digest=name,
    )


def integer_list(name: str, low: int, high: int, **groups: dict[str, tuple[int, int]]) -> CodeList:
    numbers = tuple(range(low, high + 1))
    level = Level("value", name.title(), numbers, tuple(str(n) for n in numbers))
    leaves = {
        g: {c: list(range(a - low, b - low + 1)) for c, (a, b) in parts.items()}
        for g, parts in groups.items()
    }
    return CodeList(
        name,
        name.title(),
        "Made up",
        "2025",
        CodeListKind.INTEGERS,
        (level,),
        _groupings(leaves, len(numbers)),
        digest=name,
    )


def _groupings(groups: dict[str, dict[str, list[int]]], size: int) -> dict[str, Grouping]:
    return {
        name: Grouping(
            name, name, tuple(GroupingPart(c, c, LeafSet.of(leaves, size)) for c, leaves in parts.items())
        )
        for name, parts in groups.items()
    }


_AREAS = [
    ("E0601", "Ayton", "E47A", "Greater Ay", "E12N", "North"),
    ("E0602", "Beeford", "E47A", "Greater Ay", "E12N", "North"),
    ("E0603", "Ceeham", None, None, "E12N", "North"),
    ("E0604", "Deeby", None, None, "E12N", "North"),
    ("E0605", "Eaton", None, None, "E12N", "North"),
    ("E0606", "Effley", "E47B", "Effshire", "E12S", "South"),
    ("E0607", "Geeton", "E47B", "Effshire", "E12S", "South"),
    ("E0608", "Aitchford", None, None, "E12S", "South"),
    ("E0609", "Ibury", None, None, "E12S", "South"),
    ("W0610", "Aberwy", None, None, "W92", "Wales"),
    ("W0611", "Llanzed", None, None, "W92", "Wales"),
    ("W0612", "Pentre", None, None, "W92", "Wales"),
]  # fmt: skip

CODELISTS = {
    "geography": code_list(
        "geography",
        {
            "region": [(a[4], a[5]) for a in _AREAS],
            "combined_authority": [(a[2], a[3]) for a in _AREAS],
            "local_authority": [(a[0], a[1]) for a in _AREAS],
        },
        coastal={"coast": [2, 9]},
    ),
    "sex": code_list("sex", {"sex": [("F", "Female"), ("M", "Male")]}),
    "occupation": code_list(
        "occupation",
        {
            "major": [(c[0], f"Major {c[0]}") for c in ("11", "12", "21", "22", "23", "51", "52", "91")],
            "sub_major": [(c, f"Group {c}") for c in ("11", "12", "21", "22", "23", "51", "52", "91")],
        },
        skill={"graduate": [0, 2, 3, 4], "other": [1, 5, 6, 7]},
    ),
    "status": code_list(
        "status",
        {
            "status": [
                ("EMP", "Employee"),
                ("SELF", "Self-employed"),
                ("UNE", "Unemployed"),
                ("INA", "Inactive"),
            ]
        },
    ),
    "age": integer_list(
        "age",
        16,
        80,
        working_age={"16-64": (16, 64)},
        age_band={"16-24": (16, 24), "25-49": (25, 49), "50-64": (50, 64), "65+": (65, 80)},
    ),
    "size_band": code_list("size_band", {"size_band": [("S", "Small"), ("M", "Medium"), ("L", "Large")]}),
    "level": code_list("level", {"level": [("L2", "Level 2"), ("L3", "Level 3"), ("L4", "Level 4")]}),
    "month": code_list(
        "month",
        {
            "year": [("2024", "2024")] * 2 + [("2025", "2025")] * 2,
            "month": [(m, m) for m in ("2024-03", "2024-09", "2025-03", "2025-09")],
        },
    ),
}


def datasets(folder: Path, profile: str) -> dict[str, Dataset]:
    common: dict[str, Any] = {
        "description": "Made up.",
        "publisher": "office",
        "custodian": "office",
        "population": "Residents aged 16 to 80",
        "reference_period": "2025",
        "licence": "OGL",
        "legal_basis": "Statistics Act",
        "record_key": "rkey",
        "profile": profile,
    }
    geography = {"role": "dimension", "codelist": "geography", "title": "Area of residence"}
    people = {
        "dataset": "people",
        "title": "People",
        "series": "people",
        "unit": {
            "name": "person",
            "plural": "people",
            "expression": "person_id",
            "row_is_unit": True,
            "second": {"name": "employer", "expression": "employer_id"},
        },
        "source": {"connector": "duckdb", "location": "people.parquet"},
        "weight": "weight",
        "variables": {
            "person_id": {"role": "identifier", "title": "Person"},
            "employer_id": {"role": "identifier", "title": "Employer", "nullable": True},
            "area": geography,
            "region": {
                "role": "dimension", "of": "area", "level": "region", "codelist": "geography",
                "title": "Region of residence",
            },
            "ca": {
                "role": "dimension", "of": "area", "level": "combined_authority",
                "codelist": "geography", "stored": False,
                "title": "Combined authority of residence",
            },
            "work_area": {**geography, "title": "Area of work", "nullable": True},
            "work_region": {
                "role": "dimension", "of": "work_area", "level": "region", "codelist": "geography", "stored": False,
                "title": "Region of work",
            },
            "sex": {"role": "dimension", "codelist": "sex", "title": "Sex"},
            "age": {"role": "dimension", "codelist": "age", "title": "Age"},
            "age_band": {
                "role": "dimension", "of": "age", "level": "age_band", "codelist": "age", "stored": False,
                "title": "Age band",
            },
            "occupation": {"role": "dimension", "codelist": "occupation", "nullable": True, "title": "Occupation"},
            "status": {"role": "dimension", "codelist": "status", "title": "Status", "sensitive": True},
            "pay": {
                "role": "measure", "title": "Weekly pay", "unit": "GBP", "decimals": 2, "nullable": True,
                "minimum": 0, "maximum": 2000, "step": 5,
            },
            "hours": {"role": "measure", "title": "Hours", "decimals": 0, "minimum": 0, "maximum": 60, "step": 1},
            "weight": {"role": "weight", "title": "Survey weight"},
        },
        "relationships": {"employer": {"to": "employers", "from_column": "employer_id", "to_column": "employer_id"}},
        **common,
    }  # fmt: skip
    employers = {
        "dataset": "employers",
        "title": "Employers",
        "series": "employers",
        "unit": {"name": "employer", "plural": "employers", "expression": "employer_id", "row_is_unit": True},
        "source": {"connector": "duckdb", "location": "employers.parquet"},
        "variables": {
            "employer_id": {"role": "identifier", "title": "Employer"},
            "size_band": {"role": "dimension", "codelist": "size_band", "title": "Size band"},
            "seat": {"role": "dimension", "codelist": "geography", "title": "Area of the head office"},
            "turnover": {
                "role": "measure",
                "title": "Turnover",
                "decimals": 0,
                "minimum": 0,
                "maximum": 100000,
                "step": 100,
            },
        },
        **common,
    }
    learners = {
        "dataset": "learners",
        "title": "Learning aims",
        "series": "learners",
        "unit": {"name": "learner", "plural": "learners", "expression": "person_id"},
        "source": {"connector": "duckdb", "location": "learners.parquet"},
        "variables": {
            "person_id": {"role": "identifier", "title": "Learner"},
            "level": {"role": "dimension", "codelist": "level", "title": "Level"},
            "home": {"role": "dimension", "codelist": "geography", "title": "Area of home"},
            "month": {"role": "dimension", "codelist": "month", "title": "Month of start"},
            "hours": {
                "role": "measure",
                "title": "Guided hours",
                "decimals": 0,
                "minimum": 0,
                "maximum": 500,
                "step": 5,
            },
        },
        "relationships": {"person": {"to": "people", "from_column": "person_id", "to_column": "person_id"}},
        **common,
    }
    return {d["dataset"]: Dataset.model_validate(d) for d in (people, employers, learners)}


@dataclass(frozen=True)
class LabourMarket:
    folder: Path
    catalogue: Catalogue

    def context(self, **changes: Any) -> Context:
        agreement = self.catalogue.agreements["skills"]
        values: dict[str, Any] = {
            "catalogue": self.catalogue, "body": "ay", "agreement": agreement, "purpose": PURPOSE,
            "today": TODAY, **changes,
        }  # fmt: skip
        return Context(**values)


def write_data(folder: Path, people: int = 2000, seed: int = 1) -> None:
    rng = np.random.default_rng(seed)
    areas = np.array([a[0] for a in _AREAS])
    regions = dict(zip(areas, (a[4] for a in _AREAS), strict=True))
    weights = np.array([20, 15, 3, 8, 9, 15, 6, 2, 10, 5, 6, 1], float)
    firms = max(20, people // 25)
    area = rng.choice(areas, people, p=weights / weights.sum())
    work = np.where(rng.random(people) < 0.7, area, rng.choice(areas, people))
    status = rng.choice(["EMP", "SELF", "UNE", "INA"], people, p=[0.6, 0.1, 0.06, 0.24])
    employed = status == "EMP"
    occupation = rng.choice(CODELISTS["occupation"].leaf_level.codes, people)
    pay = np.round(rng.lognormal(6.1, 0.5, people).clip(20, 1995), 2)
    employer = rng.zipf(1.4, people) % firms
    keys = rng.integers(0, 100_000_000, people).astype(np.int32)
    firm_keys = rng.integers(0, 100_000_000, firms).astype(np.int32)
    table = pa.table(
        {
            "person_id": [f"P{i:07d}" for i in range(people)],
            "employer_id": pa.array([f"F{e:05d}" for e in employer], mask=~employed),
            "area": area,
            "region": [regions[a] for a in area],
            "work_area": pa.array(work, mask=~employed),
            "sex": rng.choice(["F", "M"], people),
            "age": rng.integers(16, 81, people).astype(np.int32),
            "occupation": pa.array(occupation, mask=~(employed | (status == "SELF"))),
            "status": status,
            "pay": pa.array([Decimal(str(p)) for p in pay], pa.decimal128(9, 2), mask=~employed),
            "hours": np.where(employed, rng.integers(1, 61, people), 0).astype(np.int32),
            "weight": pa.array(
                [Decimal(int(w)) / 2 for w in rng.integers(2, 9, people)], pa.decimal128(9, 2)
            ),
            "rkey": keys,
        }
    )
    pq.write_table(table, folder / "people.parquet")
    firm_table = {
        "employer_id": [f"F{e:05d}" for e in range(firms)],
        "size_band": rng.choice(["S", "M", "L"], firms, p=[0.7, 0.2, 0.1]),
        "seat": rng.choice(areas, firms),
        "turnover": rng.integers(1, 90000, firms).astype(np.int64),
        "rkey": firm_keys,
    }
    pq.write_table(pa.table(firm_table), folder / "employers.parquet")
    aims = people
    who = rng.integers(0, people, aims)
    learner_table = {
        "person_id": [f"P{i:07d}" for i in who],
        "level": rng.choice(["L2", "L3", "L4"], aims),
        "home": area[who],
        "month": rng.choice(CODELISTS["month"].leaf_level.codes, aims),
        "hours": rng.integers(0, 480, aims).astype(np.int32),
        "rkey": keys[who],
    }
    pq.write_table(pa.table(learner_table), folder / "learners.parquet")


def labour_market(
    folder: Path, profile: Profile, jurisdiction: bool = False, people: int = 2000, seed: int = 1
) -> LabourMarket:
    write_data(folder, people, seed)
    documents = datasets(folder, profile.profile)
    agreement = Agreement.model_validate(
        {
            "agreement": "skills",
            "title": "Skills planning agreement",
            "version": "1",
            "bodies": ["ay"],
            "datasets": ["people", "employers", "learners"],
            "purposes": [PURPOSE],
            "legal_gateway": "Digital Economy Act 2017, Part 5",
            "start": "2025-01-01",
            "review": "2026-06-01",
            "end": "2026-12-31",
            "jurisdiction": {"codelist": "geography", "elsewhere": "region"} if jurisdiction else None,
        }
    )
    catalogue = Catalogue(
        datasets={name: bind_dataset(document, CODELISTS) for name, document in documents.items()},
        codelists=CODELISTS,
        profiles={profile.profile: profile},
        bodies={
            "ay": Body(body="ay", title="Greater Ay", area_codelist="geography", area=("E0601", "E0602")),
            "office": Body(body="office", title="Statistics office"),
        },
        agreements={"skills": agreement},
        version="test",
    )
    return LabourMarket(folder, catalogue)
