"""What a cell query asks, without how a source answers it: the form in which nodes compare what each understood."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from catalogue.catalogue import BoundDataset
from policies.boxes import is_empty
from policies.plan import Atom, Box, CellQuery, GridAxis, GridBlock
from policies.protect.rules import variable_of

FORMAT = "federation-question/1"


@dataclass(frozen=True, slots=True)
class CellQuestion:
    """The cells (``where`` and ``blocks``) and the numbers in each (``atoms``) that a cell query asks for."""

    where: Box
    blocks: tuple[GridBlock, ...]
    atoms: tuple[Atom, ...]

    @classmethod
    def of(cls, query: CellQuery) -> CellQuestion:
        return cls(query.where, query.blocks, query.atoms)

    def within(self, part: Box) -> CellQuestion | None:
        """The question about ``part`` alone, with the cells and numbers that it has there; None where it has none."""
        where = self.where & part
        atoms = tuple(replace(atom, where=atom.where & part) for atom in self.atoms)
        atoms = tuple(atom for atom in atoms if not is_empty(atom.where))
        if is_empty(where) or not atoms:
            return None
        return CellQuestion(where, tuple(_within(block, part) for block in self.blocks), atoms)

    def asking(self, more: Iterable[Atom]) -> CellQuestion:
        """With further numbers in each cell."""
        return replace(self, atoms=(*self.atoms, *more))

    def digest(self, dataset: BoundDataset) -> str:
        """SHA-256 of the question in canonical form and of the code lists that it is about.

        Two nodes that compile the same SQL, each by its own catalogue, have the same digest if, and only if, they
        understand the same by it: the names of keys, and what a dataset is called where, do not matter.
        """
        content = {"format": FORMAT, "question": self.canonical(), "codes": dict(_codes(self, dataset))}
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"

    def canonical(self) -> object:
        """Where, blocks and atoms, each in the one form that all wordings come to."""
        return {
            "where": _box(self.where),
            "blocks": [sorted(map(_axis, block.axes)) for block in self.blocks],
            "atoms": [
                [
                    str(atom.kind),
                    None if atom.measure is None else variable_of(atom.measure),
                    None if atom.quantile is None else format(atom.quantile.normalize(), "f"),
                    atom.weighted,
                    atom.decimals,
                    _box(atom.where),
                ]
                for atom in self.atoms
            ],
        }


def _within(block: GridBlock, part: Box) -> GridBlock:
    return replace(block, axes=tuple(_cut(axis, part) for axis in block.axes))


def _cut(axis: GridAxis, part: Box) -> GridAxis:
    inside = part.get(axis.dimension)
    if inside is None:
        return axis
    kept = [n for n, leaves in enumerate(axis.parts) if leaves & inside]
    return replace(
        axis,
        values=tuple(tuple(values[n] for n in kept) for values in axis.values),
        parts=tuple(axis.parts[n] & inside for n in kept),
        adhoc=tuple(axis.adhoc[n] for n in kept),
    )


def _box(box: Box) -> list[list[str]]:
    return [[name, f"{leaves.mask:x}"] for name, leaves in box.sets]


def _axis(axis: GridAxis) -> list[object]:
    return [axis.dimension, sorted(f"{part.mask:x}" for part in axis.parts)]


def _codes(question: CellQuestion, dataset: BoundDataset) -> Iterator[tuple[str, str]]:
    """For each dimension of the question what its leaves are."""
    names = {*question.where.dimensions, *(name for atom in question.atoms for name in atom.where.dimensions)}
    names |= {axis.dimension for block in question.blocks for axis in block.axes}
    for name in sorted(names):
        dimension = dataset.dimensions[name]
        if dimension.codelist is not None:
            yield name, f"{dimension.codelist.digest}/{dimension.size}"
        else:
            grid = dimension.grid
            assert grid is not None
            yield name, f"{grid.minimum.normalize():f}/{grid.step.normalize():f}/{dimension.size}"
