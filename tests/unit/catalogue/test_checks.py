"""Each check between documents: what it says, at which line, with which mend."""

from __future__ import annotations

import pytest

from catalogue.loader import check_directory
from tests.support.catalogue_files import FILES, Write

PEOPLE, PROFILE, AGREEMENT = "datasets/people.yaml", "profiles/people.yaml", "agreements/gm.yaml"
AREA, RULE, BODIES = "areas/corridor.yaml", "rules/ages.yaml", "bodies/bodies.yaml"
AREA_LINE = "  area: {role: dimension, title: Area, codelist: geography}"
PAY_LINE = "pay: {role: measure, title: Pay, unit: pounds, decimals: 2, minimum: 0, maximum: 5000, step: 10}"
CELL_KEYS = "cell_keys:\n  counts: {maximum_noise: 2, variance: 1.05, smallest_published: 1}\n"


def line_of(file: str, text: str) -> int:
    return FILES[file][: FILES[file].index(text)].count("\n") + 1


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        # references
        (PEOPLE, "custodian: statistics_office", "custodian: nobody", "there is no body `nobody`; known are:"),
        (PEOPLE, "profile: people_profile", "profile: people_profil", "there is no profile `people_profil`;"),
        (PEOPLE, "codelist: geography}", "codelist: geografy}", "there is no code list `geografy`; did you m"),
        (PEOPLE, "to: geography", "to: employers", "there is no dataset `employers`; known are: people"),
        (AGREEMENT, "bodies: [gm]", "bodies: [gn]", "there is no body `gn`; known are: gm, "),
        (AGREEMENT, "datasets: [people]", "datasets: [peple]", "there is no dataset `peple`; did you mean `p"),
        (RULE, "dataset: people", "dataset: persons", "there is no dataset `persons`; "),
        # variables
        (PEOPLE, "title: Area, codelist: geography", "title: Area", "the dimension `area` has no code list;"),
        (PEOPLE, "level: region", "level: regoin", "the code list `geography` has no level `regoin`; did you"),
        (PEOPLE, ", of: area, level: region", ", of: areas, level: region", "there is no dimension `areas`;"),
        (PEOPLE, ", level: region, stored", ", stored", "`region` does not say which level it holds; add `le"),
        (PEOPLE, "of: area", "codelist: age, of: area", "`area` has another code list: both are columns of o"),
        (PEOPLE, "codelist: age, nullable: true", "codelist: age, stored: false", "only a column that follow"),
        (PEOPLE, "maximum: 5000, ", "", "a grid needs `maximum` too; add `maximum: …`"),
        (PEOPLE, "maximum: 5000", "maximum: -1", "`maximum` should be above `minimum`"),
        (PEOPLE, "step: 10}", "step: 7}", "`maximum` is no whole number of steps above `minimum`"),
        (PEOPLE, "step: 10}", "step: 0.001}", "the grid has more than 1,000,000 steps; widen `step`"),
        (PEOPLE, "decimals: 2, minimum: 0,", "decimals: 0, minimum: 0.5,", "`maximum` is no whole number of"),
        (PEOPLE, "maximum: 5000, step: 10}", "uses: [group]}", "`pay` can't be grouped or filtered without a"),
        (PEOPLE, "title: Weight", "codelist: age", "`title` is missing"),
        (PEOPLE, "title: Weight", "title: Weight, codelist: age", "`codelist` belongs to a dimension, but th"),
        (PEOPLE, "title: Weight", "title: Weight, uses: [filter]", "a weight can't be used in a query; remov"),
        (PEOPLE, "weight: grossing", "weight: pay", "there is no variable `pay` of role weight; known are: g"),
        (PEOPLE, "role: weight", "role: wieght", "`wieght` is not allowed for `role`; did you mean `weight`?"),
        # expressions
        (PEOPLE, "expression: person_id", "expression: Person ID", "`Person ID` is not one SQL expression; q"),
        (PEOPLE, "record_key: record_key", "record_key: sum(k)", "`sum(k)` holds an aggregate"),
        (PEOPLE, "record_key: record_key", "record_key: (SELECT 1)", "`(SELECT 1)` holds a query"),
        (PEOPLE, "record_key: record_key", "record_key: a; DROP TABLE t", "`a; DROP TABLE t` is not one SQL"),
        (PEOPLE, "record_key: record_key", "record_key: k + random()", "`k + random()` depends on chance"),
        (PEOPLE, "record_key: record_key", "record_key: '1'", "`1` reads no column"),
        (PEOPLE, "record_key: record_key", "record_key: read_csv('/x')", "`read_csv('/x')` holds a table fun"),
        (PEOPLE, "to_column: area", "to_column: aera", "the code list `geography` has no level `aera`; did y"),
        # profiles
        (PROFILE, CELL_KEYS, "", "hides cells and publishes exact values: two queries may give a hidden cell"),
        (PROFILE, CELL_KEYS, "accept_cross_query_risk: one table a year\n", "without `registered_tables` the"),
        (PROFILE, "maximum_noise: 2, ", "", "a p-table needs `maximum_noise`; add `maximum_noise: …` or name"),
        (PROFILE, "maximum_noise: 2", "named: ten_five", "a named p-table takes no parameters; remove `named"),
        (PROFILE, "cell_keys:", "dominance: {dominance_n: 1}\ncell_keys:", "the dominance rule needs both `d"),
        (PROFILE, "cell_keys:", "dominance: {coalition: 2}\ncell_keys:", "a coalition belongs to the p% rule"),
        (PROFILE, "cell_keys:", "quantiles: [50]\ncell_keys:", "a quantile should lie between 0 and 1; write"),
        (PROFILE, "cell_keys:", "class_disclosure: {dimensions: [pay]}\ncell_keys:", "no dataset under this"),
        (PROFILE, "cell_keys:", "rounding: {zero_below: 2.5}\ncell_keys:", "counts from `zero_below` to the mini"),
        (PROFILE, "cell_keys:", "rounding: {magnitude_base: {pay: 0}}\ncell_keys:", "a rounding base should"),
        # bodies, agreements, rules
        (BODIES, "area: [E1, E2]", "area: [E1, Beeford]", "`Beeford` is no code of `geography`; the code of"),
        (AGREEMENT, "end: 2027-01-01", "end: 2024-01-01", "`end` should be after `start`"),
        (AGREEMENT, "review: 2026-01-01", "review: 2028-01-01", "`review` should lie between `start` and `en"),
        (AGREEMENT, "purposes: [skills planning]", "purposes: []", "`purposes` is empty: the agreement permi"),
        (AGREEMENT, "elsewhere: region", "elsewhere: regions", "the code list `geography` has no level `regi"),
        (AGREEMENT, "elsewhere: region", "elsewhere: area", "`area` is the finest level: the jurisdiction wo"),
        (AGREEMENT, "{codelist: geography, elsewhere: region}", "{codelist: age, elsewhere: value}", "`value"),
        (AGREEMENT, "variable: age", "variable: pay", "`people` has no dimension `pay` to filter by"),
        (AGREEMENT, "codes: [16, 17]", "codes: [16, 170]", "`170` is no code of `age`"),
        (AGREEMENT, "masked_variables: [pay]", "masked_variables: [pays]", "no dataset of the agreement has"),
        (RULE, "dimensions: [age, area]", "dimensions: [age, pay]", "`people` has no dimension `pay`"),
        (RULE, "until: 2026-02-01", "until: 2024-02-01", "`until` is before `decided_on`: the rule never app"),
        (PEOPLE, "codelist: geography}", "codelist: geography, level: country}", "the code list `geography` has no le"),
        # areas
        (AREA, "area: corridor", "area: ayton", "`ayton` is also a code or a name in level `area`; rename the area"),
        (AREA, "codes: [E1, E3]", "codes: [E1, E9]", "`E9` is no code of `geography`; did you mean `E"),
        (AREA, "codelist: geography", "codelist: age", "`age` has no public population figures, which custom"),
        (AREA, "approved_by: Statistics office\n", "", "`approved_by` is missing; add `approved_by: …`"),
    ],
)  # fmt: skip
def test_a_broken_link_is_named(write: Write, file: str, old: str, new: str, message: str) -> None:
    report = check_directory(write({file: (old, new)}))
    assert report.catalogue is None
    matching = [fault for fault in report.faults if f"{fault.message}; {fault.mend}".startswith(message)]
    assert matching, [str(fault) for fault in report.faults]
    assert all(fault.file == file for fault in matching)
    line = line_of(file, old)
    # A key that is missing is reported at what should hold it, so at or above the place of the change.
    assert all(fault.line <= line + 1 and fault.line > 0 for fault in matching)
    if "is missing" not in message and "profile" not in file and "level: country" not in new:
        assert matching[0].line == line


