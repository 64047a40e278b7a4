"""Code lists: every mistake in the document and in the file beside it, and what is built from sound ones."""

from __future__ import annotations

import pytest

from catalogue.codelists import CodeList, CodeListKind
from catalogue.leaves import LeafSet
from catalogue.loader import check_directory, load_catalogue
from tests.support.catalogue_files import FILES, Write

DOCUMENT, TABLE, AGE = "codelists/geography.yaml", "codelists/geography.csv", "codelists/age.yaml"


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        (TABLE, "E,England,N,North,E2,", "E,England,N,North,E1,", f"{TABLE}:3: the code `E1` stands twice, f"),
        (TABLE, "N,North,E2,Beeford", "N,North,,Beeford", f"{TABLE}:3: `area` is blank: every row is one lea"),
        (TABLE, ",E3,Ceeham,90000", ",E3,Ceeham", f"{TABLE}:4: has 6 columns where the header has 7"),
        (TABLE, "90000", "9e4", f"{TABLE}:4: `population` should be a whole number of people"),
        (TABLE, "region_name", "region_title", f"{TABLE}:1: the column `region_name` is missing; did you mea"),
        (TABLE, "region_name", "region", f"{TABLE}:1: the column `region` stands twice; remove one"),
        (TABLE, "N,North,E2", "N,Northern,E2", f"{TABLE}:3: `N` has another name here than above in `region_"),
        (TABLE, "E2,Beeford", "E2,E1", f"{TABLE}: `E1` in `area` names the code `E2` and is itself a code"),
        (TABLE, "E2,Beeford", 'E2,"Bee"ford', f"{TABLE}:3: is not valid CSV"),
        (DOCUMENT, "codelist: geography", "codelist: places", f"{DOCUMENT}:1:1: should be the file's name,"),
        (DOCUMENT, "file: geography.csv", "file: ../secrets.csv", f"{DOCUMENT}:6:1: `file` should stand besi"),
        (DOCUMENT, "file: geography.csv", "file: missing.csv", f"{DOCUMENT}:6:1: there is no file `missing.c"),
        (DOCUMENT, "file: geography.csv\n", "", f"{DOCUMENT}:1:1: `file` is missing; name the CSV file with"),
        (DOCUMENT, "kind: codes", "kind: codes\nminimum: 1", f"{DOCUMENT}:6:1: a list of codes has no `minim"),
        (DOCUMENT, "{name: region, ", "{name: country, ", f"{DOCUMENT}:9:5: the level `country` stands twice"),
        (DOCUMENT, "[E3, W]", "[E3, X]", f"{DOCUMENT}:15:46: `X` is no code of this list"),
        (DOCUMENT, "codes: [E3, W]", "codes: []", f"{DOCUMENT}:15:7: a part of a list of codes needs `codes"),
        (DOCUMENT, "codes: [E3, W]", "codes: [3]", f"{DOCUMENT}:15:42: `codes` should be text, but YAML"),
        (DOCUMENT, "codes: [E3, W]", "from: 1, to: 2", f"{DOCUMENT}:15:7: a part of a list of codes needs `c"),
        (AGE, "maximum: 110", "maximum: -1", f"{AGE}:7:1: `maximum` is below `minimum`"),
        (AGE, "maximum: 110", "maximum: 9999999", f"{AGE}:7:1: more than 100000 integers; band them"),
        (AGE, "minimum: 0\n", "", f"{AGE}:1:1: `minimum` is missing; a list of integers needs `minimum: …`"),
        (AGE, "minimum: 0", "minimum: 0\nfile: a.csv", f"{AGE}:7:1: a list of integers has no `file`; remove"),
        (AGE, "to: 64", "to: 640", f"{AGE}:11:7: `from` and `to` should be in order within 0 to 110"),
        (AGE, "from: 16, to: 64", "from: 64, to: 16", f"{AGE}:11:7: `from` and `to` should be in order withi"),
        (AGE, ", to: 64", "", f"{AGE}:11:7: a part of a list of integers needs `from` and `to` alone"),
    ],
)  # fmt: skip
def test_a_mistake_has_its_line(write: Write, file: str, old: str, new: str, expected: str) -> None:
    found = [str(fault) for fault in check_directory(write({file: (old, new)})).faults]
    assert any(fault.startswith(expected) for fault in found), found


def test_empty_undecodable_and_wholly_wrong_tables(write: Write) -> None:
    header = FILES[TABLE].splitlines()[0] + "\n"
    for content, expected in {
        header: f"{TABLE}:1: holds no code; add one row per leaf",
        b"\xff\xfe": f"{TABLE}:1: is not UTF-8; save the file in UTF-8",
    }.items():
        assert [str(fault) for fault in check_directory(write(files={TABLE: content})).faults] == [expected]
    many = header + "".join(f"E,England,N,North,E1,Ayton,{i}\n" for i in range(100))
    found = check_directory(write(files={TABLE: many})).faults
    assert len(found) == 26
    assert "holds 74 more mistakes of the kind" in [fault.message for fault in found]


def geography(write: Write) -> CodeList:
    return load_catalogue(write()).codelists["geography"]


def test_what_a_sound_list_holds(write: Write) -> None:
    codelist = geography(write)
    assert codelist.kind is CodeListKind.CODES
    assert [level.name for level in codelist.levels] == ["country", "region", "area"]
    assert codelist.leaf_level.codes[:2] == ("E1", "E2")
    assert codelist.level("region").codes[8:] == (None, None, None)
    assert list(codelist.nodes["country"]["W"]) == [8, 9, 10]
    assert codelist.leaves_of("W") == LeafSet.of([8, 9, 10], 11)
    assert codelist.leaves_of("E2") == LeafSet.of([1], 11)
    assert codelist.leaves_of("X") is None
    assert list(codelist.groupings["coastal"].parts[0].leaves) == [2, 8, 9, 10]
    age = load_catalogue(write()).codelists["age"]
    assert age.leaf_level.codes == tuple(range(111))
    assert age.groupings["working_age"].parts[0].leaves.runs() == ((16, 64),)


def test_a_list_cut_at_a_coarser_level(write: Write) -> None:
    """A table that holds regions alone is asked by region: its leaves are the regions."""
    whole = geography(write)
    cut = whole.cut("region")
    assert cut.leaf_level.codes == ("N", "S")
    assert cut.population == (860_000, 550_000)
    assert cut.level("country").codes == ("E", "E")
    assert cut.groupings == {}
    assert cut.digest != whole.digest
    assert whole.cut("country").leaf_level.codes == ("E", "W")
    assert whole.cut("area") is whole
    with pytest.raises(KeyError):
        whole.cut("parish")
    people = {
        "datasets/people.yaml": ("codelist: geography}", "codelist: geography, level: region}"),
        "areas/corridor.yaml": ("[E1, E3]", "[N, S]"),
    }
    dimension = load_catalogue(write(people)).datasets["people"].dimensions["area"]
    assert dimension.stored_values() == ("N", "S")


def test_groupings_of_whole_nodes_survive_a_cut(write: Write) -> None:
    changed = {DOCUMENT: ("codes: [E3, W]", "codes: [E6, E7, E8]")}
    cut = load_catalogue(write(changed)).codelists["geography"].cut("region")
    assert [list(part.leaves) for part in cut.groupings["coastal"].parts] == [[1]]
