"""What a bound column stands for: an attribute of a dimension, a measure, the unit, or a weight.

In a bound expression every column is ``exp.Column(this=attribute, table=key)``; the key is looked up here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlglot import exp

from catalogue.catalogue import BoundDataset, Dimension
from catalogue.fragment import Field, Membership
from catalogue.leaves import LeafSet
from catalogue.models import Variable

VALUE = "value"
MEMBER = "member"


class Kind(StrEnum):
    UNIT = "unit"
    WEIGHT = "weight"
    OPAQUE = "opaque"


@dataclass(frozen=True)
class DimensionRef:
    """A dimension as a query reaches it: ``path`` names the relationships that lead to its dataset."""

    key: str
    dataset: BoundDataset
    dimension: Dimension
    path: tuple[str, ...] = ()
    title: str = ""


@dataclass(frozen=True)
class MemberRef:
    """A two-valued dimension: whether a unit occurs in another dataset (leaf 0 no, leaf 1 yes).

    ``conditions`` says how many dimensions of that dataset its rows are held to. Without any, both answers are nodes
    that a custodian can review. With some, whoever asks made the set: "not found" is then all but those who meet them,
    as fine as conditions of that dataset and of all that it is joined to can cut.
    """

    key: str
    membership: Membership
    conditions: int
    title: str


@dataclass(frozen=True)
class MatchedRef:
    """A two-valued dimension: whether a row found its partner along a relationship (leaf 1 yes)."""

    key: str
    field: Field
    path: tuple[str, ...]
    title: str


@dataclass(frozen=True)
class MeasureRef:
    """A measure; ``dimension`` is its grid, where the catalogue declares one in full.

    ``same_unit`` says that it is a number of the very unit whose rows are counted, not of another that many of them
    are joined to (the turnover of their employer): contributors of that one are not counted, so it can't be protected.
    """

    key: str
    dataset: BoundDataset
    name: str
    variable: Variable
    dimension: DimensionRef | None = None
    path: tuple[str, ...] = ()
    same_unit: bool = True


@dataclass(frozen=True)
class OtherRef:
    """A column that may be counted or joined but never seen: the unit, a weight, another identifier."""

    key: str
    kind: Kind
    dataset: BoundDataset
    name: str
    path: tuple[str, ...] = ()


Ref = DimensionRef | MemberRef | MatchedRef | MeasureRef | OtherRef
TwoValued = MemberRef | MatchedRef
DimensionLike = DimensionRef | MemberRef | MatchedRef

TWO_VALUED_FULL = LeafSet.full(2)
YES = LeafSet.of([1], 2)


def full_of(ref: DimensionLike) -> LeafSet:
    return ref.dimension.full if isinstance(ref, DimensionRef) else TWO_VALUED_FULL


def column(key: str, attribute: str) -> exp.Column:
    return exp.Column(
        this=exp.to_identifier(attribute, quoted=True), table=exp.to_identifier(key, quoted=True)
    )


def key_of(node: exp.Column) -> str:
    return node.table


class Refs:
    """The references that one compilation made, by key."""

    def __init__(self) -> None:
        self._by_key: dict[str, Ref] = {}

    def add(self, ref: Ref) -> str:
        self._by_key.setdefault(ref.key, ref)
        return ref.key

    def include(self, other: Refs) -> bool:
        """Take over the references of another branch over the same dataset, unless a key means another thing there:
        what an inner join reaches is never null, what an outer join reaches may be."""
        if any(self._by_key.get(key, ref) != ref for key, ref in other._by_key.items()):
            return False
        self._by_key.update(other._by_key)
        return True

    def __getitem__(self, key: str) -> Ref:
        return self._by_key[key]

    def dimension(self, key: str) -> DimensionLike | None:
        """The dimension behind a key; for a measure its grid, None where it has none."""
        ref = self._by_key[key]
        if isinstance(ref, MeasureRef):
            return ref.dimension
        return ref if isinstance(ref, DimensionLike) else None

    def datasets(self) -> list[str]:
        """Every dataset that some column or membership of the query is read from."""
        found: list[str] = []
        for ref in self._by_key.values():
            if isinstance(ref, DimensionRef | MeasureRef | OtherRef):
                found.append(ref.dataset.name)
            elif isinstance(ref, MemberRef):
                found += [
                    ref.membership.table.dataset,
                    *(join.table.dataset for join in ref.membership.joins),
                ]
        return list(dict.fromkeys(found))

    def keys_in(self, node: exp.Expr) -> list[str]:
        """The keys read in an expression, each once, in order of appearance."""
        return list(dict.fromkeys(key_of(found) for found in node.find_all(exp.Column)))