def test_a_column_of_a_registered_grouping_is_never_stored(write: Write) -> None:
    """Its parts follow from the leaves; a stored column of parts would be a code list of its own."""
    coast = {PEOPLE: ("level: region, stored: false", "level: coastal, stored: false")}
    assert check_directory(write(coast)).faults == ()
    stored = check_directory(write({PEOPLE: ("level: region, stored: false", "level: coastal")}))
    assert [fault.message for fault in stored.faults] == ["the code list `geography` has no level `coastal`"]


def test_a_dataset_and_a_code_list_are_not_called_alike(write: Write) -> None:
    report = check_directory(write({PEOPLE: ("dataset: people", "dataset: age")}))
    assert f"{PEOPLE}:1:1: a code list is called `age` too; rename one: both are tables" in map(
        str, report.faults
    )


def test_a_second_unit_that_the_profile_needs(write: Write) -> None:
    report = check_directory(
        write({PROFILE: ("minimum_frequency: 10", "minimum_frequency: 10, minimum_second_units: 3")})
    )
    assert [str(fault) for fault in report.faults] == [
        f"{PEOPLE}:7:1: the profile `people_profile` needs a second unit, which `people` does not name; "
        "add `second: {name: …, expression: …}` or use another profile"
    ]


def test_a_jurisdiction_binds_every_dataset(write: Write) -> None:
    ages = FILES[PEOPLE].replace("dataset: people", "dataset: ages").replace(AREA_LINE + "\n", "")
    ages = "\n".join(line for line in ages.splitlines() if not line.startswith("  region"))
    report = check_directory(
        write({AGREEMENT: ("datasets: [people]", "datasets: [people, ages]")}, {"datasets/ages.yaml": ages})
    )
    assert [str(fault) for fault in report.faults] == [
        f"{AGREEMENT}:5:20: `ages` has no dimension of `geography`, so the jurisdiction can't be enforced; "
        "give the dataset an agreement of its own"
    ]


