"""A release as a Five Safes RO-Crate: whole in itself, with the run, the sign-offs and the disclosure check."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from rocrate.rocrate import ROCrate

from federation.release.crate import METADATA, PROFILE, RUN_PROFILE, archive, to_crate
from federation.service.releases import CRATE_FILES
from tests.support.statements import by_delegation, statement

CRATE = to_crate(statement(), CRATE_FILES)
ENTITIES: dict[str, dict[str, Any]] = {entity["@id"]: entity for entity in CRATE["@graph"]}
ELSEWHERE = ("https://", "http://", "shp:")


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if set(value) == {"@id"}:
            yield value["@id"]
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def test_every_entity_is_there_once_with_its_type_and_whatever_is_referred_to() -> None:
    assert len(ENTITIES) == len(CRATE["@graph"])
    assert all("@type" in entity for entity in ENTITIES.values())
    wanted = {each for each in references(CRATE["@graph"]) if not each.startswith(ELSEWHERE)}
    assert wanted <= set(ENTITIES)


def test_it_says_what_it_is_and_what_the_five_safes_ask() -> None:
    root = ENTITIES["./"]
    assert ENTITIES[METADATA]["about"] == {"@id": "./"}
    assert root["conformsTo"] == [{"@id": PROFILE}, {"@id": RUN_PROFILE}]
    assert ENTITIES[PROFILE]["version"] == "0.4"
    assert ENTITIES[root["sourceOrganization"]["@id"]]["@type"] == "Project"
    mentioned = [ENTITIES[each["@id"]] for each in root["mentions"]]
    assert [each["@type"] for each in mentioned if "additionalType" not in each] == ["CreateAction"]
    kinds = {each["additionalType"]["@id"] for each in mentioned if "additionalType" in each}
    assert kinds == {"shp:SignOff", "shp:DisclosureCheck"}
    assert {each["@id"] for each in root["hasPart"]} == set(CRATE_FILES)


def test_an_independent_library_reads_all_of_it_and_knows_every_term(tmp_path: Path) -> None:
    """ro-crate-py, the implementation of the RO-Crate community, with the context that it brings."""
    path = tmp_path / "crate.zip"
    made = to_crate(by_delegation(), CRATE_FILES)
    path.write_bytes(archive(made, {name: name.encode() for name in CRATE_FILES}))
    crate = ROCrate(path)
    assert crate.version == "1.1"
    assert crate.root_dataset["identifier"] == "rel_1"
    assert crate.root_dataset["mainEntity"]["text"].startswith("select area")
    assert {entity.id for entity in crate.data_entities} == set(CRATE_FILES)
    assert {entity.id for entity in crate.get_entities()} == {entity["@id"] for entity in made["@graph"]}
    (run,) = [each for each in crate.root_dataset["mentions"] if each.type == "CreateAction"]
    assert (run["agent"]["name"], run["agent"]["memberOf"]["name"]) == ("bob", "Deed of 1 March")
    assert run["agent"]["memberOf"]["memberOf"].id == "#body-gmca"
    for entity in crate.get_entities():
        for name in (name for name in entity if not name.startswith("@")):
            found = entity[name] if isinstance(entity[name], list) else [entity[name]]
            assert not [each for each in found if str(each).startswith("#")], (
                "what it does not find it gives as text"
            )
    crate.write(tmp_path / "again")
    assert {
        file.name: file.read_bytes() for file in (tmp_path / "again").iterdir() if file.name != METADATA
    } == {name: name.encode() for name in CRATE_FILES}
    terms = json.loads((files("rocrate") / "data" / "ro-crate.jsonld").read_text())["@context"]
    used = {
        name for entity in made["@graph"] for name in (*entity, entity["@type"]) if not name.startswith("@")
    }
    assert used <= set(terms)


def test_the_only_value_stands_alone_and_nothing_stands_for_nothing() -> None:
    assert all(value != [] and (not isinstance(value, list) or len(value) > 1)
               for entity in CRATE["@graph"] for value in entity.values())  # fmt: skip


def test_the_archive_is_the_same_for_the_same_release() -> None:
    contents = dict.fromkeys(CRATE_FILES, b"content")
    made = archive(CRATE, contents)
    assert made == archive(CRATE, contents)
    with zipfile.ZipFile(io.BytesIO(made)) as crate:
        assert crate.namelist() == [METADATA, *CRATE_FILES]
        assert json.loads(crate.read(METADATA)) == CRATE
