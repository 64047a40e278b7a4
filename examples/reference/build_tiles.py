"""Lay out one tile for each local authority, so that small ones are seen as well as large ones.

    python -m examples.reference.build_tiles --reference DIR --out examples/labour_market/maps/local_authorities.csv

Authorities begin at the middle of their boundaries, are pushed apart until each has room, and are then given the tiles
of a square grid so that the sum of squared distances is least (Kuhn's assignment). Running it again on the same
reference data changes nothing.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from examples.reference.build_codelists import REPOSITORY, reference_directory

COLUMNS = 24.0
"""How many tiles wide the map is before crowded places are spread out."""
STEPS = 400


def middles(boundaries: Path) -> tuple[list[str], NDArray[np.float64]]:
    """The codes of all areas in order, and the middle of each one's largest ring in kilometres, south down."""
    found = {}
    for feature in json.loads(boundaries.read_text("utf-8"))["features"]:
        geometry = feature["geometry"]
        polygons = (
            geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
        )
        ring = max((np.array(polygon[0]) for polygon in polygons), key=len)
        longitude, latitude = ring.mean(axis=0)
        found[feature["properties"]["code"]] = (
            longitude * 111.3 * math.cos(math.radians(54.5)),
            -latitude * 111.3,
        )
    codes = sorted(found)
    return codes, np.array([found[code] for code in codes])


def spread(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pushed apart, the nearest pairs first, until each point has about a tile to itself."""
    moved = (points - points.min(axis=0)) * COLUMNS / np.ptp(points[:, 0])
    for step in range(STEPS):
        pairs = cKDTree(moved).query_pairs(1.0, output_type="ndarray")
        if not len(pairs):
            break
        apart = moved[pairs[:, 1]] - moved[pairs[:, 0]]
        distance = np.maximum(np.hypot(*apart.T), 1e-6)[:, None]
        push = 0.25 * (1.0 - distance) * apart / distance * (1 - step / STEPS)
        np.add.at(moved, pairs[:, 0], -push)
        np.add.at(moved, pairs[:, 1], push)
    return moved - moved.min(axis=0)


def tiles(points: NDArray[np.float64]) -> NDArray[np.int64]:
    """A column and a row for each point, no two alike."""
    width, height = np.ceil(points.max(axis=0)).astype(int) + 2
    grid = np.array([(x, y) for y in range(height) for x in range(width)])
    cost = ((points[:, None, :] - grid[None, :, :]) ** 2).sum(axis=2)
    _, chosen = linear_sum_assignment(np.round(cost, 6))
    placed = grid[chosen]
    first = placed.min(axis=0)
    return np.asarray(placed - first, dtype=np.int64)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Lay out one tile for each local authority.")
    parser.add_argument("--reference", type=Path, default=reference_directory())
    out = REPOSITORY / "examples/labour_market/maps/local_authorities.csv"
    parser.add_argument("--out", type=Path, default=out)
    options = parser.parse_args(arguments)
    boundaries = options.reference / "codes" / "lad_2025.geojson"
    if not boundaries.is_file():
        parser.error(f"no reference data (codes/lad_2025.geojson) in {options.reference}")
    codes, points = middles(boundaries)
    placed = tiles(spread(points))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["code", "column", "row"])
        for code, (column, row) in zip(codes, placed.tolist(), strict=True):
            writer.writerow([code, column, row])
    print(f"{len(codes)} tiles in {options.out}")


if __name__ == "__main__":
    main()
