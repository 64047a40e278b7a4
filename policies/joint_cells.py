"""The identity of each cell of a joint count, the same at every holder.

Wording, order and names do not matter: a cell is the set of people that its box holds, in one dataset's series and
reference period. So a question that is put in other words, or as a part of another one, has the same cells.
"""

from __future__ import annotations

import hashlib
import json

import numpy as np
import numpy.typing as npt

from catalogue.catalogue import Catalogue
from catalogue.leaves import LeafSet
from policies.plan import Atom, Box, CellQuery, GridBlock
from policies.protect.grid import check_grid
from policies.protect.rules import variable_of

Mask = npt.NDArray[np.bool_]


def joint_cells_asked(query: CellQuery, catalogue: Catalogue, may: Mask) -> list[str]:
    """A digest for each joint count that ``may`` names, in the order of ``policies.protect.joint``."""
    grid = check_grid(query)
    base = _text([*population(query, catalogue), *_codes(query, catalogue)])
    found = []
    for position, atom in enumerate(query.atoms):
        for block, where, shape in zip(query.blocks, grid.slices(), grid.shapes, strict=True):
            start = position * grid.size + where.start
            for local in np.flatnonzero(may[start : start + where.stop - where.start]):
                box = _cell_box(query, atom, block, np.unravel_index(int(local), shape) if shape else ())
                found.append(hashlib.sha256(base + _text(_box(box))).hexdigest())
    return found


def _cell_box(query: CellQuery, atom: Atom, block: GridBlock, parts: tuple[np.intp, ...]) -> Box:
    own = {axis.dimension: axis.parts[int(part)] for axis, part in zip(block.axes, parts, strict=True)}
    return query.where & atom.where & Box.of(own)


def population(query: CellQuery, catalogue: Catalogue) -> tuple[str, str, str]:
    """Of whom and of when: what all parts of one population have in common."""
    document = catalogue.datasets[query.dataset].document
    return document.series, document.reference_period, document.unit.name


def _codes(query: CellQuery, catalogue: Catalogue) -> list[str]:
    """The digests of the code lists of every dimension of the dataset: a cell's box may name any of them."""
    dimensions = catalogue.datasets[query.dataset].dimensions.values()
    return sorted({d.codelist.digest for d in dimensions if d.codelist is not None})


def _box(box: Box) -> list[list[str]]:
    return [[variable_of(name), *_masks((leaves,))] for name, leaves in box.sets]


def _masks(parts: tuple[LeafSet, ...]) -> list[str]:
    return [f"{part.mask:x}/{part.size}" for part in parts]


def _text(content: object) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
