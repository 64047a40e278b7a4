"""Maps of areas: which values of a table are areas, and the shapes that stand for them."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalogue.catalogue import Catalogue
from federation.settings import MapSettings
from federation.web.figures import Figures

CLASSES = 5
LEAST_AREAS = 3
MARGIN = 1.0


@dataclass(frozen=True, slots=True)
class Shape:
    """The outline of an area as an SVG path, and the box around it: left, top, right, bottom."""

    path: str
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class AreaMap:
    """A map that the node's configuration names: the areas at one level of a code list by their codes."""

    attribution: str
    tiles: bool
    shapes: Mapping[str, Shape]
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Drawn:
    """An area on the page. ``shade`` is its class from 1, 0 for hidden, None for one that is not in the answer."""

    path: str
    name: str
    text: str
    shade: int | None


@dataclass(frozen=True, slots=True)
class Drawing:
    """A map of one column. ``steps`` has the lowest and highest value of each class."""

    title: str
    attribution: str
    tiles: bool
    view: str
    ratio: float
    areas: tuple[Drawn, ...]
    steps: tuple[tuple[str, str], ...]
    hidden: int


class MapUnreadable(Exception):
    """The file of a map can't be used. Says why."""


def map_of(settings: MapSettings, directory: Path, catalogue: Catalogue) -> AreaMap:
    """The map of ``settings``, with the names that the catalogue has for its areas.

    Raises:
        MapUnreadable: the catalogue has no such level, or the file is missing, is not what it should be, or has
            none of the areas.
    """
    codelist = catalogue.codelists.get(settings.codelist)
    level = (
        next((each for each in codelist.levels if each.name == settings.level), None) if codelist else None
    )
    if level is None:
        raise MapUnreadable(f"there is no level {settings.level} in a code list {settings.codelist}")
    names = {
        str(code): str(name) for code, name in zip(level.codes, level.names, strict=True) if code is not None
    }
    tiles = settings.tiles is not None
    place = settings.tiles or settings.boundaries
    assert place is not None  # the settings see to it
    try:
        shapes = dict(_tiles(directory / place) if tiles else _boundaries(directory / place, settings.code))
    except (OSError, ValueError, KeyError, TypeError, IndexError, csv.Error) as error:
        raise MapUnreadable(f"{place} cannot be read as a map ({type(error).__name__})") from None
    found = {code: shape for code, shape in shapes.items() if code in names}
    if not found:
        raise MapUnreadable(f"{place} has no area of {settings.codelist} at the level {settings.level}")
    return AreaMap(settings.attribution, tiles, found, names)


def drawing_of(figures: Figures, column: int, maps: Sequence[AreaMap]) -> Drawing | None:
    """The map on which most rows of the table are areas, each once; None where there is none."""
    for area_map in maps:
        codes = {name: code for code, name in area_map.names.items()} | {
            code: code for code in area_map.names
        }
        for label in figures.labels:
            rows = {codes[row[label].text]: row[column] for row in figures.rows if row[label].text in codes}
            once = len({row[label].text for row in figures.rows}) == len(figures.rows)
            shown = {code: cell for code, cell in rows.items() if code in area_map.shapes}
            if once and len(shown) >= LEAST_AREAS:
                return _drawing(area_map, shown, figures.columns[column])
    return None


def _drawing(area_map: AreaMap, cells: Mapping[str, Any], title: str) -> Drawing:
    values = sorted({cell.value for cell in cells.values() if cell.value is not None})
    limits = _classes(values)
    boxes = [area_map.shapes[code].box for code in cells]
    edge = MARGIN if area_map.tiles else 0.02 * max(max(b[2] for b in boxes) - min(b[0] for b in boxes), 0.1)
    left, top = min(b[0] for b in boxes) - edge, min(b[1] for b in boxes) - edge
    right, bottom = max(b[2] for b in boxes) + edge, max(b[3] for b in boxes) + edge
    areas = []
    for code, shape in area_map.shapes.items():
        inside = shape.box[2] > left and shape.box[0] < right and shape.box[3] > top and shape.box[1] < bottom
        if not inside:
            continue
        cell = cells.get(code)
        if cell is None:
            areas.append(Drawn(shape.path, area_map.names[code], "", None))
        else:
            shade = 0 if cell.value is None else 1 + sum(cell.value > limit for limit in limits)
            text = " ".join(part for part in (cell.text, cell.mark) if part)
            areas.append(Drawn(shape.path, area_map.names[code], text, shade))
    text_of = {cell.value: cell.text for cell in cells.values() if cell.value is not None}
    return Drawing(
        title=title,
        attribution=area_map.attribution,
        tiles=area_map.tiles,
        view=f"{left:.4f} {top:.4f} {right - left:.4f} {bottom - top:.4f}",
        ratio=(right - left) / (bottom - top),
        areas=tuple(areas),
        steps=tuple(_steps(values, limits, text_of)),
        hidden=sum(cell.value is None for cell in cells.values()),
    )


def _classes(values: Sequence[float]) -> list[float]:
    """Upper limits of all classes but the last: equally many different values in each."""
    wanted = min(CLASSES, len(values))
    return [values[math.ceil(len(values) * n / wanted) - 1] for n in range(1, wanted)]


def _steps(
    values: Sequence[float], limits: Sequence[float], text_of: Mapping[float, str]
) -> Iterator[tuple[str, str]]:
    low = -math.inf
    for high in (*limits, math.inf):
        within = [value for value in values if low < value <= high]
        if within:
            yield text_of[within[0]], text_of[within[-1]]
        low = high


def _tiles(place: Path) -> Iterator[tuple[str, Shape]]:
    """One tile for each area: a table with the columns code, column and row."""
    with place.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            x, y = int(row["column"]), int(row["row"])
            yield row["code"], Shape(f"M{x + 0.04} {y + 0.04}h.92v.92h-.92z", (x, y, x + 1, y + 1))


def _boundaries(place: Path, key: str) -> Iterator[tuple[str, Shape]]:
    """Outlines from a GeoJSON of longitudes and latitudes (RFC 7946), flattened about their own middle."""
    features = json.loads(place.read_text("utf-8"))["features"]
    outlines = {str(f["properties"][key]): list(_rings(f["geometry"])) for f in features}
    latitudes = [y for rings in outlines.values() for ring in rings for _, y in ring]
    narrow = math.cos(math.radians((min(latitudes) + max(latitudes)) / 2))
    for code, rings in outlines.items():
        flat = [[(x * narrow, -y) for x, y in ring] for ring in rings]
        path = "".join("M" + "L".join(f"{x:.3f} {y:.3f}" for x, y in ring) + "z" for ring in flat)
        xs, ys = [x for ring in flat for x, _ in ring], [y for ring in flat for _, y in ring]
        yield code, Shape(path, (min(xs), min(ys), max(xs), max(ys)))


def _rings(geometry: Mapping[str, Any]) -> Iterator[list[tuple[float, float]]]:
    polygons = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
    for polygon in polygons:
        for ring in polygon:
            yield [(float(point[0]), float(point[1])) for point in ring]
