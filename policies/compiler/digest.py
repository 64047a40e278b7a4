"""The digest of a plan: everything that an approval binds, in one canonical form."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from catalogue.catalogue import Catalogue
from catalogue.codelists import CodeList
from catalogue.fragment import tables_of
from policies.context import Context
from policies.plan import Box, CellQuery, GridAxis

FORMAT = 1


def plan_digest(normal_sql: str, presentation: str, queries: Iterable[CellQuery], context: Context) -> str:
    """SHA-256 over the canonical plan, the parameter domains, and the versions of all that it stands on.

    With parameters the plan of one value is not the plan of another, so the typed query with its placeholders
    stands in for the canonical plan.
    """
    queries = list(queries)
    parametrised = bool(context.parameters)
    content = {
        "format": FORMAT,
        "sql": normal_sql if parametrised else None,
        "plan": None if parametrised else [_query(query) for query in queries],
        "presentation": None if parametrised else presentation,
        "domains": {
            name: [[type(v).__name__, str(v)] for v in domain.values]
            for name, domain in sorted(context.domains.items())
        },
        "versions": versions(queries, context),
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def versions(queries: Iterable[CellQuery], context: Context) -> dict[str, str]:
    """Digests of the datasets, profiles, code lists and agreement that the plan stands on."""
    digests = context.catalogue.digests
    names: list[str] = []
    for query in queries:
        for dataset in dict.fromkeys(table.dataset for table in tables_of(query.fragment)):
            profile = context.catalogue.datasets[dataset].document.profile
            names += [f"dataset:{dataset}", f"profile:{profile}"]
        names += [f"codelist:{codelist.name}" for codelist in _codelists(query, context.catalogue)]
    if context.agreement is not None:
        names.append(f"agreement:{context.agreement.agreement}")
    return {name: digests[name] for name in names}


def _codelists(query: CellQuery, catalogue: Catalogue) -> Iterable[CodeList]:
    dataset = catalogue.datasets[query.dataset]
    reachable = [
        dataset,
        *(
            catalogue.datasets[r.to]
            for r in dataset.document.relationships.values()
            if r.to in catalogue.datasets
        ),
    ]
    for each in reachable:
        for dimension in each.dimensions.values():
            if dimension.codelist is not None:
                yield dimension.codelist


def _query(query: CellQuery) -> object:
    return {
        "dataset": query.dataset,
        "where": _box(query.where),
        "keys": [[key.name, key.type] for key in query.keys],
        "blocks": [[_axis(axis) for axis in block.axes] for block in query.blocks],
        "atoms": [
            [atom.kind, atom.measure, str(atom.quantile), atom.weighted, _box(atom.where)]
            for atom in query.atoms
        ],
    }


def _axis(axis: GridAxis) -> object:
    parts = [f"{part.mask:x}" for part in axis.parts]
    return [axis.dimension, parts, [[str(value) for value in values] for values in axis.values]]


def _box(box: Box) -> list[list[str]]:
    return [[name, f"{leaves.mask:x}"] for name, leaves in box.sets]
