"""Bounds on one cell query, decided from its shape alone."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from catalogue.models import Profile
from policies.boxes import is_empty
from policies.compiler.atoms import AtomTable
from policies.compiler.errors import refuse
from policies.compiler.keys import is_adhoc
from policies.compiler.refs import MemberRef, Refs
from policies.plan import Box, CellQuery, GridBlock
from policies.refusals import Code


def partitions_of(blocks: Sequence[GridBlock], where: Box, table: AtomTable, refs: Refs) -> int:
    """How many partitions of the population the query asks for.

    One a grouping set, one an ad-hoc set; and in each grouping set one for every way in which FILTER and CASE split
    it again: cells by the same dimensions are one way, unless they overlap.
    """
    boxes = {atom.where & where for atom in table.atoms.values()}
    adhoc = sum(
        is_adhoc(refs.dimension(name), leaves)
        for name, leaves in {each for box in boxes for each in box.sets}
    )
    splits: dict[frozenset[str], list[Box]] = {}
    for box in boxes:
        further = frozenset(name for name, leaves in box.sets if where.get(name) != leaves)
        if further and not any(is_adhoc(refs.dimension(name), leaves) for name, leaves in box.sets):
            splits.setdefault(further, []).append(box)
    return len(blocks) * (1 + sum(_depth(members) for members in splits.values())) + adhoc


def _depth(boxes: Sequence[Box]) -> int:
    """The most boxes of which one meets all: 1 where no two overlap."""
    return max(sum(not is_empty(box & other) for other in boxes) for box in boxes)


def check_cell_query(query: CellQuery, profile: Profile, refs: Refs, select: exp.Select, sql: str) -> None:
    """Raise RefusalError for a query beyond the limits of its profile."""
    limits = profile.limits
    most = max((_fineness(query, block, refs) for block in query.blocks), default=0)
    if most > limits.maximum_dimensions:
        raise refuse(
            Code.TOO_MANY_DIMENSIONS,
            f"A cell is cut by {most} dimensions; this dataset allows {limits.maximum_dimensions}.",
            "The more dimensions a cell has, the closer it comes to one person.",
            "Leave out a condition or a group.",
            select,
            sql,
        )
    if query.size > limits.maximum_cells:
        raise refuse(
            Code.TOO_MANY_CELLS,
            f"The table has {query.size:,} cells; this dataset allows {limits.maximum_cells:,}.",
            "A table has a row for every combination of codes, whether anybody is there or not.",
            "Group by a coarser level, or restrict to fewer areas.",
            select,
            sql,
        )
    if query.partitions > limits.maximum_partitions:
        raise refuse(
            Code.TOO_MANY_PARTITIONS,
            f"This asks for {query.partitions} partitions; this dataset allows {limits.maximum_partitions}.",
            "Many splits of the same people, each with noise of its own, would average the noise away.",
            "Use fewer grouping sets, or registered groupings in place of lists and ranges.",
            select,
            sql,
        )
    if is_exact(profile):
        _check_exact(query, profile, select, sql)


def _fineness(query: CellQuery, block: GridBlock, refs: Refs) -> int:
    """How many dimensions cut a cell. A membership cuts by all that its own conditions name."""
    found = (refs.dimension(name) for name in _dimensions(query, block))
    return sum(max(1, ref.conditions) if isinstance(ref, MemberRef) else 1 for ref in found)


def _dimensions(query: CellQuery, block: GridBlock) -> set[str]:
    names = {axis.dimension for axis in block.axes} | set(query.where.dimensions)
    return names | {name for atom in query.atoms for name in atom.where.dimensions}


def is_exact(profile: Profile) -> bool:
    """Whether a profile hides cells and yet publishes exact values, so that margins could give them away."""
    hides = profile.frequency.minimum_frequency > 1 or not profile.frequency.publish_zeros
    return profile.cell_keys is None and hides


def _check_exact(query: CellQuery, profile: Profile, select: exp.Select, sql: str) -> None:
    """A profile that hides cells and publishes exact values: no margin beside its parts, registered shapes alone."""
    boxes = {(atom.where & query.where).sets for atom in query.atoms}
    if len(query.blocks) > 1 or len(boxes) > 1:
        raise refuse(
            Code.MARGIN_WITH_PARTS,
            "This asks for a total and for its parts.",
            "The rules of this dataset publish exact values, so a hidden cell could be found by subtraction.",
            "Ask for the total or for the parts, not for both.",
            select,
            sql,
        )
    shape = sorted(_dimensions(query, query.blocks[0]))
    registered = [sorted(table) for table in profile.registered_tables]
    if registered and shape not in registered:
        raise refuse(
            Code.TABLE_NOT_REGISTERED,
            f"No table by {' × '.join(shape) or 'nothing'} is registered for this dataset.",
            "Datasets that publish exact values release only the tables that their custodian registered.",
            f"Registered: {'; '.join(' × '.join(table) for table in registered)}.",
            select,
            sql,
        )