def area(name: str, codes: str) -> str:
    return FILES[AREA].replace("area: corridor", f"area: {name}").replace("[E1, E3]", codes)


def test_areas_of_a_dataset_are_equal_or_far_apart(write: Write) -> None:
    files = {"areas/a.yaml": area("a", "[E1, E2, E8]"), "areas/b.yaml": area("b", "[E1, E2, E8, W1]")}
    wide = {PROFILE: ("cell_keys:", "limits: {minimum_area_difference: 65000}\ncell_keys:")}
    assert [str(fault) for fault in check_directory(write(wide, files)).faults] == [
        "areas/b.yaml:6:1: differs from the area `a` by 60,000 people, fewer than the 65,000 of the profile; "
        "make the two equal or further apart"
    ]
    assert check_directory(write(wide, files | {"areas/b.yaml": area("b", "[E8, E2, E1]")})).faults == ()
    assert check_directory(write(None, files)).faults == ()


def test_an_area_is_no_finer_than_the_table(write: Write) -> None:
    report = check_directory(write({PEOPLE: ("codelist: geography}", "codelist: geography, level: region}")}))
    assert [str(fault) for fault in report.faults] == [
        f"{AREA}:6:{column}: `{code}` is finer than level `region`, which is what `people` holds; "
        "use codes of that level or above"
        for column, code in ((9, "E1"), (13, "E3"))
    ]


