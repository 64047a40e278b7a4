"""Jurisdiction: a body sees its own areas in full and everywhere else at a coarser level, by rewriting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from catalogue.codelists import CodeList
from catalogue.jurisdiction import PermittedAreas, body_leaves, permitted_atoms
from catalogue.leaves import LeafSet
from policies.compiler.errors import refuse
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
        if self._terms is not None:
            codelist = context.catalogue.codelists[self._terms.codelist]
            own = body_leaves(context.catalogue.bodies[context.body], codelist)
            self._permitted = permitted_atoms(
                codelist, own, self._terms.elsewhere, self._terms.minimum_foreign_leaves
            )

    def check(self, box: Box) -> None:
        """Raise ``outside_jurisdiction`` for a condition that is not made of permitted areas."""
        for dimension, leaves in box.sets:
            atoms = self._atoms(dimension)
            if atoms is not None and self._closure(leaves, atoms) != leaves:
                assert self._terms is not None
                raise refuse(
                    Code.OUTSIDE_JURISDICTION,
                    f"The condition on “{dimension}” picks areas that the agreement does not show by themselves.",
                    f"The agreement shows the body's own areas in full and others by {self._terms.elsewhere}.",
                    f"Ask for your own areas, or for whole areas at level {self._terms.elsewhere}.",
                    None,
                    self._sql,
                )

    def restrict(self, blocks: Sequence[GridBlock]) -> list[GridBlock]:
        """Groups by area with what the agreement does not show by itself put together."""
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

    def _merged(self, axis: GridAxis, atoms: Sequence[LeafSet]) -> list[tuple[LeafSet, list[int]]]:
        """Parts that share an atom, put together: their leaves with whole atoms, and their numbers."""
        atom_of = {leaf: number for number, atom in enumerate(atoms) for leaf in atom}
        group_of: dict[int, int] = {}
        members: dict[int, list[int]] = {}
        touched: dict[int, set[int]] = {}
        for number, part in enumerate(axis.parts):
            own = {atom_of[leaf] for leaf in part if leaf in atom_of}
            joined = sorted({group_of[atom] for atom in own if atom in group_of})
            group = joined[0] if joined else number
            members.setdefault(group, [])
            touched.setdefault(group, set()).update(own)
            for other in joined[1:]:
                members[group] += members.pop(other)
                touched[group] |= touched.pop(other)
            members[group].append(number)
            group_of.update(dict.fromkeys(touched[group], group))
        result = []
        for group, numbers in members.items():
            mask = 0
            for atom in touched[group]:
                mask |= atoms[atom].mask
            result.append((LeafSet(mask, axis.parts[0].size), sorted(numbers)))
        return result

    def _axis(self, axis: GridAxis) -> GridAxis:
        atoms = self._atoms(axis.dimension)
        if atoms is None or not axis.parts:
            return axis
        merged = self._merged(axis, atoms)
        if len(merged) == len(axis.parts) and all(leaves == axis.parts[n[0]] for leaves, n in merged):
            return axis
        assert self._terms is not None
        ref = self._refs.dimension(axis.dimension)
        assert isinstance(ref, DimensionRef)
        assert ref.dimension.codelist is not None
        kept = [(leaves, members) for leaves, members in merged if leaves]
        self.effects.append(
            (
                "jurisdiction",
                f"areas of “{axis.dimension}” outside the body's own are shown by {self._terms.elsewhere}",
            )
        )
        return GridAxis(
            axis.dimension,
            axis.keys,
            tuple(
                tuple(
                    self._label(values, members, leaves, ref.dimension.codelist) for leaves, members in kept
                )
                for values in axis.values
            ),
            tuple(leaves for leaves, _ in kept),
            # Permitted areas are what the custodian reviewed when the agreement was made.
            tuple(axis.adhoc[members[0]] if len(members) == 1 else False for _, members in kept),
            axis.sensitive,
        )

    def _label(
        self, values: Sequence[object], members: Sequence[int], leaves: LeafSet, codelist: CodeList
    ) -> object:
        found = {values[number] for number in members}
        if len(found) == 1:
            return values[members[0]]
        if not all(value is None or isinstance(value, str) for value in found):
            return None
        assert self._terms is not None
        level = codelist.level(self._terms.elsewhere)
        named = found <= set(codelist.leaf_level.names) | {None}
        source = level.names if named else level.codes
        inside = [leaf for leaf in leaves if leaf < codelist.size and source[leaf]]
        nodes = list(dict.fromkeys(str(source[leaf]) for leaf in inside))
        whole = sum(code in nodes for code in map(str, source)) == len(inside)
        return " + ".join(nodes) if whole else f"{' + '.join(nodes)} (elsewhere)"
