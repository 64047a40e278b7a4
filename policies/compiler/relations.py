"""What a name in FROM stands for: rows of units, an open lookup, or something above the line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sqlglot import exp

from catalogue.catalogue import BoundDataset
from catalogue.codelists import CodeList
from catalogue.fragment import Field
from catalogue.models import Agreement, Relationship, Role
from policies.compiler.errors import refuse, unsupported
from policies.compiler.refs import (
    VALUE,
    DimensionRef,
    Kind,
    MatchedRef,
    MeasureRef,
    OtherRef,
    Refs,
    column,
    key_of,
)
from policies.refusals import Code, RefusalError


@dataclass(frozen=True)
class UnitRelation:
    """Unit rows of one dataset: bound expressions for its columns and the conjuncts that restrict it.

    ``alternatives`` holds the predicates of the branches of a UNION ALL (each a conjunction), of which a row meets
    exactly one; empty where there is no union.
    """

    refs: Refs
    base: BoundDataset
    columns: Mapping[str, exp.Expr]
    where: tuple[exp.Expr, ...] = ()
    alternatives: tuple[tuple[exp.Expr, ...], ...] = ()

    def and_where(self, conjuncts: Iterable[exp.Expr]) -> UnitRelation:
        return replace(self, where=(*self.where, *conjuncts))


@dataclass(frozen=True)
class LookupRelation:
    """A code list as an open table: nothing in it is about anybody.

    ``columns`` gives the column of the code list behind each name; ``key`` is the one by which rows are unique: the
    leaf level, or for SELECT DISTINCT of a level and its names that level.
    """

    codelist: CodeList
    columns: Mapping[str, str]
    key: str


@dataclass(frozen=True)
class PresentedRelation:
    """A query over protected cells, already rewritten; its columns are resolved above the line."""

    query: exp.Query


Relation = UnitRelation | LookupRelation | PresentedRelation


def whole_lookup(codelist: CodeList) -> LookupRelation:
    return LookupRelation(
        codelist, {name: name for name in codelist.table.column_names}, codelist.leaf_level.name
    )


def distinct_lookup(query: exp.Query, codelists: Mapping[str, CodeList]) -> LookupRelation | None:
    """SELECT DISTINCT of columns of one code list of which one decides the others; None for anything else."""
    if (
        not isinstance(query, exp.Select)
        or not query.args.get("distinct")
        or query.args["distinct"].args.get("on")
    ):
        return None
    if any(
        value
        for part, value in query.args.items()
        if part not in ("expressions", "distinct", "from_", "kind")
    ):
        return None
    source = query.args["from_"].this
    codelist = codelists.get(source.name.lower()) if isinstance(source, exp.Table) else None
    if codelist is None:
        return None
    columns: dict[str, str] = {}
    for item in query.expressions:
        inner = item.this if isinstance(item, exp.Alias) else item
        if not isinstance(inner, exp.Column) or inner.name.lower() not in codelist.table.column_names:
            return None
        columns[item.alias_or_name.lower()] = inner.name.lower()
    attributes = list(dict.fromkeys(columns.values()))
    rows = codelist.table.select(attributes).group_by(attributes).aggregate([])
    for attribute in attributes:
        if len(rows.column(attribute).unique()) == rows.num_rows:
            return LookupRelation(codelist, columns, attribute)
    return None


def path_key(path: tuple[str, ...], name: str) -> str:
    return ".".join((*path, name))


def variable_column(
    refs: Refs,
    dataset: BoundDataset,
    name: str,
    path: tuple[str, ...],
    optional: bool,
    same_unit: bool = True,
) -> exp.Column:
    """The bound column of a catalogue variable, registering what it stands for.

    ``optional`` says that a row may have found no partner along ``path``, so that its columns may be null.
    """
    variable = dataset.variable(name)
    dimension = dataset.dimension_of(name)
    if dimension is not None and optional and not dimension.nullable:
        dimension = replace(dimension, nullable=True)
    if variable.role is Role.DIMENSION:
        assert dimension is not None
        root = dataset.variable(dimension.name)
        ref = DimensionRef(path_key(path, dimension.name), dataset, dimension, path, root.title)
        level = dataset.level_of(name)
        assert level is not None
        return column(refs.add(ref), level)
    if variable.role is Role.MEASURE:
        key = path_key(path, name)
        grid = None
        if dimension is not None:
            grid = DimensionRef(key, dataset, dimension, path, variable.title)
        return column(refs.add(MeasureRef(key, dataset, name, variable, grid, path, same_unit)), VALUE)
    kind = Kind.OPAQUE
    if variable.role is Role.WEIGHT:
        kind = Kind.WEIGHT
    elif (variable.expression or name) == dataset.document.unit.expression and not path:
        kind = Kind.UNIT
    return column(refs.add(OtherRef(path_key(path, name), kind, dataset, name, path)), "id")


def unit_relation(dataset: BoundDataset, agreement: Agreement | None) -> UnitRelation:
    """A dataset as the agreement shows it: masked variables are gone, row filters are in force."""
    refs = Refs()
    masked = set(agreement.masked_variables) if agreement else set()
    columns = {
        name: variable_column(refs, dataset, name, (), False)
        for name, variable in dataset.document.variables.items()
        if variable.role is not Role.RECORD_KEY and name not in masked
    }
    where: list[exp.Expr] = []
    for row_filter in agreement.row_filters if agreement else ():
        if row_filter.variable in dataset.document.variables:
            bound = variable_column(refs, dataset, row_filter.variable, (), False)
            where.append(exp.In(this=bound, expressions=[exp.convert(code) for code in row_filter.codes]))
    return UnitRelation(refs, dataset, columns, tuple(where))


def reroot(
    relation: UnitRelation, refs: Refs, path: tuple[str, ...], optional: bool, same_unit: bool
) -> UnitRelation:
    """The same relation reached along relationships of another dataset.

    ``same_unit`` says that they lead from a unit to a row about that same unit.
    """

    if relation.alternatives:
        raise union_inside(None, "")

    def moved(expression: exp.Expr) -> exp.Expr:
        def one(node: exp.Expr) -> exp.Expr:
            if not isinstance(node, exp.Column):
                return node
            ref = relation.refs[key_of(node)]
            if isinstance(ref, DimensionRef | MeasureRef | OtherRef):
                name = ref.dimension.name if isinstance(ref, DimensionRef) else ref.name
                own = same_unit and (not isinstance(ref, MeasureRef) or ref.same_unit)
                target = variable_column(refs, ref.dataset, name, (*path, *ref.path), optional, own)
                return column(key_of(target), node.name)
            if isinstance(ref, MatchedRef):
                further = (*path, *ref.path)
                moved_ref = replace(ref, key=path_key(further, "@matched"), path=further)
                return column(refs.add(moved_ref), node.name)
            raise unsupported(
                "A condition on membership can't be carried through a join.",
                "Put the EXISTS in the outer query.",
            )

        return expression.transform(one)

    return UnitRelation(
        refs,
        relation.base,
        {name: moved(expression) for name, expression in relation.columns.items()},
        tuple(moved(conjunct) for conjunct in relation.where),
    )


def union_inside(node: exp.Expr | None, sql: str) -> RefusalError:
    """The refusal of a UNION ALL of unit rows where it is joined or looked up in."""
    return refuse(
        Code.UNION_NOT_DISJOINT,
        "A UNION ALL of unit rows can be aggregated, but neither joined nor looked up in.",
        "A set operation over unit rows must not count anybody twice.",
        "Use one SELECT with the conditions joined by OR.",
        node,
        sql,
    )


def matched(refs: Refs, relationship: Relationship, path: tuple[str, ...]) -> exp.Expr:
    """The condition of an inner join: the row found its partner."""
    field = Field(f'"{relationship.to_column}" IS NOT NULL', path)
    ref = MatchedRef(path_key(path, "@matched"), field, path, f"with a matching {relationship.to}")
    return column(refs.add(ref), "member")
