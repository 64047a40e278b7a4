"""Algebra of boxes: intersection, subtraction, and regions (disjoint unions of boxes).

A region is what a predicate over several dimensions comes down to; where it can be written as one box it is.
"""

from __future__ import annotations

from collections.abc import Iterable

from policies.plan import Box

Region = tuple[Box, ...]
EVERYWHERE: Region = (Box(),)


def is_empty(box: Box) -> bool:
    return any(not leaves for _, leaves in box.sets)


def intersect(left: Region, right: Region) -> Region:
    """Disjoint in, disjoint out."""
    return merge(box for a in left for b in right if not is_empty(box := a & b))


def subtract_box(box: Box, other: Box) -> Region:
    """What of ``box`` lies outside ``other``, as disjoint boxes."""
    if is_empty(box & other):
        return () if is_empty(box) else (box,)
    pieces: list[Box] = []
    rest = dict(box.sets)
    for name, leaves in other.sets:
        whole = rest.get(name, type(leaves).full(leaves.size))
        outside = whole - leaves
        if outside:
            pieces.append(Box.of({**rest, name: outside}))
        rest[name] = whole & leaves
    return tuple(pieces)


def subtract(left: Region, right: Region) -> Region:
    for other in right:
        left = tuple(piece for box in left for piece in subtract_box(box, other))
    return merge(left)


def union(left: Region, right: Region) -> Region:
    return merge((*left, *subtract(right, left)))


def merge(boxes: Iterable[Box]) -> Region:
    """Join disjoint boxes that differ in one dimension alone, until none is left to join; sorted."""
    pending = [box for box in boxes if not is_empty(box)]
    changed = True
    while changed:
        changed = False
        for i in range(len(pending)):
            for j in range(i + 1, len(pending)):
                joined = _joined(pending[i], pending[j])
                if joined is not None:
                    pending = [box for k, box in enumerate(pending) if k not in (i, j)]
                    pending.append(joined)
                    changed = True
                    break
            if changed:
                break
    return tuple(sorted(pending, key=lambda box: [(name, leaves.mask) for name, leaves in box.sets]))


def _joined(left: Box, right: Box) -> Box | None:
    a, b = dict(left.sets), dict(right.sets)
    different = [name for name in a.keys() | b.keys() if a.get(name) != b.get(name)]
    if len(different) != 1 or different[0] not in a or different[0] not in b:
        return None
    return Box.of({**a, different[0]: a[different[0]] | b[different[0]]})


def hull(region: Region) -> Box:
    """The smallest box that holds the region."""
    result = dict(region[0].sets)
    for box in region[1:]:
        sets = dict(box.sets)
        result = {name: leaves | sets[name] for name, leaves in result.items() if name in sets}
    return Box.of(result)
