"""The question in plain English, for the person who decides on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from catalogue.catalogue import BoundDataset, Catalogue, Dimension
from catalogue.codelists import CodeList, CodeListKind
from catalogue.leaves import LeafSet
from policies.plan import Atom, AtomKind, Box, CellQuery

_NOUNS = {
    AtomKind.SUM: "the total of",
    AtomKind.MEAN: "the mean of",
    AtomKind.VARIANCE: "the variance of",
    AtomKind.STDDEV: "the standard deviation of",
}


def question(query: CellQuery, catalogue: Catalogue) -> str:
    """One sentence: what is asked, by what, for whom, in which dataset."""
    dataset = catalogue.datasets[query.dataset]
    asked = _listed([_atom(atom, query, dataset, catalogue) for atom in query.atoms]) or "the list of groups"
    titles = dict.fromkeys(key.title for key in query.keys)
    by = f", by {_listed([title.lower() for title in titles])}" if titles else ""
    margins = ", with totals" if len(query.blocks) > 1 else ""
    whom = _box(query.where, dataset, catalogue)
    where = f", where {whom}" if whom else ""
    text = f"{asked}{by}{margins}{where}"
    return f"{text[0].upper()}{text[1:]} ({dataset.document.title}, {dataset.document.reference_period})."


def domains_in_words(
    domains: Mapping[str, Sequence[object]], queries: Iterable[CellQuery], catalogue: Catalogue
) -> str:
    """For each parameter that may take several values all of them, by the names that code lists have for them."""
    dimensions = [
        dimension
        for query in queries
        for box in (query.where, *(atom.where for atom in query.atoms))
        for name in box.dimensions
        if (dimension := _dimension(name, catalogue.datasets[query.dataset], catalogue)) is not None
    ]
    codelists = list({d.codelist.name: d.codelist for d in dimensions if d.codelist is not None}.values())
    told = []
    for parameter, values in domains.items():
        if len(values) > 1:
            names = _names(values, codelists)
            told.append(f"${parameter}, here {names[0]}, may be any of {_listed(names)}.")
    return " ".join(told)


def _names(values: Sequence[object], codelists: Iterable[CodeList]) -> list[str]:
    """The names of codes of the level that has the first, which was compiled; what is no code stands as it is."""
    for codelist in codelists:
        if codelist.kind is CodeListKind.INTEGERS:
            continue
        for level in codelist.levels:
            names = {str(code): str(name) for code, name in zip(level.codes, level.names, strict=True)}
            if str(values[0]) in names:
                return [names.get(str(value), str(value)) for value in values]
    return [str(value) for value in values]


def _atom(atom: Atom, query: CellQuery, dataset: BoundDataset, catalogue: Catalogue) -> str:
    plural = dataset.document.unit.plural
    measure = ""
    if atom.measure is not None:
        owner, name = atom.measure.split(".", 1)
        measure = catalogue.datasets[owner].document.variables[name].title.lower()
    extra = Box(tuple((name, leaves) for name, leaves in atom.where.sets if query.where.get(name) != leaves))
    among = _box(extra, dataset, catalogue)
    suffix = f" where {among}" if among else ""
    weighted = "weighted " if atom.weighted else ""
    match atom.kind:
        case AtomKind.UNITS:
            return f"the {weighted}number of {plural}{' with ' + measure if measure else ''}{suffix}"
        case AtomKind.COUNT:
            return f"the number of records{suffix}"
        case AtomKind.QUANTILE:
            assert atom.quantile is not None
            name = (
                "median" if atom.quantile * 2 == 1 else f"{(atom.quantile * 100).normalize():f}th percentile"
            )
            return f"the {weighted}{name} of {measure}{suffix}"
        case kind:
            return f"{_NOUNS[kind]} {weighted}{measure}{suffix}"


def _box(box: Box, dataset: BoundDataset, catalogue: Catalogue) -> str:
    return _listed([_set(name, leaves, dataset, catalogue) for name, leaves in box.sets])


def _set(name: str, leaves: LeafSet, dataset: BoundDataset, catalogue: Catalogue) -> str:
    title = _title(name, dataset, catalogue).lower()
    dimension = _dimension(name, dataset, catalogue)
    if dimension is None:
        return title if 1 in leaves else f"not {title}"
    return f"{title} is {describe_leaves(dimension, leaves)}"


def describe_leaves(dimension: Dimension, leaves: LeafSet) -> str:
    """A set of leaves in words: a node's or grouping's name, a range, a short list, or how many of how many."""
    # A dimension that is reached by an outer join has one leaf more than its own dataset knows: no partner, null.
    null = dimension.null_leaf if leaves.size == dimension.size else leaves.size - 1
    rest = leaves if null is None else LeafSet(leaves.mask & ~(1 << null), leaves.size)
    missing = " or not known" if null is not None and null in leaves else ""
    if not rest:
        return "not known"
    return _known(dimension, rest) + missing


def _known(dimension: Dimension, leaves: LeafSet) -> str:
    codelist = dimension.codelist
    if codelist is None:
        grid = dimension.grid
        assert grid is not None
        ranges = []
        for first, last in leaves.runs():
            low, high = grid.minimum + first * grid.step, grid.minimum + (last + 1) * grid.step
            if first == 0:
                ranges.append(f"below {high:f}")
            else:
                ranges.append(
                    f"{low:f} or more" if last >= grid.bins - 1 else f"from {low:f} to below {high:f}"
                )
        return " or ".join(ranges)
    if codelist.kind is CodeListKind.INTEGERS:
        codes = codelist.leaf_level.codes
        return " or ".join(
            str(codes[first]) if first == last else f"{codes[first]} to {codes[last]}"
            for first, last in leaves.runs()
        )
    for level in codelist.levels:
        for code, node in codelist.nodes[level.name].items():
            if node.mask == leaves.mask:
                return str(level.names[next(iter(node))] or code)
    for grouping in codelist.groupings.values():
        for part in grouping.parts:
            if part.leaves.mask == leaves.mask:
                return part.title
    if leaves.mask == LeafSet.full(codelist.size).mask:
        return "known"
    if len(leaves) <= 4:
        return " or ".join(str(codelist.leaf_level.names[leaf]) for leaf in leaves)
    return f"in {len(leaves)} of {codelist.size} codes"


def _dimension(name: str, dataset: BoundDataset, catalogue: Catalogue) -> Dimension | None:
    *path, last = name.split(".")
    for step in path:
        if step not in dataset.document.relationships:
            return None
        dataset = catalogue.datasets[dataset.relationship(step).to]
    return dataset.dimensions.get(last)


def _title(name: str, dataset: BoundDataset, catalogue: Catalogue) -> str:
    *path, last = name.split(".")
    if path and path[0] == "@member":
        return f"found in {catalogue.datasets[path[1]].document.title}"
    for step in path:
        dataset = catalogue.datasets[dataset.relationship(step).to]
    if last == "@matched":
        return f"with a record in {dataset.document.title}"
    return dataset.document.variables[last].title


def _listed(items: list[str]) -> str:
    if len(items) <= 1:
        return items[0] if items else ""
    return f"{', '.join(items[:-1])} and {items[-1]}"
