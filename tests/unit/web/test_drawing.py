"""What pages draw and write, held to small tables: hidden is hidden, what was typed becomes neither markup nor SQL."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from examples.reference import build_tiles
from federation.configuration import read_configuration
from federation.service import catalogue_view
from federation.settings import MapSettings
from federation.web.builder import Building, sql_of
from federation.web.chart import chart_of
from federation.web.difference import sides
from federation.web.figures import figures_of
from federation.web.maps import MapUnreadable, drawing_of, map_of
from tests.support.node import write_node

TABLE = pa.table(
    {
        "area": ["A0", "A1", "A2", "A3"],
        "area__status": ["", "", "", ""],
        "pay": pa.array([Decimal("10.50"), None, Decimal("0.00"), Decimal("21.00")]),
        "pay__status": ["", "[c]", "", "[u]"],
    }
)
AREAS = MapSettings(codelist="geography", level="area", tiles=Path("t.csv"), attribution="made up")


def plain(_: str, value: str) -> str:
    return value


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_node(tmp_path_factory.mktemp("node"), rows=50)


def test_what_is_withheld_has_no_length_and_zero_has_one() -> None:
    figures = figures_of(TABLE, plain)
    assert (figures.withheld, figures.of, figures.marks) == (1, 4, ("[c]", "[u]"))
    chart = chart_of(figures, 1)
    assert chart is not None
    assert [(bar.length, bar.text, bar.mark) for bar in chart.bars] == [
        (500, "10.50", ""),
        (None, "", "[c]"),
        (0, "0.00", ""),
        (1000, "21.00", "[u]"),
    ]


def test_a_year_labels_and_a_count_does_not() -> None:
    table = pa.table({"year": [2024, 2025], "year__status": ["", ""], "n": [5, 7], "n__status": ["", ""]})
    figures = figures_of(table, plain)
    assert (figures.labels, figures.measures) == ((0,), (1,))


def test_a_later_page_counts_what_is_withheld_in_all() -> None:
    figures = figures_of(TABLE, plain, offset=2, limit=1)
    assert [row[0].text for row in figures.rows] == ["A2"]
    assert figures.withheld == 1


def test_a_map_shades_what_is_known_and_hatches_what_is_hidden(directory: Path) -> None:
    (directory / "t.csv").write_text("code,column,row\n" + "".join(f"A{i},{i},0\n" for i in range(8)))
    catalogue = read_configuration(directory).catalogue
    drawing = drawing_of(figures_of(TABLE, plain), 1, [map_of(AREAS, directory, catalogue)])
    assert drawing is not None
    assert [area.shade for area in drawing.areas] == [2, 0, 1, 3, None]
    assert drawing.hidden == 1
    assert drawing.steps == (("0.00", "0.00"), ("10.50", "10.50"), ("21.00", "21.00"))
    twice = pa.concat_tables([TABLE, TABLE])
    assert drawing_of(figures_of(twice, plain), 1, [map_of(AREAS, directory, catalogue)]) is None


@pytest.mark.reference
def test_boundaries_are_drawn_from_a_geojson(reference_data: Path) -> None:
    catalogue = read_configuration(Path("examples/labour_market")).catalogue
    settings = MapSettings(
        codelist="geography", level="region", boundaries=Path("codes/regions.geojson"), attribution="ONS"
    )
    found = map_of(settings, reference_data, catalogue)
    assert len(found.shapes) == 9
    names = {"region": list(found.names.values())[:9], "n": list(range(1, 10))}
    drawing = drawing_of(figures_of(pa.table(names), plain), 1, [found])
    assert drawing is not None
    assert {area.shade for area in drawing.areas} == {1, 2, 3, 4, 5}


@pytest.mark.parametrize(
    "text", ["code,column\nA0,1\n", "code,column,row\nZ9,1,1\n", "code,column,row\nA0,x,1\n", "\x00"]
)
def test_a_map_that_cannot_be_used_is_a_fault_of_the_configuration(directory: Path, text: str) -> None:
    (directory / "t.csv").write_text(text)
    with pytest.raises(MapUnreadable):
        map_of(AREAS, directory, read_configuration(directory).catalogue)
    with pytest.raises(MapUnreadable):
        map_of(
            AREAS.model_copy(update={"level": "street"}), directory, read_configuration(directory).catalogue
        )


@pytest.mark.reference
def test_laying_the_tiles_out_again_gives_the_committed_file(reference_data: Path, tmp_path: Path) -> None:
    build_tiles.main(["--reference", str(reference_data), "--out", str(tmp_path / "tiles.csv")])
    committed = build_tiles.REPOSITORY / "examples/labour_market/maps/local_authorities.csv"
    assert (tmp_path / "tiles.csv").read_bytes() == committed.read_bytes()
    rows = committed.read_text().splitlines()[1:]
    assert len({row.partition(",")[2] for row in rows}) == len(rows) == 361


def test_choices_that_a_dataset_does_not_have_are_left_out_and_codes_stay_text(directory: Path) -> None:
    people = catalogue_view.dataset(read_configuration(directory).catalogue, "people")
    form = {
        "measure": ["median pay"],
        "group1": ["region"],
        "group2": ["region; DROP TABLE people"],
        "filter1": ["sex"],
        "codes-sex": ["F", "x' OR '1'='1"],
        "filter2": ["age"],
        "codes-age": ["16"],
    }
    building = Building.read(form, people)
    assert building.groups == ("region",)
    assert sql_of(building, people) == (
        "SELECT region, median(pay) AS median_pay\nFROM people\n"
        "WHERE sex IN ('F', 'x'' OR ''1''=''1')\n  AND age = 16\nGROUP BY region\nORDER BY region"
    )
    nothing = Building.read({"measure": ["max pay"]}, people)
    assert sql_of(nothing, people) == "SELECT count(*) AS number\nFROM people"
    odd = replace(people, dataset='a "b')
    assert '"a ""b"' in sql_of(nothing, odd)


def test_both_sides_keep_their_text_and_mark_what_differs() -> None:
    left, right = "SELECT sex\nFROM people", "SELECT t.sex AS k0\nFROM people AS t"
    found = sides(left, right)
    assert "".join(piece.text for piece in found.left) == left
    assert "".join(piece.text for piece in found.right) == right
    assert not any(piece.changed for piece in found.left)
    assert [piece.text for piece in found.right if piece.changed] == ["t.", "AS k0", "AS t"]
