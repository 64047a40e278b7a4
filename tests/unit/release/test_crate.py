"""A release as a Five Safes RO-Crate: whole in itself, with the run, the sign-offs and the disclosure check."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

from federation.release.crate import METADATA, PROFILE, archive, to_crate
from federation.service.releases import CRATE_FILES
from tests.support.statements import statement

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
    assert root["conformsTo"] == {"@id": PROFILE}
    assert ENTITIES[PROFILE]["version"] == "0.4"
    assert ENTITIES[root["sourceOrganization"]["@id"]]["@type"] == "Project"
    mentioned = [ENTITIES[each["@id"]] for each in root["mentions"]]
    assert [each["@type"] for each in mentioned if "additionalType" not in each] == ["CreateAction"]
    kinds = {each["additionalType"]["@id"] for each in mentioned if "additionalType" in each}
    assert kinds == {"shp:SignOff", "shp:DisclosureCheck"}
    assert {each["@id"] for each in root["hasPart"]} == set(CRATE_FILES)


def test_the_archive_is_the_same_for_the_same_release() -> None:
    contents = dict.fromkeys(CRATE_FILES, b"content")
    made = archive(CRATE, contents)
    assert made == archive(CRATE, contents)
    with zipfile.ZipFile(io.BytesIO(made)) as crate:
        assert crate.namelist() == [METADATA, *CRATE_FILES]
        assert json.loads(crate.read(METADATA)) == CRATE
