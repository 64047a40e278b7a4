"""Who holds a dataset: one way for each, and parts that neither overlap nor leave anybody out."""

from __future__ import annotations

import pytest

from catalogue.held import Local, Parted, Remote
from catalogue.leaves import LeafSet
from catalogue.loader import check_directory, load_catalogue
from catalogue.models import Mode
from tests.support.catalogue_files import FILES, Write

PEOPLE = "datasets/people.yaml"
SOURCE = "source: {connector: duckdb, location: people.parquet}"


def changed(source: str) -> dict[str, str]:
    assert SOURCE in FILES[PEOPLE]
    return {PEOPLE: FILES[PEOPLE].replace(SOURCE, source)}


def test_a_dataset_is_here_at_a_node_or_in_parts(write: Write) -> None:
    here = load_catalogue(write()).datasets["people"]
    assert here.held == Local("duckdb", "people.parquet")
    assert here.held.nodes == ()
    there = load_catalogue(write(files=changed("source: {node: wales, location: residents}"))).datasets[
        "people"
    ]
    assert there.held == Remote("wales", "residents")
    assert there.held.nodes == ("wales",)
    parts = "source: {parts: {england: [N, S], wales: [W]}, split: region, location: residents}"
    text = FILES[PEOPLE].replace(SOURCE, parts)
    regions = FILES["codelists/geography.csv"].replace("W,Wales,,,", "W,Wales,W,Wales,")
    parted = load_catalogue(write(files={PEOPLE: text, "codelists/geography.csv": regions})).datasets[
        "people"
    ]
    assert parted.held == Parted(
        {"england": LeafSet.of(range(8), 11), "wales": LeafSet.of(range(8, 11), 11)},
        "area",
        "residents",
        Mode.PROTECTED_PARTS,
    )
    assert parted.held.nodes == ("england", "wales")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("source: {location: people.parquet}", "needs one of `connector`, `node` and `parts`, and has none"),
        ("source: {connector: duckdb, node: wales, location: x}", "and has `connector` and `node`"),
        ("source: {node: wales, split: area, location: x}", "`split` goes with `parts`"),
        ("source: {node: wales, mode: masked_sums, location: x}", "`mode` goes with `parts`"),
        (
            "source: {parts: {a: [E]}, split: country, location: x}",
            "`protected_parts` needs 2 parts at least",
        ),
        (
            "source: {parts: {a: [E], b: [W]}, split: country, mode: masked_sums, location: x}",
            "`masked_sums` needs 3 parts at least",
        ),
        ("source: {parts: {a: [E], b: [W]}, location: x}", "`split` names the dimension"),
        ("source: {parts: {a: [E], b: [W]}, split: pay, location: x}", "`split` names the dimension"),
        ("source: {parts: {a: [16], b: [17]}, split: age, location: x}", "may be null"),
        (
            "source: {parts: {a: [E], b: [X]}, split: country, location: x}",
            "`X` is no code of level `country`",
        ),
        ("source: {parts: {a: [E, W], b: [W]}, split: country, location: x}", "is in the part of `a` too"),
        ("source: {parts: {a: [E1], b: [W1]}, split: area, location: x}", "no part holds `E2`"),
    ],
)
def test_parts_are_sound(write: Write, source: str, message: str) -> None:
    country = "  country: {role: dimension, title: Country, of: area, level: country, stored: false}\n"
    text = changed(source)[PEOPLE]
    at = text.index("variables:\n") + len("variables:\n")
    report = check_directory(write(files={PEOPLE: text[:at] + country + text[at:]}))
    assert any(message in fault.message for fault in report.faults), report.faults
    assert all(fault.line for fault in report.faults)


def test_relationships_stay_where_the_data_is(write: Write) -> None:
    """Rows of one node can't be joined to rows of another."""
    other = FILES[PEOPLE].replace("dataset: people", "dataset: employers", 1)
    here = FILES[PEOPLE].replace("to: geography", "to: employers")
    assert here != FILES[PEOPLE]
    away = other.replace(SOURCE, "source: {node: wales, location: employers}")
    faults = check_directory(write(files={PEOPLE: here, "datasets/employers.yaml": away})).faults
    assert any("`employers` is not held where `people` is" in fault.message for fault in faults)
