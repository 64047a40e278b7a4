"""FROM and JOIN over unit rows: declared many-to-one steps and open lookups, nothing that could fan out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlglot import exp

from catalogue.codelists import CodeList
from catalogue.models import Relationship
from policies.compiler.codes import AreaLookup, name_codes
from policies.compiler.errors import refuse
from policies.compiler.refs import DimensionRef, OtherRef, Refs, column, key_of
from policies.compiler.relations import (
    LookupRelation,
    PresentedRelation,
    Relation,
    UnitRelation,
    distinct_lookup,
    matched,
    reroot,
)
from policies.compiler.scope import Scope
from policies.compiler.trees import bare, conjuncts
from policies.refusals import Code, RefusalError

JOIN_RULE = (
    "Unit rows are joined only along relationships that the catalogue declares many-to-one, or to a code list"
    " at its leaf level or to SELECT DISTINCT of a level and its names, so that no join can multiply rows."
)


@dataclass(frozen=True)
class Step:
    """A declared many-to-one step, the path to it from the base dataset, and the equality that spells it out."""

    pair: tuple[exp.Expr, exp.Expr]
    path: tuple[str, ...]
    relationship: Relationship
    same_unit: bool


class Joiner:
    """Builds the scope of one SELECT over unit rows, source by source."""

    def __init__(
        self,
        sql: str,
        resolve: Callable[[exp.Expr], tuple[str, Relation]],
        area: AreaLookup,
        codelists: Mapping[str, CodeList],
    ) -> None:
        self._sql = sql
        self._resolve = resolve
        self._area = area
        self._codelists = codelists
        self._used: list[set[exp.Expr]] = []

    def consumed(self, term: exp.Expr) -> bool:
        """Whether a term of WHERE was the key of a comma join."""
        return isinstance(term, exp.EQ) and {bare(term.this), bare(term.expression)} in self._used

    def scope(self, select: exp.Select) -> tuple[Scope, UnitRelation]:
        """The scope and the base relation with every condition that joining put in."""
        first = select.args["from_"].this
        alias, relation = self._resolve(first)
        joins = list(select.args.get("joins") or ())
        where = list(conjuncts(select.args["where"].this)) if select.args.get("where") else []
        if isinstance(relation, LookupRelation):
            # FROM a lookup JOIN units: start from the units.
            swapped = next(
                (join for join in joins if isinstance(self._resolve(join.this)[1], UnitRelation)), None
            )
            if swapped is None or swapped.side:
                raise self._refused(select)
            turned = swapped.copy()
            turned.set("this", first.copy())
            joins[joins.index(swapped)] = turned
            alias, relation = self._resolve(swapped.this)
        if not isinstance(relation, UnitRelation):
            raise self._refused(select)
        scope = Scope(self._sql, relation.refs, {alias: dict(relation.columns)})
        for join in joins:
            relation = self._join(scope, alias, relation, join, where)
        return scope, relation

    def _join(
        self, scope: Scope, base_alias: str, base: UnitRelation, join: exp.Join, where: list[exp.Expr]
    ) -> UnitRelation:
        alias, other = self._resolve(join.this)
        side = (join.side or "").upper()
        kind = (join.kind or "").upper()
        if join.method or kind not in ("", "INNER", "OUTER", "CROSS") or side not in ("", "LEFT"):
            raise self._refused(join)
        if isinstance(other, PresentedRelation):
            names = distinct_lookup(other.query, self._codelists)
            if names is None:
                raise self._refused(join)
            other = names
        if isinstance(other, LookupRelation):
            return self._lookup(scope, alias, other, join, where, base)
        if not isinstance(other, UnitRelation):
            raise self._refused(join)
        pairs = self._pairs(join, where)
        step = self._step(scope, alias, other, base, pairs)
        if step is not None:
            self._use(join, step)
            moved = reroot(other, base.refs, step.path, side == "LEFT", step.same_unit)
            if side == "LEFT" and (
                other.where or (join.args.get("on") and len(list(conjuncts(join.args["on"]))) > 1)
            ):
                raise self._refused(join)
            self._merge_using(scope, join)
            scope.sources[alias] = moved.columns
            result = base.and_where(moved.where)
            if side != "LEFT":
                result = result.and_where([matched(base.refs, step.relationship, step.path)])
            return result.and_where(self._rest(scope, join, step.pair))
        return self._swap(scope, base_alias, base, alias, other, join, pairs, side)

    def _swap(
        self,
        scope: Scope,
        base_alias: str,
        base: UnitRelation,
        alias: str,
        other: UnitRelation,
        join: exp.Join,
        pairs: list[tuple[exp.Expr, exp.Expr]],
        side: str,
    ) -> UnitRelation:
        """The joined dataset is the many side: it becomes the base and what stood first is reached from it."""
        turned = Scope(self._sql, other.refs, {alias: dict(other.columns)})
        step = self._step(turned, base_alias, base, other, pairs)
        if step is None or side or len(scope.sources) > 1:
            raise self._refused(join)
        moved = reroot(base, other.refs, step.path, False, step.same_unit)
        scope.refs = other.refs
        scope.sources = {base_alias: moved.columns, alias: dict(other.columns)}
        self._merge_using(scope, join)
        self._use(join, step)
        result = other.and_where([*moved.where, matched(other.refs, step.relationship, step.path)])
        return result.and_where(self._rest(scope, join, step.pair))

    def _use(self, join: exp.Join, step: Step) -> None:
        """The key of a comma join stands in WHERE; there it says no more than that the rows meet."""
        if not join.args.get("on") and not join.args.get("using"):
            self._used.append(set(step.pair))

    def _pairs(self, join: exp.Join, where: list[exp.Expr]) -> list[tuple[exp.Expr, exp.Expr]]:
        using = join.args.get("using") or ()
        if len(using) > 1:
            raise self._refused(join)
        if using:
            return [(exp.column(item.name), exp.column(item.name)) for item in using]
        terms = list(conjuncts(join.args["on"])) if join.args.get("on") else where
        return [
            (bare(term.this), bare(term.expression))
            for term in terms
            if isinstance(term, exp.EQ)
            and isinstance(bare(term.this), exp.Column)
            and isinstance(bare(term.expression), exp.Column)
        ]

    def _step(
        self,
        scope: Scope,
        alias: str,
        other: UnitRelation,
        base: UnitRelation,
        pairs: list[tuple[exp.Expr, exp.Expr]],
    ) -> Step | None:
        """The declared relationship, of the base or of a dataset joined to it, that an equality spells out."""
        for left, right in pairs:
            for here, there in ((left, right), (right, left)):
                if not isinstance(here, exp.Column) or not isinstance(there, exp.Column):
                    continue
                source = _identifier(scope, here)
                target = _member(alias, other, there)
                if source is None or target is None:
                    continue
                for name, relationship in source.dataset.document.relationships.items():
                    if (
                        relationship.to == other.base.name
                        and relationship.from_column.lower() in _names(source)
                        and relationship.to_column.lower() in _names(target)
                    ):
                        own = base.base.document.unit.expression
                        same_unit = not source.path and _expression(source) == own
                        return Step((left, right), (*source.path, name), relationship, same_unit)
        return None

    def _lookup(
        self,
        scope: Scope,
        alias: str,
        lookup: LookupRelation,
        join: exp.Join,
        where: list[exp.Expr],
        base: UnitRelation,
    ) -> UnitRelation:
        for left, right in self._pairs(join, where):
            for here, there in ((left, right), (right, left)):
                if not isinstance(here, exp.Column) or not isinstance(there, exp.Column):
                    continue
                if (
                    lookup.columns.get(there.name.lower()) != lookup.key
                    or (there.table or alias).lower() != alias
                ):
                    continue
                bound = scope.find(here)
                if not isinstance(bound, exp.Column):
                    continue
                ref = scope.refs[key_of(bound)]
                if (
                    isinstance(ref, DimensionRef)
                    and ref.dimension.codelist is lookup.codelist
                    and bound.name == lookup.key
                ):
                    self._merge_using(scope, join)
                    scope.sources[alias] = {
                        name: column(ref.key, attribute) for name, attribute in lookup.columns.items()
                    }
                    terms = self._rest(scope, join, (left, right))
                    if join.side:
                        # A row without a code finds no partner; its other columns would have to be null here.
                        partial = lookup.codelist.table.column(lookup.key).null_count
                        if terms or partial:
                            raise self._refused(join)
                        return base
                    present = exp.Not(this=exp.Is(this=bound.copy(), expression=exp.Null()))
                    return base.and_where([present, *terms])
        raise self._refused(join)

    def _rest(self, scope: Scope, join: exp.Join, used: tuple[exp.Expr, exp.Expr]) -> list[exp.Expr]:
        """What else stands in ON, bound."""
        if not join.args.get("on"):
            return []
        rest = []
        for term in conjuncts(join.args["on"]):
            if isinstance(term, exp.EQ) and {bare(term.this), bare(term.expression)} == set(used):
                continue
            if term.find(exp.Subquery, exp.Exists, exp.Select):
                raise self._refused(join)
            bound = term.transform(lambda n: scope.resolve(n) if isinstance(n, exp.Column) else n)
            rest.append(name_codes(bound, scope.refs, self._area, self._sql))
        return rest

    def _merge_using(self, scope: Scope, join: exp.Join) -> None:
        scope.merged |= {item.name.lower() for item in join.args.get("using") or ()}

    def _refused(self, node: exp.Expr) -> RefusalError:
        return refuse(
            Code.JOIN_NOT_DECLARED,
            "This join is not one that the catalogue declares.",
            JOIN_RULE,
            "Use a declared relationship; to compare datasets, aggregate each and join the results; to ask who of"
            " one is in another, write EXISTS or IN.",
            node,
            self._sql,
        )


def _identifier(scope: Scope, node: exp.Column) -> OtherRef | None:
    bound = scope.find(node)
    return _other(bound, scope.refs) if bound is not None else None


def _member(alias: str, other: UnitRelation, node: exp.Column) -> OtherRef | None:
    if node.table and node.table.lower() != alias:
        return None
    bound = other.columns.get(node.name.lower())
    found = _other(bound, other.refs) if bound is not None else None
    return found if found is not None and not found.path else None


def _other(bound: exp.Expr, refs: Refs) -> OtherRef | None:
    ref = refs[key_of(bound)] if isinstance(bound, exp.Column) else None
    return ref if isinstance(ref, OtherRef) else None


def _expression(ref: OtherRef) -> str:
    return ref.dataset.variable(ref.name).expression or ref.name


def _names(ref: OtherRef) -> set[str]:
    """The names under which a column may stand in a relationship."""
    return {ref.name.lower(), _expression(ref).strip('"').lower()}


def renamed(columns: Mapping[str, exp.Expr], names: list[str]) -> dict[str, exp.Expr]:
    """Columns under the names of a table alias: ``AS t(a, b)``."""
    given = [name.lower() for name in names]
    return {(given[i] if i < len(given) else name): bound for i, (name, bound) in enumerate(columns.items())}
