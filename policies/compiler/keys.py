"""GROUP BY to grids: each key is a function of one dimension's leaves, each grouping set a product of parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from sqlglot import exp

from catalogue.leaves import LeafSet
from policies.compiler.errors import refuse
from policies.compiler.predicates import Predicates
from policies.compiler.refs import DimensionLike, DimensionRef, MemberRef, full_of
from policies.compiler.trees import bare
from policies.plan import Box, GridAxis, GridBlock, KeyColumn
from policies.protect.grid import carried
from policies.refusals import Code

MAXIMUM_SETS = 64


@dataclass(frozen=True)
class Key:
    """One GROUP BY expression: its value on every leaf of its dimension."""

    name: str
    dimension: str
    expression: exp.Expr
    values: tuple[object, ...]
    type: str
    title: str

    @property
    def column(self) -> KeyColumn:
        return KeyColumn(self.name, self.type, self.title)


def grouping_sets(group: exp.Group, sql: str) -> tuple[list[exp.Expr], list[tuple[int, ...]]]:
    """The distinct key expressions in order, and the grouping sets as indices into them."""
    keys: list[exp.Expr] = []

    def index(node: exp.Expr) -> int:
        node = bare(node)
        for i, known in enumerate(keys):
            if known == node:
                return i
        keys.append(node)
        return len(keys) - 1

    def members(node: exp.Expr) -> tuple[int, ...]:
        node = bare(node)
        items = node.expressions if isinstance(node, exp.Tuple) else [node]
        return tuple(index(item) for item in items)

    def alternatives(node: exp.Expr) -> list[tuple[int, ...]]:
        if isinstance(node, exp.Rollup):
            parts = [members(item) for item in node.expressions]
            return [sum(parts[:n], ()) for n in range(len(parts), -1, -1)]
        if isinstance(node, exp.Cube):
            parts = [members(item) for item in node.expressions]
            if len(parts) > 6:
                return [()] * (MAXIMUM_SETS + 1)
            masks = range(2 ** len(parts) - 1, -1, -1)
            width = len(parts) - 1
            return [sum((p for i, p in enumerate(parts) if m >> (width - i) & 1), ()) for m in masks]
        if isinstance(node, exp.GroupingSets):
            nested = (exp.Rollup, exp.Cube, exp.GroupingSets)
            return [
                found
                for item in node.expressions
                for found in (alternatives(item) if isinstance(item, nested) else [members(item)])
            ]
        return [members(node)]

    elements = [
        *group.expressions,
        *(
            item
            for name in ("rollup", "cube", "grouping_sets")
            for item in group.args.get(name) or ()
            if isinstance(item, exp.Expr)
        ),
    ]
    choices = [alternatives(element) for element in elements]
    sets: list[tuple[int, ...]] = []
    for combination in product(*choices):
        sets.append(tuple(sorted(set(sum(combination, ())))))
        if len(sets) > MAXIMUM_SETS:
            raise refuse(
                Code.TOO_MANY_PARTITIONS,
                f"This asks for more than {MAXIMUM_SETS} grouping sets.",
                "Every grouping set is one more partition of the same people, and they are capped.",
                "Ask for fewer margins.",
                group,
                sql,
            )
    return keys, sets


def bind_keys(expressions: Sequence[exp.Expr], predicates: Predicates) -> list[Key]:
    """Evaluate each bound key on its dimension. Raises RefusalError for a key over none or several."""
    keys = []
    for number, expression in enumerate(expressions):
        dimensions = predicates.refs.keys_in(expression)
        if len(dimensions) != 1:
            raise refuse(
                Code.PREDICATE_NOT_BOX,
                "A group must be made from exactly one dimension.",
                "Groups are sets of codes of one dimension, so that every cell is a box.",
                "Group by each dimension by itself and combine them in an outer query.",
                expression,
                predicates.sql,
            )
        dimension = predicates._dimension(dimensions[0], expression)
        result = predicates.values(dimension, expression)
        if result.inexact:
            raise refuse(
                Code.PREDICATE_NOT_BOX,
                "These bands cut through the measure's declared grid.",
                "A measure is cut only on the grid that its custodian declared.",
                "Use bands whose edges are multiples of the grid's step.",
                expression,
                predicates.sql,
            )
        if not carried(result.type):
            raise refuse(
                Code.UNSUPPORTED_SYNTAX,
                f"A group can't be of type {result.type}.",
                "Groups are texts, numbers, truth values, dates or times.",
                "Group by the code itself and make the value around the groups, in the select list.",
                expression,
                predicates.sql,
            )
        title = _title(dimension, expression)
        keys.append(Key(f"k{number}", dimensions[0], expression, result.values, result.type, title))
    return keys


def _title(dimension: DimensionLike, expression: exp.Expr) -> str:
    """The title of the catalogue variable that holds this level, else that of the dimension."""
    if isinstance(dimension, DimensionRef) and isinstance(expression, exp.Column):
        for name, variable in dimension.dataset.document.variables.items():
            same = (variable.of or name) == dimension.dimension.name
            if same and dimension.dataset.level_of(name) == expression.name:
                return variable.title
    return dimension.title


def grid_block(keys: Sequence[Key], chosen: Sequence[int], where: Box, predicates: Predicates) -> GridBlock:
    """The grid of one grouping set: per dimension the parts into which its keys cut the leaves that WHERE leaves."""
    by_dimension: dict[str, list[Key]] = {}
    for index in chosen:
        by_dimension.setdefault(keys[index].dimension, []).append(keys[index])
    axes = []
    for dimension, members in by_dimension.items():
        ref = predicates.refs.dimension(dimension)
        assert ref is not None
        # A source groups by both values of a membership; the one that WHERE rules out is an impossible cell.
        inside = full_of(ref) if isinstance(ref, MemberRef) else where.get(dimension) or full_of(ref)
        parts: dict[tuple[object, ...], int] = {}
        for leaf in inside:
            values = tuple(_comparable(key.values[leaf]) for key in members)
            parts[values] = parts.get(values, 0) | 1 << leaf
        sets = tuple(LeafSet(mask, inside.size) for mask in parts.values())
        first = [next(iter(leaves)) for leaves in sets]
        axes.append(
            GridAxis(
                dimension,
                tuple(key.name for key in members),
                tuple(tuple(key.values[leaf] for leaf in first) for key in members),
                sets,
                tuple(is_adhoc(ref, leaves) for leaves in sets),
                isinstance(ref, DimensionRef) and ref.dimension.sensitive,
            )
        )
    absent = [i for i in range(len(keys)) if i not in chosen]
    grouping = sum(1 << (len(keys) - 1 - i) for i in absent)
    return GridBlock(tuple(axes), grouping)


def is_adhoc(ref: object, leaves: LeafSet) -> bool:
    """Whether a set is neither a leaf, a node nor a registered grouping, so that a guard must bind it."""
    if isinstance(ref, DimensionRef):
        single_bin = ref.dimension.codelist is not None and len(leaves) == 1
        return not single_bin and leaves.mask not in ref.dimension.free_masks
    return isinstance(ref, MemberRef) and ref.conditions > 0 and not leaves.is_full


def _comparable(value: object) -> object:
    """Equal values of different types (1 and True) are different keys; NaN is one key, as it is in SQL."""
    return (type(value).__name__, value if value == value else "NaN")
