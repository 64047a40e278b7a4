"""Code lists of the 2011 Census Microdata Teaching File for England and Wales.

The codes are those of the variable list that the Office for National Statistics published with the file; -9 ("no
code required") is a code of its own, because who has it is known: children, students away from home, and so on.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from examples.reference.classifications import read
from examples.reference.codelist import OGL, CodeListFile, Codes, Grouping, flat

SOURCE = (
    "Office for National Statistics, 2011 Census Microdata Teaching File for England and Wales, variable list, "
    f"{OGL}."
)
NOT_REQUIRED = "-9"
WALES = "W92000004"


def _numbered(*names: str) -> dict[str, str]:
    return {str(number): name for number, name in enumerate(names, start=1)}


def _list(
    name: str, title: str, names: Mapping[str, str], not_required: str = "", **groupings: Grouping
) -> CodeListFile:
    """A census list; ``not_required`` says who has code -9, if anybody."""
    codes = dict(names)
    if not_required:
        codes[NOT_REQUIRED] = f"No code required ({not_required})"
    return flat(name, title, SOURCE, "2011", codes).with_groupings(**groupings)


AWAY = "students or schoolchildren living away during term-time"


def region(reference: Path) -> CodeListFile:
    regions = {row["region_code"]: row["region_name"] for row in read(reference, "english_regions.csv")}
    names = {row["country_code"]: row["country_name"] for row in read(reference, "uk_countries.csv")}
    rows = [
        {"country": country, "country_name": names[country], "region": code, "region_name": title}
        for country, areas in (("E92000001", regions), (WALES, {WALES: names[WALES]}))
        for code, title in areas.items()
    ]
    levels = {"country": "Country", "region": "Region of England, or Wales"}
    return CodeListFile(
        "region", "Regions of England, and Wales", f"{SOURCE} GSS codes.", "2011", levels, rows
    )


def lists(reference: Path) -> tuple[CodeListFile, ...]:
    return (region(reference), *PEOPLE, *WORK)


PEOPLE = (
    _list("residence_type", "Residence type", {
        "H": "Not resident in a communal establishment",
        "C": "Resident in a communal establishment",
    }),
    _list("family_composition", "Family composition", _numbered(
        "Not in a family",
        "Married or same-sex civil partnership couple family",
        "Cohabiting couple family",
        "Lone parent family (male head)",
        "Lone parent family (female head)",
        "Other related family",
    ), f"residents of communal establishments, {AWAY}, short-term residents"),
    _list("population_base", "Population base", _numbered(
        "Usual resident",
        "Student living away from home during term-time",
        "Short-term resident",
    )),
    _list("sex", "Sex", _numbered("Male", "Female")),
    _list("age_band", "Age band", _numbered(
        "0 to 15", "16 to 24", "25 to 34", "35 to 44", "45 to 54", "55 to 64", "65 to 74", "75 and over",
    ), working_age=Grouping("Working age, younger and older", {
        "0-15": Codes("Aged 0 to 15", ("1",)),
        "16-64": Codes("Aged 16 to 64", ("2", "3", "4", "5", "6")),
        "65+": Codes("Aged 65 and over", ("7", "8")),
    })),
    _list("marital_status", "Marital status", _numbered(
        "Single (never married or never registered a same-sex civil partnership)",
        "Married or in a registered same-sex civil partnership",
        "Separated but still legally married or in a same-sex civil partnership",
        "Divorced or formerly in a same-sex civil partnership which is now legally dissolved",
        "Widowed or surviving partner from a same-sex civil partnership",
    )),
    _list("student", "Student (schoolchild or full-time student)", _numbered("Yes", "No")),
    _list("country_of_birth", "Country of birth", _numbered("United Kingdom", "Not the United Kingdom"), AWAY),
    _list("health", "General health", _numbered(
        "Very good health", "Good health", "Fair health", "Bad health", "Very bad health",
    ), AWAY, good_health=Grouping("Good health and less than good", {
        "good": Codes("Very good or good health", ("1", "2")),
        "not_good": Codes("Fair, bad or very bad health", ("3", "4", "5")),
    })),
    _list("ethnic_group", "Ethnic group", _numbered(
        "White",
        "Mixed",
        "Asian and Asian British",
        "Black or Black British",
        "Chinese or other ethnic group",
    ), f"not resident in England or Wales, {AWAY}"),
    _list("religion", "Religion", _numbered(
        "No religion",
        "Christian",
        "Buddhist",
        "Hindu",
        "Jewish",
        "Muslim",
        "Sikh",
        "Other religion",
        "Not stated",
    ), f"not resident in England or Wales, {AWAY}"),
)  # fmt: skip

WORK = (
    _list("economic_activity", "Economic activity", _numbered(
        "Economically active: employee",
        "Economically active: self-employed",
        "Economically active: unemployed",
        "Economically active: full-time student",
        "Economically inactive: retired",
        "Economically inactive: student",
        "Economically inactive: looking after home or family",
        "Economically inactive: long-term sick or disabled",
        "Economically inactive: other",
    ), f"aged under 16, {AWAY}", economically_active=Grouping("Economically active and inactive", {
        "active": Codes("Economically active", ("1", "2", "3", "4")),
        "inactive": Codes("Economically inactive", ("5", "6", "7", "8", "9")),
    })),
    _list("occupation", "Occupation", _numbered(
        "Managers, directors and senior officials",
        "Professional occupations",
        "Associate professional and technical occupations",
        "Administrative and secretarial occupations",
        "Skilled trades occupations",
        "Caring, leisure and other service occupations",
        "Sales and customer service occupations",
        "Process, plant and machine operatives",
        "Elementary occupations",
    ), f"aged under 16, never worked, {AWAY}", graduate_occupations=Grouping("Graduate occupations and others", {
        "graduate": Codes("Managers, professionals and associate professionals", ("1", "2", "3")),
        "other": Codes("Other occupations", ("4", "5", "6", "7", "8", "9")),
    })),
    _list("industry", "Industry", _numbered(
        "Agriculture, forestry and fishing",
        "Mining and quarrying; manufacturing; electricity, gas, steam and air conditioning; water supply",
        "Construction",
        "Wholesale and retail trade; repair of motor vehicles and motorcycles",
        "Accommodation and food service activities",
        "Transport and storage; information and communication",
        "Financial and insurance activities",
        "Real estate; professional, scientific and technical; administrative and support service activities",
        "Public administration and defence; compulsory social security",
        "Education",
        "Human health and social work activities",
        "Other community, social and personal service activities; households; extraterritorial bodies",
    ), f"aged under 16, never worked, {AWAY}"),
    _list("hours_worked", "Hours worked in a week", _numbered(
        "Part-time: 15 hours or less",
        "Part-time: 16 to 30 hours",
        "Full-time: 31 to 48 hours",
        "Full-time: 49 hours or more",
    ), f"aged under 16, not working, {AWAY}", working_pattern=Grouping("Full-time and part-time", {
        "part_time": Codes("Part-time", ("1", "2")),
        "full_time": Codes("Full-time", ("3", "4")),
    })),
    _list("social_grade", "Approximated social grade", _numbered("AB", "C1", "C2", "DE"),
        f"aged under 16, residents of communal establishments, {AWAY}"),
)  # fmt: skip
