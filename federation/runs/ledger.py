"""What the ledger keeps of a cell query: which cells of which population became known."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from catalogue.catalogue import Catalogue
from catalogue.leaves import LeafSet
from federation.client.digest import canonical_json
from federation.release.files import ReleaseStore
from federation.runs.answering import Answered
from federation.state.releases import CellQueryRecord
from policies.plan import Atom, Box, CellQuery, GridBlock


def ledger_rows(
    answered: Sequence[Answered], catalogue: Catalogue, key_epoch: int, files: ReleaseStore
) -> list[CellQueryRecord]:
    """A row for each cell query, its protected cells stored beside.

    Raises:
        StorageError: the cells could not be stored.
    """
    return [_row(each, catalogue, key_epoch, files) for each in answered]


def _row(each: Answered, catalogue: Catalogue, key_epoch: int, files: ReleaseStore) -> CellQueryRecord:
    query, document = each.query, catalogue.datasets[each.query.dataset].document
    return CellQueryRecord(
        dataset=query.dataset,
        series=document.series,
        reference_period=document.reference_period,
        atoms=[_atom(atom) for atom in query.atoms],
        box=_box(query.where),
        dimensions=_dimensions(query),
        snapshot=each.cells.snapshot,
        key_epoch=key_epoch,
        partition=partition_digest(query),
        partition_charge=partition_charge(query),
        maximum_partitions=catalogue.profiles[query.profile].limits.maximum_partitions,
        cells_digest=files.put_cells(each.cells.table).digest,
    )


def partition_digest(query: CellQuery) -> str:
    """The identity of the way in which a query divides its population; measures do not matter, nor the order."""
    boxes = sorted({canonical_json(_box(query.where & atom.where)) for atom in query.atoms})
    blocks = sorted(canonical_json(_block(block)) for block in query.blocks)
    parts = [query.dataset, [box.decode() for box in boxes], [block.decode() for block in blocks]]
    return f"sha256:{hashlib.sha256(canonical_json(parts)).hexdigest()}"


def partition_charge(query: CellQuery) -> int:
    """How many partitions of its population a query uses up, for the ledger's cap over all queries.

    Nodes of a classification and registered groupings are few, and a custodian has reviewed each against the others:
    a question made of them alone costs nothing. One with an ad-hoc set anywhere costs all its partitions, grouping
    sets included, because near-equal populations that are split again and again average the noise away.
    """
    restricted = query.partitions > len(query.blocks)
    grouped = any(any(axis.adhoc) for block in query.blocks for axis in block.axes)
    return query.partitions if restricted or grouped else 0


def _dimensions(query: CellQuery) -> list[str]:
    grouped = {axis.dimension for block in query.blocks for axis in block.axes}
    boxed = {name for atom in query.atoms for name in atom.where.dimensions}
    return sorted(grouped | boxed | set(query.where.dimensions))


def _box(box: Box) -> dict[str, str]:
    """Per dimension the leaves, as a hexadecimal mask."""
    return {name: f"{leaves.mask:x}/{leaves.size}" for name, leaves in box.sets}


def read_box(stored: Mapping[str, str]) -> Box:
    """A box as the ledger keeps it.

    >>> read_box({"sex": "1/3"})
    Box(sets=(('sex', LeafSet(mask=1, size=3)),))
    """
    sets = {}
    for name, text in stored.items():
        mask, _, size = text.partition("/")
        sets[name] = LeafSet(int(mask, 16), int(size))
    return Box.of(sets)


def _block(block: GridBlock) -> dict[str, list[str]]:
    return {axis.dimension: sorted(f"{part.mask:x}" for part in axis.parts) for axis in block.axes}


def _atom(atom: Atom) -> dict[str, object]:
    return {
        "kind": str(atom.kind),
        "measure": atom.measure,
        "quantile": None if atom.quantile is None else str(atom.quantile),
        "box": _box(atom.where),
        "weighted": atom.weighted,
    }
