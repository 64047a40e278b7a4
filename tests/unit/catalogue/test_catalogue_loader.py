"""A directory loads as a whole, or every mistake in it is named with file, line and mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalogue.faults import CatalogueError
from catalogue.loader import check_directory, load_catalogue
from tests.support.catalogue_files import FILES, Write


def faults(directory: Path, packs: dict[str, str] | None = None) -> list[str]:
    return [str(fault) for fault in check_directory(directory, packs).faults]


def test_a_sound_directory_loads(write: Write) -> None:
    catalogue = load_catalogue(write())
    assert set(catalogue.datasets) == {"people"}
    assert (
        catalogue.datasets["people"].dimension_of("region") == catalogue.datasets["people"].dimensions["area"]
    )
    assert catalogue.codelists["geography"].size == 11
    assert catalogue.codelists["geography"].population is not None
    assert set(catalogue.standing_rules) == {"ages"}
    assert set(catalogue.areas) == {"corridor"}
    profile = catalogue.profile_of("people")
    assert profile is not None
    assert profile.frequency.minimum_frequency == 10


def test_the_version_follows_content_not_layout(write: Write) -> None:
    before = load_catalogue(write()).version
    reordered = (
        FILES["rules/ages.yaml"].replace("title: Ages by area\n", "") + "# said later\ntitle: Ages by area\n"
    )
    assert load_catalogue(write(files={"rules/ages.yaml": reordered})).version == before
    assert load_catalogue(write({"rules/ages.yaml": ("Ages by area", "Ages")})).version != before
    assert load_catalogue(write({"codelists/geography.csv": ("200000", "200001")})).version != before


def test_all_mistakes_are_reported_at_once(write: Write) -> None:
    directory = write(
        {
            "datasets/people.yaml": ("publisher: statistics_office", "publisher: statistic_office"),
            "bodies/bodies.yaml": ("  area: [E1, E2]", "  areas: [E1, E2]"),
            "rules/ages.yaml": ("decided_by: Statistics office\n", ""),
            "profiles/people.yaml": ("minimum_frequency: 10", "minimum_frequency: 0"),
        }
    )
    assert faults(directory) == [
        "bodies/bodies.yaml:6:3: unknown key `areas`; did you mean `area`?",
        "datasets/people.yaml:4:1: there is no body `statistic_office`; did you mean `statistics_office`?",
        "profiles/people.yaml:4:13: `minimum_frequency`: input should be greater than or equal to 1",
        "rules/ages.yaml:1:1: `decided_by` is missing; add `decided_by: …`",
    ]
    with pytest.raises(CatalogueError) as caught:
        load_catalogue(directory)
    assert len(caught.value.faults) == 4


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "bodies/x.yaml: is empty; write a document or remove the file"),
        (b"# only a comment\n", "bodies/x.yaml: is empty; write a document or remove the file"),
        (b"\xff\xfe", "bodies/x.yaml:1: is not UTF-8; save the file in UTF-8"),
        (b"body: a\ntitle: caf\xe9\n", "bodies/x.yaml:2: is not UTF-8; save the file in UTF-8"),
        (b"just words\n", "bodies/x.yaml:1:1: should be a mapping (`key: value`) or a list of mappings"),
        (
            b"body: a\nbody: b\ntitle: A\n",
            "bodies/x.yaml:2:1: `body` stands twice, first on line 1; remove one",
        ),
        (b"a: &x [1]\nb: *x\n", "bodies/x.yaml:2:4: aliases (`*name`) are not allowed; write the value out"),
        (
            b"body: !!python/object:os.system x\n",
            "bodies/x.yaml:1:7: tags (`!name`) are not allowed; remove the tag",
        ),
        (b"body: a\n\ttitle: A\n", "bodies/x.yaml:2:1: is not valid YAML"),
        (b"[" * 60, "bodies/x.yaml:1:25: is nested more than 24 levels deep"),
        (b"body: [a\n", "bodies/x.yaml:2:1: is not valid YAML"),
        (b"? [a, b]\n: c\n", "bodies/x.yaml:1:3: a key should be a plain word"),
        (
            b"body: a\ntitle: 2025-02-31\n",
            "bodies/x.yaml:2:8: is not a date that exists; write a day that the month has, as 2026-02-28",
        ),
        (
            b"body: a\ntitle: 2025\n",
            "bodies/x.yaml:2:1: `title` should be text, but YAML reads this as a number; ",
        ),
        (
            b"body: a\ntitle: no\n",
            "bodies/x.yaml:2:1: `title` should be text, but YAML reads this as yes or no; ",
        ),
        (b"body: Big Body\ntitle: A\n", "bodies/x.yaml:1:1: `Big Body` is not a name: "),
        (b"#" + b"x" * (4 * 1024 * 1024), "bodies/x.yaml: is larger than 4 MiB; split it"),
    ],
)
def test_a_malformed_file_is_one_clear_fault(write: Write, content: bytes, expected: str) -> None:
    found = faults(write(files={"bodies/x.yaml": content}))
    assert len(found) == 1, found
    assert found[0].startswith(expected)


def test_names_are_unique_across_files(write: Write) -> None:
    directory = write(files={"bodies/again.yaml": "body: gm\ntitle: Again\n"})
    assert faults(directory) == [
        "bodies/bodies.yaml:3:3: `gm` is already declared in bodies/again.yaml; rename one"
    ]


def test_a_reference_to_a_faulty_document_is_no_second_fault(write: Write) -> None:
    assert len(faults(write({"codelists/geography.yaml": ("vintage", "vintge")}))) == 2  # unknown and missing
    assert len(faults(write(files={"profiles/people.yaml": "", "profiles/people_profile.yaml": ""}))) == 2


def test_slips_in_file_names_are_not_ignored(write: Write) -> None:
    directory = write(files={"dataset/x.yaml": "a: 1\n", "bodies/y.yml": "body: y\ntitle: Y\n"})
    assert faults(directory) == [
        "bodies/y.yml: is not read; rename it to `y.yaml`",
        "dataset: is no folder of a catalogue; did you mean `datasets`?",
    ]


def test_a_missing_directory_is_a_fault(tmp_path: Path) -> None:
    assert "there is no such directory" in faults(tmp_path / "nowhere")[0]


def test_an_empty_directory_loads_with_a_warning(tmp_path: Path) -> None:
    report = check_directory(tmp_path)
    assert report.faults == ()
    assert [warning.message for warning in report.warnings] == ["no dataset is declared"]


PACK = """\
profile: base
title: Base rules
version: "3"
vectors: [{a: 1}]
frequency: {minimum_frequency: 10, publish_zeros: true}
cell_keys: {counts: {named: ten_five}}
"""


def test_a_profile_extends_a_pack(write: Write) -> None:
    own = "profile: people_profile\nextends: base\nfrequency: {minimum_frequency: 20}\n"
    profile = load_catalogue(write(files={"profiles/people.yaml": own}), {"base": PACK}).profiles[
        "people_profile"
    ]
    assert profile.version == "3"
    assert profile.frequency.minimum_frequency == 20
    assert profile.frequency.publish_zeros
    assert profile.cell_keys is not None


def test_a_pack_that_is_not_there_or_overridden_wrongly(write: Write) -> None:
    own = "profile: people_profile\nextends: bases\n"
    assert faults(write(files={"profiles/people.yaml": own}), {"base": PACK}) == [
        "profiles/people.yaml:2:1: there is no policy pack `bases`; did you mean `base`?"
    ]
    own = "profile: people_profile\nextends: base\nfrequency:\n  minimum_frequency: -1\n"
    assert faults(write(files={"profiles/people.yaml": own}), {"base": PACK})[0].startswith(
        "profiles/people.yaml:4:3: `minimum_frequency`"
    )
