"""Jurisdiction: a body sees its own areas in full and everywhere else at a coarser level, by rewriting."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from sqlglot import exp

from catalogue.codelists import CodeList
from catalogue.jurisdiction import PermittedAreas, body_leaves, permitted_atoms
from catalogue.leaves import LeafSet
from policies.compiler.errors import refuse
from policies.compiler.keys import is_adhoc
from policies.compiler.refs import DimensionRef, Refs
from policies.context import Context
from policies.plan import Box, GridAxis, GridBlock
from policies.refusals import Code


class JurisdictionPass:
    """What the agreement lets this body see of each area dimension. ``effects`` says what it changed."""

    def __init__(self, context: Context, refs: Refs, sql: str) -> None:
        self._refs = refs
        self._sql = sql
        self._terms = context.agreement.jurisdiction if context.agreement else None
        self.effects: list[tuple[str, str]] = []
        self._permitted: PermittedAreas | None = None
        self._own: LeafSet | None = None
        if self._terms is not None:
            codelist = context.catalogue.codelists[self._terms.codelist]
            self._own = own = body_leaves(context.catalogue.bodies[context.body], codelist)
            self._permitted = permitted_atoms(
                codelist, own, self._terms.elsewhere, self._terms.minimum_foreign_leaves
            )

    def check(self, box: Box, place: Callable[[str], exp.Expr]) -> None:
        """Raise ``outside_jurisdiction``, at the place of the dimension, where a condition picks no permitted areas."""
        for dimension, leaves in box.sets:
            atoms = self._atoms(dimension)
            if atoms is not None and self._closure(leaves, atoms) != leaves:
                assert self._terms is not None
                raise refuse(
                    Code.OUTSIDE_JURISDICTION,
                    f"The condition on “{dimension}” picks areas that the agreement does not show by themselves.",
                    f"The agreement shows the body's own areas in full and others by {self._terms.elsewhere}.",
                    f"Ask for your own areas, or for whole areas at level {self._terms.elsewhere}.",
                    place(dimension),
                    self._sql,
                )

    def restrict(self, blocks: Sequence[GridBlock]) -> list[GridBlock]:
        """Groups by area in which what the agreement does not show by itself comes as the areas that it does show."""
        return [replace(block, axes=tuple(self._axis(axis) for axis in block.axes)) for block in blocks]

    def _atoms(self, dimension: str) -> list[LeafSet] | None:
        ref = self._refs.dimension(dimension)
        if self._permitted is None or self._terms is None or not isinstance(ref, DimensionRef):
            return None
        codelist = ref.dimension.codelist
        if codelist is None or codelist.name != self._terms.codelist:
            return None
        if codelist.size != self._permitted.atoms[0].size:
            self._check_coarse(dimension, codelist)
            return None
        atoms = [ref.dimension.widen(atom) for atom in self._permitted.atoms]
        if ref.dimension.null_leaf is not None:
            atoms.append(LeafSet.of([ref.dimension.null_leaf], ref.dimension.size))
        return atoms

    def _check_coarse(self, dimension: str, codelist: CodeList) -> None:
        """A column of coarser codes shows no area by itself if its level is the one that is shown elsewhere."""
        assert self._terms is not None
        levels = [level.name for level in codelist.levels]
        if self._terms.elsewhere not in levels[:-1]:
            return
        raise refuse(
            Code.OUTSIDE_JURISDICTION,
            f"“{dimension}” holds areas finer than the agreement shows, without the body's own areas to tell apart.",
            f"The agreement shows the body's own areas in full and others by {self._terms.elsewhere}.",
            f"Ask by {self._terms.elsewhere}.",
            None,
            self._sql,
        )

    def _closure(self, leaves: LeafSet, atoms: Sequence[LeafSet]) -> LeafSet:
        mask = 0
        for atom in atoms:
            if atom.mask & leaves.mask:
                mask |= atom.mask
        return LeafSet(mask, leaves.size)

    def _axis(self, axis: GridAxis) -> GridAxis:
        """Parts that are made of permitted areas stay; the others come as those areas, own ones apart from foreign."""
        atoms = self._atoms(axis.dimension)
        if atoms is None:
            return axis
        broken = [n for n, part in enumerate(axis.parts) if self._closure(part, atoms) != part]
        if not broken:
            return axis
        assert self._terms is not None
        ref = self._refs.dimension(axis.dimension)
        assert isinstance(ref, DimensionRef)
        self.effects.append(
            (
                "jurisdiction",
                f"areas of “{axis.dimension}” outside the body's own are shown by {self._terms.elsewhere}",
            )
        )
        kept = [n for n in range(len(axis.parts)) if n not in broken]
        whole = [self._permitted_values(axis, values, atoms) for values in axis.values]
        pieces: dict[tuple[object, ...], LeafSet] = {}
        for leaves, part in self._pieces(axis, broken, atoms):
            label = tuple(
                self._label(values, known, leaves, part, ref)
                for values, known in zip(axis.values, whole, strict=True)
            )
            pieces[label] = pieces[label] | leaves if label in pieces else leaves
        return GridAxis(
            axis.dimension,
            axis.keys,
            tuple(
                (*(values[n] for n in kept), *(label[key] for label in pieces))
                for key, values in enumerate(axis.values)
            ),
            (*(axis.parts[n] for n in kept), *pieces.values()),
            # Foreign areas that the agreement permits were reviewed when it was made.
            (
                *(axis.adhoc[n] for n in kept),
                *(self._is_own(leaves, ref) and is_adhoc(ref, leaves) for leaves in pieces.values()),
            ),
            axis.sensitive,
        )

    def _pieces(
        self, axis: GridAxis, broken: Sequence[int], atoms: Sequence[LeafSet]
    ) -> Iterator[tuple[LeafSet, int]]:
        """The permitted areas that the broken parts touch, each with one of those parts."""
        for atom in atoms:
            part = next((n for n in broken if atom & axis.parts[n]), None)
            if part is not None:
                yield atom, part

    def _permitted_values(
        self, axis: GridAxis, values: Sequence[object], atoms: Sequence[LeafSet]
    ) -> set[object]:
        """The values of one key (say the country) that permitted areas make up, whatever the other keys split."""
        by_value: dict[object, LeafSet] = {}
        for value, part in zip(values, axis.parts, strict=True):
            by_value[value] = by_value[value] | part if value in by_value else part
        return {value for value, part in by_value.items() if self._closure(part, atoms) == part}

    def _is_own(self, leaves: LeafSet, ref: DimensionRef) -> bool:
        assert self._own is not None
        return leaves <= ref.dimension.widen(self._own)

    def _label(
        self, values: Sequence[object], whole: set[object], leaves: LeafSet, part: int, ref: DimensionRef
    ) -> object:
        value = values[part]
        if value in whole:
            return value
        if not all(each is None or isinstance(each, str) for each in values):
            return None
        assert self._terms is not None
        codelist = ref.dimension.codelist
        assert codelist is not None
        if self._is_own(leaves, ref):
            return f"{value or 'other'} (own areas)"
        level = codelist.level(self._terms.elsewhere)
        named = set(values) <= {*codelist.leaf_level.names, *_names(codelist), None}
        source = level.names if named else level.codes
        inside = [leaf for leaf in leaves if leaf < codelist.size and source[leaf]]
        nodes = list(dict.fromkeys(str(source[leaf]) for leaf in inside))
        whole_nodes = nodes and sum(code in nodes for code in map(str, source)) == len(inside)
        return " + ".join(nodes) if whole_nodes else f"{' + '.join(nodes) or 'not known'} (elsewhere)"


def _names(codelist: CodeList) -> set[str | None]:
    return {name for level in codelist.levels for name in level.names}
