"""Sets of leaves: the one form to which every predicate and group of a dimension is reduced."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LeafSet:
    """A set of leaves of one dimension, by index, as a bit mask.

    Two questions about the same people have equal leaf sets however they were worded, which is what makes a
    box canonical. ``size`` is the number of leaves of the dimension, the null leaf included.

    >>> LeafSet.of([0, 2], 3) | LeafSet.of([1], 3) == LeafSet.full(3)
    True
    >>> list(~LeafSet.of([0, 2], 3))
    [1]
    """

    mask: int
    size: int

    @classmethod
    def of(cls, indices: Iterable[int], size: int) -> LeafSet:
        mask = 0
        for index in indices:
            if not 0 <= index < size:
                raise ValueError("leaf index outside the dimension")
            mask |= 1 << index
        return cls(mask, size)

    @classmethod
    def full(cls, size: int) -> LeafSet:
        return cls((1 << size) - 1, size)

    @classmethod
    def empty(cls, size: int) -> LeafSet:
        return cls(0, size)

    def _same(self, other: LeafSet) -> None:
        if self.size != other.size:
            raise ValueError("leaf sets of different dimensions")

    def __and__(self, other: LeafSet) -> LeafSet:
        self._same(other)
        return LeafSet(self.mask & other.mask, self.size)

    def __or__(self, other: LeafSet) -> LeafSet:
        self._same(other)
        return LeafSet(self.mask | other.mask, self.size)

    def __sub__(self, other: LeafSet) -> LeafSet:
        self._same(other)
        return LeafSet(self.mask & ~other.mask, self.size)

    def __invert__(self) -> LeafSet:
        return LeafSet(((1 << self.size) - 1) & ~self.mask, self.size)

    def __le__(self, other: LeafSet) -> bool:
        """Subset, not order."""
        self._same(other)
        return self.mask & ~other.mask == 0

    def __len__(self) -> int:
        return self.mask.bit_count()

    def __bool__(self) -> bool:
        return self.mask != 0

    def __contains__(self, index: int) -> bool:
        return bool(self.mask >> index & 1)

    def __iter__(self) -> Iterator[int]:
        mask = self.mask
        while mask:
            low = mask & -mask
            yield low.bit_length() - 1
            mask ^= low

    @property
    def is_full(self) -> bool:
        return self.mask == (1 << self.size) - 1

    def runs(self) -> tuple[tuple[int, int], ...]:
        """Maximal runs of consecutive leaves as (first, last), both included.

        >>> LeafSet.of([1, 2, 3, 7], 9).runs()
        ((1, 3), (7, 7))
        """
        runs: list[tuple[int, int]] = []
        for index in self:
            if runs and runs[-1][1] == index - 1:
                runs[-1] = (runs[-1][0], index)
            else:
                runs.append((index, index))
        return tuple(runs)
