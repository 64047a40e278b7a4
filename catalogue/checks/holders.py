"""A dataset is held in one way, and where it is held in parts these are disjoint and leave nobody out."""

from __future__ import annotations

from collections.abc import Iterator

from catalogue.documents import Sourced
from catalogue.draft import Draft
from catalogue.faults import Fault, nearest
from catalogue.models import Dataset, Mode, Role, SourceLocation
from catalogue.yaml_source import Step

FEWEST_PARTS = {Mode.PROTECTED_PARTS: 2, Mode.MASKED_SUMS: 3}
"""Of two parts each node would know the other's from the total: sums are masked over three at least."""


def check_holders(draft: Draft) -> Iterator[Fault]:
    for dataset in draft.datasets.values():
        source = dataset.document.source
        ways = [key for key in ("connector", "node", "parts") if getattr(source, key) is not None]
        if len(ways) != 1:
            given = " and ".join(f"`{way}`" for way in ways) or "none of them"
            yield dataset.fault(
                ("source",),
                f"`source` needs one of `connector`, `node` and `parts`, and has {given}",
                "say who holds the dataset in one way",
            )
        elif source.parts is not None:
            yield from _parts(draft, dataset, source)
        else:
            yield from _stray(dataset, source)


def check_relationships_within(draft: Draft) -> Iterator[Fault]:
    """Unit rows are joined in one place: where both datasets are held by the same nodes, in the same parts."""
    for dataset in draft.datasets.values():
        for name, relationship in dataset.document.relationships.items():
            other = draft.datasets.get(relationship.to)
            if other is not None and _where(other.document.source) != _where(dataset.document.source):
                yield dataset.fault(
                    ("relationships", name, "to"),
                    f"`{relationship.to}` is not held where `{dataset.document.dataset}` is",
                    "remove the relationship: such datasets are compared by joining their aggregates",
                )


def _where(source: SourceLocation) -> object:
    if source.connector is not None:
        return None
    parts = (
        None if source.parts is None else sorted((node, set(codes)) for node, codes in source.parts.items())
    )
    return source.node, parts


def _stray(dataset: Sourced[Dataset], source: SourceLocation) -> Iterator[Fault]:
    for key in ("split", "mode"):
        if key in source.model_fields_set:
            yield dataset.fault(("source", key), f"`{key}` goes with `parts`", "remove it")


def _parts(draft: Draft, dataset: Sourced[Dataset], source: SourceLocation) -> Iterator[Fault]:
    assert source.parts is not None
    fewest = FEWEST_PARTS[source.mode]
    if len(source.parts) < fewest:
        yield dataset.fault(("source", "parts"), f"`{source.mode}` needs {fewest} parts at least")
    variables = dataset.document.variables
    variable = variables.get(source.split) if source.split else None
    if source.split is None or variable is None or variable.role is not Role.DIMENSION:
        known = [name for name, each in variables.items() if each.role is Role.DIMENSION]
        place: tuple[Step, ...] = ("source",) if source.split is None else ("source", "split")
        yield dataset.fault(
            place,
            "`split` names the dimension whose codes tell the parts from each other",
            nearest(source.split or "", known),
        )
        return
    leaf = variables.get(variable.of) if variable.of else variable
    if leaf is not None and leaf.nullable:
        yield dataset.fault(
            ("source", "split"), f"`{source.split}` may be null, and who has no code would be in no part"
        )
    codelist = draft.codelist_of(dataset.document, variable)
    if codelist is None:
        return
    level = variable.level or codelist.leaf_level.name
    if level not in codelist.nodes:
        yield dataset.fault(
            ("source", "split"),
            f"`{source.split}` is no level of the code list `{codelist.name}`",
            nearest(str(level), [each.name for each in codelist.levels]),
        )
        return
    nodes, holder = codelist.nodes[level], dict[int, str]()
    for node, codes in source.parts.items():
        for index, code in enumerate(codes):
            step: tuple[Step, ...] = ("source", "parts", node, index)
            if code not in nodes:
                known = [str(each) for each in nodes]
                yield dataset.fault(
                    step, f"`{code}` is no code of level `{level}`", nearest(str(code), known)
                )
                continue
            twice = next((holder[leaf] for leaf in nodes[code] if leaf in holder), None)
            if twice is not None:
                yield dataset.fault(
                    step, f"`{code}` is in the part of `{twice}` too", "parts must not overlap"
                )
            holder |= dict.fromkeys(nodes[code], node)
    missing = [codelist.leaf_level.codes[leaf] for leaf in range(codelist.size) if leaf not in holder]
    known_codes = {code for codes in source.parts.values() for code in codes} <= nodes.keys()
    if missing and known_codes:
        yield dataset.fault(
            ("source", "parts"), f"no part holds `{missing[0]}`", "every code of the split is in one part"
        )
