"""The classifications of the labour market: areas, occupations, industries, qualifications, ages, statuses."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from examples.reference.codelist import OGL, CodeListFile, Codes, Grouping, Interval, flat

Row = Mapping[str, str]

NATIONS = {"N92000002", "S92000003", "W92000004"}


def read(reference: Path, name: str) -> list[Row]:
    with (reference / "codes" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def geography(reference: Path) -> CodeListFile:
    """Local authority districts and what they belong to.

    Outside England, which alone has regions, the nation stands in the region's place, as in the "regions and
    nations" tables of official statistics, so that every authority has a region.
    """
    population = {
        row["lad_code"]: row["population_total"] for row in read(reference, "lad_population_reference.csv")
    }
    rows = []
    for lad in sorted(read(reference, "uk_lad_lookup_2025.csv"), key=lambda row: row["lad_code"]):
        region = "country" if lad["country_code"] in NATIONS else "region"
        row = {"local_authority_2024": lad["lad_code_pre2025"] or lad["lad_code"]}
        row["local_authority_2024_name"] = lad["lad_name"]
        for level, source in {
            "country": "country",
            "region": region,
            "devolved_area": "devolved_area",
            "combined_authority": "cauth",
            "lsip": "lsip",
            "local_authority": "lad",
        }.items():
            row |= {level: lad[f"{source}_code"], f"{level}_name": lad[f"{source}_name"]}
        rows.append(row | {"population": population[lad["lad_code"]]})
    return CodeListFile(
        "geography",
        "Local authority districts of the United Kingdom, April 2025",
        f"Source: Office for National Statistics licensed under the {OGL}; contains OS data © Crown copyright "
        "and database right 2025. Membership from the ONS Open Geography look-ups of districts to combined "
        "authorities (May 2025), local skills improvement plan areas (2023), regions and countries. Population: "
        "mid-year estimates of ONS (England and Wales 2020), NISRA (2021) and NRS (2022), brought to the "
        "districts of 2025; the years differ, so use it for weights and minimum sizes alone.",
        "2025",
        {
            "country": "Country",
            "region": "Region of England, or nation",
            "devolved_area": "Devolved area: combined authority or Greater London",
            "combined_authority": "Combined authority",
            "lsip": "Local skills improvement plan area",
            "local_authority_2024": "Local authority district, by its code before the recodes of April 2025",
            "local_authority": "Local authority district",
        },
        rows,
        population="population",
    )


def soc2020(reference: Path) -> CodeListFile:
    """Occupations. The first one, two and three digits of a unit group are its coarser groups."""
    units = {row["soc2020_code"]: row for row in read(reference, "soc2020.csv")}
    digits = {"major": 1, "sub_major": 2, "minor": 3, "unit": 4}
    rows = []
    for code in sorted(code for code, row in units.items() if row["level"] == "unit"):
        row: dict[str, str] = {}
        for level, length in digits.items():
            row |= {level: code[:length], f"{level}_name": units[code[:length]]["title"]}
        rows.append(row)
    return CodeListFile(
        "soc2020",
        "Standard Occupational Classification 2020",
        f"Office for National Statistics, SOC 2020 Volume 1 (structure of 16 April 2025), {OGL}.",
        "2020",
        {
            "major": "Major group",
            "sub_major": "Sub-major group",
            "minor": "Minor group",
            "unit": "Unit group",
        },
        rows,
        groupings={
            "graduate_occupations": Grouping(
                "Graduate occupations (major groups 1 to 3) and others",
                {
                    "graduate": Codes("Graduate occupations", ("1", "2", "3")),
                    "other": Codes("Other occupations", ("4", "5", "6", "7", "8", "9")),
                },
            ),
            "skill_level": Grouping(
                "Skill level (SOC 2020 Volume 1, skill levels of sub-major groups)",
                {
                    "4": Codes("Level 4", ("11", "21", "22", "23", "24")),
                    "3": Codes("Level 3", ("12", "31", "32", "33", "34", "35", "51", "52", "53", "54")),
                    "2": Codes("Level 2", ("41", "42", "61", "62", "63", "71", "72", "81", "82")),
                    "1": Codes("Level 1", ("91", "92")),
                },
            ),
        },
    )


def sic2007(reference: Path) -> CodeListFile:
    sections = {row["sic_section"]: row["title"] for row in read(reference, "sic2007_sections.csv")}
    rows = [
        {
            "section": row["sic_section"],
            "section_name": sections[row["sic_section"]],
            "division": row["sic_division"],
            "division_name": row["title"],
        }
        for row in sorted(read(reference, "sic2007_divisions.csv"), key=lambda row: row["sic_division"])
    ]
    aps = {
        "A": "Agriculture, forestry and fishing",
        "BDE": "Energy and water",
        "C": "Manufacturing",
        "F": "Construction",
        "GI": "Distribution, hotels and restaurants",
        "HJ": "Transport and communication",
        "KLMN": "Banking, finance and insurance",
        "OPQ": "Public administration, education and health",
        "RSTU": "Other services",
    }
    return CodeListFile(
        "sic2007",
        "Standard Industrial Classification 2007",
        f"Office for National Statistics, UK SIC 2007, {OGL}.",
        "2007",
        {"section": "Section", "division": "Division"},
        rows,
        groupings={
            "aps_industry": Grouping(
                "Industry as in tables of the Annual Population Survey",
                {letters: Codes(title, tuple(letters)) for letters, title in aps.items()},
            ),
            "broad_sector": Grouping(
                "Agriculture, production, construction and services",
                {
                    "agriculture": Codes("Agriculture, forestry and fishing", ("A",)),
                    "production": Codes("Production", tuple("BCDE")),
                    "construction": Codes("Construction", ("F",)),
                    "services": Codes("Services", tuple("GHIJKLMNOPQRSTU")),
                },
            ),
        },
    )


def qualification(reference: Path) -> CodeListFile:
    names = {
        row["code"]: row["label"]
        for row in read(reference, "qualification_levels.csv")
        if row["scheme"] in {"APS RQF (2022 on)", "APS RQF/NVQ"}
    }
    base = flat(
        "qualification",
        "Highest qualification, Regulated Qualifications Framework",
        "Categories of the Annual Population Survey (ONS) from 2022 on; the short codes are this project's.",
        "2022",
        names,
    )
    higher = ("RQF4PLUS", "RQF3")
    return base.with_groupings(
        rqf3_and_above=Grouping(
            "RQF level 3 and above, and below",
            {
                "RQF3PLUS": Codes("RQF3 and above", higher),
                "below": Codes("Below RQF3", tuple(code for code in names if code not in higher)),
            },
        ),
        any_qualification=Grouping(
            "With and without a qualification",
            {
                "with": Codes("With a qualification", tuple(code for code in names if code != "NONE")),
                "without": Codes("No qualifications", ("NONE",)),
            },
        ),
    )


def learning_level(reference: Path) -> CodeListFile:
    names = {
        row["code"]: row["label"]
        for row in read(reference, "qualification_levels.csv")
        if row["scheme"] == "ILR notional level"
    }
    base = flat(
        "learning_level",
        "Notional level of a learning aim",
        f"Department for Education, Individualised Learner Record, {OGL}.",
        "2025",
        names,
    )
    return base.with_groupings(
        level_band=Grouping(
            "Below level 2, level 2, level 3, level 4 and above",
            {
                "below_2": Codes("Below level 2", ("E", "1")),
                "2": Codes("Level 2", ("2",)),
                "3": Codes("Level 3", ("3",)),
                "4_plus": Codes("Level 4 and above", ("4", "5", "6", "7", "8")),
            },
        ),
        level_3_and_above=Grouping(
            "Level 3 and above, and below",
            {
                "3_plus": Codes("Level 3 and above", ("3", "4", "5", "6", "7", "8")),
                "below_3": Codes("Below level 3", ("E", "1", "2")),
            },
        ),
    )


def economic_status(reference: Path) -> CodeListFile:
    """Economic activity over its detail: the kind of work, unemployment, or the reason for inactivity."""
    titles: dict[str, dict[str, str]] = {}
    for row in read(reference, "employment_status.csv"):
        titles.setdefault(row["variable"], {})[row["code"]] = row["label"]
    activity = titles["economic_activity"]
    leaves = [("EMP", titles["employment_type"]), ("UNE", {"UNE": activity["UNE"]})]
    leaves.append(("INA", titles["inactivity_reason"]))
    rows = [
        {
            "economic_activity": parent,
            "economic_activity_name": activity[parent],
            "economic_status": code,
            "economic_status_name": label,
        }
        for parent, children in leaves
        for code, label in children.items()
    ]
    return CodeListFile(
        "economic_status",
        "Economic activity and status in employment",
        f"Categories of the Annual Population Survey (ONS, {OGL}); the short codes are this project's.",
        "2025",
        {"economic_activity": "Economic activity", "economic_status": "Economic status"},
        rows,
        groupings={
            "economically_active": Grouping(
                "Economically active and inactive",
                {
                    "active": Codes("Economically active", ("EMP", "UNE")),
                    "inactive": Codes("Economically inactive", ("INA",)),
                },
            ),
        },
    )


def working_pattern(reference: Path) -> CodeListFile:
    names = {
        row["code"]: row["label"]
        for row in read(reference, "employment_status.csv")
        if row["variable"] == "working_pattern"
    }
    source = f"Categories of the Annual Population Survey (ONS, {OGL}); the short codes are this project's."
    return flat("working_pattern", "Full-time or part-time", source, "2025", names)


def sector_subject_area(reference: Path) -> CodeListFile:
    return flat(
        "sector_subject_area",
        "Sector subject area, tier 1",
        f"Ofqual and Department for Education, {OGL}.",
        "2025",
        {row["ssa_t1_code"]: row["ssa_t1_name"] for row in read(reference, "ilr_ssa_tier1.csv")},
    )


def sex(reference: Path) -> CodeListFile:
    names = {row["code"]: row["label"] for row in read(reference, "sex.csv") if row["code"] != "_T"}
    return flat("sex", "Sex", "SDMX code list CL_SEX, the codes for male and female.", "2.1", names)


YOUNGEST = 16
OLDEST = 110


def age(reference: Path) -> CodeListFile:
    """The ages of the survey's population alone: with younger ones "under 65" would be an ad-hoc set, which differs
    from working age by nobody and so could never be shown."""
    return CodeListFile(
        "age",
        "Age in completed years, 16 and over",
        f"Age bands as published by the Office for National Statistics, {OGL}.",
        "2025",
        integers=(YOUNGEST, OLDEST),
        groupings={
            "working_age": Grouping("Working age", {"16-64": Interval("Aged 16 to 64", 16, 64)}),
            "adult": ADULT,
            "five_year_bands": _bands(5),
            "ten_year_bands": _bands(10),
            "aps_bands": _scheme(reference, "APS", "Age bands of the Annual Population Survey"),
            "ashe_bands": _scheme(reference, "ASHE", "Age bands of the Annual Survey of Hours and Earnings"),
        },
    )


def learner_age(reference: Path) -> CodeListFile:
    """A list apart from ``age``: side by side with its bands these would single out the ages 18 and 19."""
    return CodeListFile(
        "learner_age",
        "Age in completed years at the start of learning",
        f"Age bands as published by the Department for Education, {OGL}.",
        "2025",
        integers=(0, OLDEST),
        groupings={
            "adult": ADULT,
            "further_education_bands": _scheme(reference, "FES", "Age bands of further education statistics"),
            "apprenticeship_bands": Grouping(
                "Age bands of apprenticeship statistics",
                {
                    "U19": Interval("Under 19", 0, 18),
                    "19-24": Interval("19 to 24", 19, 24),
                    "25+": Interval("25 and over", 25, OLDEST),
                },
            ),
        },
    )


ADULT = Grouping("Adults in further education", {"19+": Interval("Aged 19 and over", 19, OLDEST)})


def _scheme(reference: Path, scheme: str, title: str) -> Grouping:
    """Bands of a published scheme, without those that span others (working age; 25 and over)."""
    rows = [row for row in read(reference, "age_bands.csv") if row["scheme"] == scheme]
    return Grouping(
        title,
        {
            row["code"]: Interval(row["label"], int(row["min_age"]), int(row["max_age"] or OLDEST))
            for row in rows
            if row["code"] not in {"16-64", "25+"}
        },
    )


def _bands(width: int) -> Grouping:
    """Bands that start at multiples of ``width``, but for the youngest; the oldest is open."""
    parts = {}
    for start in range(YOUNGEST // width * width, OLDEST, width):
        first, last = max(start, YOUNGEST), start + width - 1
        parts[f"{first}-{last}"] = Interval(f"Aged {first} to {last}", first, last)
    parts[f"{OLDEST}+"] = Interval(f"Aged {OLDEST} and over", OLDEST, OLDEST)
    return Grouping(f"{width}-year age bands", parts)


BUILDERS = (
    geography, soc2020, sic2007, qualification, learning_level, economic_status, working_pattern,
    sector_subject_area, sex, age, learner_age,
)  # fmt: skip
