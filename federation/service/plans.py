"""What a cleared plan touches: the datasets, their custodians, and the dimensions that standing rules look at."""

from __future__ import annotations

from collections.abc import Iterator

from catalogue.catalogue import Catalogue
from catalogue.fragment import tables_of
from federation.state.quorum import Quorum
from policies.plan import CellQuery, ClearedPlan

JOINED = "(joined)"
"""Stands for whatever a query reads of a dataset by way of another: no standing rule names it, so none covers it."""


def cell_queries(plan: ClearedPlan) -> Iterator[CellQuery]:
    """Every cell query of a plan, those of its stages first."""
    for stage in plan.stages:
        yield stage.query
    yield from plan.queries


def custodians(plan: ClearedPlan, catalogue: Catalogue) -> dict[str, str]:
    """The custodian body of every dataset that a plan reads, through joins and memberships too."""
    names = {name for query in cell_queries(plan) for name in datasets_of(query, catalogue)}
    return {name: catalogue.datasets[name].document.custodian for name in sorted(names)}


def quorums(plan: ClearedPlan, catalogue: Catalogue) -> dict[str, Quorum]:
    """Whose approval every dataset needs that a plan reads, by its profile. What another node holds is decided on
    there, by whom that node asks."""
    found: dict[str, Quorum] = {}
    for name, custodian in custodians(plan, catalogue).items():
        profile = catalogue.profile_of(name)
        if profile is None or catalogue.datasets[name].held.nodes:
            found[name] = Quorum(custodian)
        else:
            asked = profile.approval
            also = frozenset(asked.also) - {custodian}
            found[name] = Quorum(custodian, also, asked.quorum, asked.organisations)
    return found


def held_elsewhere(plan: ClearedPlan, catalogue: Catalogue) -> dict[str, str]:
    """The names of the nodes that hold each dataset of a plan that this node does not hold."""
    nodes = {name: catalogue.datasets[name].held.nodes for name in custodians(plan, catalogue)}
    return {name: ", ".join(found) for name, found in nodes.items() if found}


def dimensions(plan: ClearedPlan, catalogue: Catalogue) -> dict[str, set[str]]:
    """For each dataset that a plan reads, the dimensions by which it groups or filters there."""
    found: dict[str, set[str]] = {}
    for query in cell_queries(plan):
        used = found.setdefault(query.dataset, set())
        used.update(query.where.dimensions)
        used.update(axis.dimension for block in query.blocks for axis in block.axes)
        used.update(name for atom in query.atoms for name in atom.where.dimensions)
        for name in datasets_of(query, catalogue) - {query.dataset}:
            found.setdefault(name, set()).add(JOINED)
    return found


def datasets_of(query: CellQuery, catalogue: Catalogue) -> set[str]:
    """The datasets that a cell query reads. Lookup tables of code lists are open and nobody's to decide on."""
    fragments = (query.fragment, *(guard.fragment for guard in query.guards))
    read = {table.dataset for fragment in fragments for table in tables_of(fragment)}
    return {query.dataset} | (read & set(catalogue.datasets))
