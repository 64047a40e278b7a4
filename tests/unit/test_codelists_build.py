"""The committed code lists are what the script makes of the reference data, and hang together."""

import csv
from pathlib import Path

import pytest
import yaml

from examples.reference import build_codelists

LABOUR_MARKET = build_codelists.REPOSITORY / "examples/labour_market/codelists"
CENSUS = build_codelists.REPOSITORY / "examples/census/codelists"
COMMITTED = [*sorted(LABOUR_MARKET.glob("*.yaml")), *sorted(CENSUS.glob("*.yaml"))]


def header_of(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def leaves_of(path: Path) -> list[dict[str, str]]:
    with (path.parent / header_of(path)["file"]).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.reference
def test_building_again_gives_the_committed_files(reference_data: Path, tmp_path: Path) -> None:
    built = {"labour_market": LABOUR_MARKET, "census": CENSUS}
    out = ["--out", str(tmp_path / "labour_market"), "--census-out", str(tmp_path / "census")]
    build_codelists.main(["--reference", str(reference_data), *out])
    for name, committed in built.items():
        again = {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        assert again == {path.name: path.read_bytes() for path in committed.iterdir()}


@pytest.mark.reference
def test_every_value_of_the_teaching_file_has_a_code(reference_data: Path) -> None:
    columns = {
        "Region": "region", "Residence Type": "residence_type", "Family Composition": "family_composition",
        "Population Base": "population_base", "Sex": "sex", "Age": "age_band", "Marital Status": "marital_status",
        "Student": "student", "Country of Birth": "country_of_birth", "Health": "health",
        "Ethnic Group": "ethnic_group", "Religion": "religion", "Economic Activity": "economic_activity",
        "Occupation": "occupation", "Industry": "industry", "Hours worked per week": "hours_worked",
        "Approximated Social Grade": "social_grade",
    }  # fmt: skip
    with (reference_data / "census-2011-teaching-sample.csv").open(encoding="utf-8", newline="") as file:
        people = list(csv.DictReader(file))
    assert {path.stem for path in CENSUS.glob("*.yaml")} == set(columns.values())
    for column, name in columns.items():
        codes = {row[name] for row in leaves_of(CENSUS / f"{name}.yaml")}
        assert {person[column] for person in people} == codes, column


def test_missing_reference_data_is_said_plainly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_codelists.main(["--reference", str(tmp_path)])
    assert "no reference data" in capsys.readouterr().err


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: f"{path.parts[-3]}/{path.stem}")
def test_code_list_is_whole(path: Path) -> None:
    header = header_of(path)
    assert header["codelist"] == path.stem
    assert header["source"]
    if header["kind"] == "integers":
        known = set(range(header["minimum"], header["maximum"] + 1))
    else:
        rows = leaves_of(path)
        levels = [level["name"] for level in header["levels"]]
        leaves = [row[levels[-1]] for row in rows]
        assert len(leaves) == len(set(leaves)), "a leaf stands twice"
        assert all(leaves)
        known = {row[level] for row in rows for level in levels}
        for level in levels:
            titles = {row[level]: row[f"{level}_name"] for row in rows if row[level]}
            assert all(row[f"{level}_name"] == titles.get(row[level], "") for row in rows), level
    for name, grouping in header.get("groupings", {}).items():
        parts = [
            set(range(part["from"], part["to"] + 1)) if "from" in part else set(part["codes"])
            for part in grouping["parts"].values()
        ]
        assert set().union(*parts) <= known, name
        assert sum(map(len, parts)) == len(set().union(*parts)), f"parts of {name} overlap"


def test_geography_holds_every_district_with_the_recodes_of_2025() -> None:
    districts = {row["local_authority"]: row for row in leaves_of(LABOUR_MARKET / "geography.yaml")}
    assert len(districts) == 361
    assert {
        code: row["local_authority_2024"]
        for code, row in districts.items()
        if row["local_authority_2024"] != code
    } == {"E08000038": "E08000016", "E08000039": "E08000019"}
    assert all(row["region"] and row["country"] and int(row["population"]) > 0 for row in districts.values())
    # South Yorkshire kept its members, and its members their names, through the recode.
    members = {
        row["local_authority_name"] for row in districts.values() if row["combined_authority"] == "E47000002"
    }
    assert members == {"Barnsley", "Doncaster", "Rotherham", "Sheffield"}


def test_geography_levels_need_not_nest() -> None:
    rows = leaves_of(LABOUR_MARKET / "geography.yaml")
    north_east = {row["lsip_name"] for row in rows if row["combined_authority_name"] == "North East"}
    assert north_east == {"North East", "North of Tyne"}
    lincolnshire = {
        row["region_name"] for row in rows if row["combined_authority_name"] == "Greater Lincolnshire"
    }
    assert lincolnshire == {"East Midlands", "Yorkshire and The Humber"}


def test_occupations_have_every_group_of_the_published_structure() -> None:
    rows = leaves_of(LABOUR_MARKET / "soc2020.yaml")
    sizes = {level: len({row[level] for row in rows}) for level in ("major", "sub_major", "minor", "unit")}
    assert sizes == {"major": 9, "sub_major": 26, "minor": 104, "unit": 412}