def test_a_custom_area_keeps_to_the_jurisdiction(write: Write) -> None:
    """Own areas E1 and E2 in full, others by region: E1 with E3 would give E3 away, all of the north would not."""
    corridor = FILES[AREA].replace("body: south", "body: gm")
    assert [str(fault) for fault in check_directory(write(None, {AREA: corridor})).faults] == [
        f"{AREA}:6:1: singles out E3, E4, E5, which `gm_people` lets `gm` see in groups of 3 and more only; "
        "leave foreign areas out, or take in enough of them"
    ]
    for codes in ("[E1, E2]", "[N]", "[E1, E3, E4, E5]", "[E1, S]"):
        assert check_directory(write(None, {AREA: corridor.replace("[E1, E3]", codes)})).faults == ()
    pair = {AREA: corridor.replace("[E1, E3]", "[E1, W]"), "areas/second.yaml": area("second", "[E2, W1]")}
    pair["areas/second.yaml"] = pair["areas/second.yaml"].replace("body: south", "body: gm")
    assert "singles out W1, W2, W3" in str(check_directory(write(None, pair)).faults[0])


def test_an_authority_is_in_few_areas(write: Write) -> None:
    files = {f"areas/with_{n}.yaml": area(f"with_{n}", f"[E1, E{n}]") for n in (2, 4, 5)}
    assert [str(fault) for fault in check_directory(write(None, files)).faults] == [
        "areas/with_5.yaml:6:1: `E1` is in 4 different areas, more than the 3 of the profile; take it out of one"
    ]


def warnings(write: Write, *changes: object) -> list[str]:
    report = check_directory(write(*changes))
    assert report.faults == ()
    return [str(warning) for warning in report.warnings]


def test_a_sound_catalogue_warns_of_nothing_but_the_grouping(write: Write) -> None:
    assert warnings(write, {"codelists/geography.yaml": ("[E3, W]", "[E3, W1]")}) == []


def test_slivers_between_groupings_and_nodes(write: Write) -> None:
    assert warnings(write) == [
        "codelists/geography.yaml:15:7: `coast` of `coastal` differs from the node `W` by the one leaf `E3`; "
        "review whether both are needed"
    ]


def test_warnings_about_profiles(write: Write) -> None:
    coarse = {"codelists/geography.yaml": ("[E3, W]", "[E3, W1]")}
    assert "the minimum frequency does nothing" in warnings(
        write, coarse | {PROFILE: ("smallest_published: 1", "smallest_published: 10")}
    )[0]  # fmt: skip
    open_data = {
        PROFILE: FILES[PROFILE]
        .replace(CELL_KEYS, "")
        .replace("minimum_frequency: 10", "minimum_frequency: 1")
    }
    assert "hides and changes nothing but by rounding" in warnings(write, coarse, open_data)[0]


def test_a_jurisdiction_that_is_coarsened_is_told(write: Write) -> None:
    sixth = {BODIES: ("area: [E1, E2]", "area: [N, E6]"), "codelists/geography.yaml": ("[E3, W]", "[E3, W1]")}
    assert warnings(write, sixth) == [
        f"{AGREEMENT}:4:10: `gm` sees what is not its own of S as one area only, of 5: "
        "apart it would single out a neighbour"
    ]


def test_a_relationship_whose_end_is_not_proven_unique(write: Write) -> None:
    jobs = FILES[PEOPLE].replace("dataset: people", "dataset: jobs")
    proven = jobs.replace("{to: geography, from_column: area, to_column: area}",
                          "{to: people, from_column: person_id, to_column: person_id}")  # fmt: skip
    unproven = proven.replace("to_column: person_id", "to_column: household_id")
    coarse = {"codelists/geography.yaml": ("[E3, W]", "[E3, W1]")}
    assert warnings(write, coarse, {"datasets/jobs.yaml": proven}) == []
    assert "nothing says that `people` has one row for each `household_id`" in warnings(
        write, coarse, {"datasets/jobs.yaml": unproven}
    )[0]  # fmt: skip


def test_an_area_that_is_nearly_a_node(write: Write) -> None:
    changes = {
        AREA: ("codes: [E1, E3]", "codes: [E6, E7]"),
        PROFILE: ("cell_keys:", "limits: {minimum_area_difference: 80000}\ncell_keys:"),
        "codelists/geography.yaml": ("[E3, W]", "[E3, W1]"),
    }
    assert warnings(write, changes) == [
        f"{AREA}:6:1: differs by 70,000 people from an area of `geography` that anybody may ask for; "
        "review whether the difference singles somebody out"
    ]
