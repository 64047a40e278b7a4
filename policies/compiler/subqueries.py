"""Subqueries below the line: membership along declared relationships, and scalar stages."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sqlglot import exp

from catalogue.fragment import Field, Membership
from catalogue.models import Profile
from policies.compiler.errors import another_unit, refuse
from policies.compiler.fragments import FragmentBuilder, table_of
from policies.compiler.jurisdiction import JurisdictionPass
from policies.compiler.predicates import Predicates
from policies.compiler.refs import MEMBER, Kind, MeasureRef, MemberRef, OtherRef, Refs, column, key_of
from policies.compiler.relations import UnitRelation, union_inside
from policies.context import Context
from policies.plan import Box
from policies.refusals import Code, RefusalError

MEMBER_RULE = (
    "EXISTS and IN over unit rows ask whether a unit occurs in another dataset along a declared relationship, under"
    " one box of conditions."
)


@dataclass
class Memberships:
    """Makes two-valued dimensions of the base dataset whose references are ``refs``."""

    context: Context
    profile: Profile
    sql: str

    def column(
        self, outer: exp.Expr, inner: UnitRelation, key: exp.Expr, refs: Refs, node: exp.Expr
    ) -> exp.Column:
        """Whether the unit's ``outer`` column occurs as ``key`` among the rows of ``inner``."""
        here, there = self._identifier(outer, refs, node), self._identifier(key, inner.refs, node)
        if not self._declared(here, there):
            raise self._refused(node)
        if inner.alternatives:
            raise union_inside(node, self.sql)
        predicates = Predicates(inner.refs, self.sql)
        region = predicates.region(inner.where)
        if len(region) != 1:
            raise self._refused(node)
        box = region[0]
        if not (here.kind is Kind.UNIT and there.kind is Kind.UNIT):
            self._check_measures(box, inner.refs, node)
        JurisdictionPass(self.context, inner.refs, self.sql).check(box)
        builder = FragmentBuilder(self.context.catalogue, inner.base, inner.refs, self.profile)
        conditions = builder.conditions(box)
        if any(isinstance(condition, Membership) for condition in conditions):
            raise self._refused(node)
        paths = [c.column.field.path for c in conditions if not isinstance(c, Membership)]
        membership = Membership(
            table_of(inner.base),
            builder.joins(paths),
            Field(_expression(here), here.path),
            _expression(there),
            tuple(c for c in conditions if not isinstance(c, Membership)),
            True,
        )
        key_text = f"{here.key} in {inner.base.name}.{there.name}:{canonical(box)}"
        digest = hashlib.sha256(key_text.encode()).hexdigest()[:12]
        title = f"found in {inner.base.document.title}"
        ref = MemberRef(f"@member.{inner.base.name}.{digest}", membership, len(box.sets), title)
        return column(refs.add(ref), MEMBER)

    def _check_measures(self, box: Box, refs: Refs, node: exp.Expr) -> None:
        """Refuse conditions on the numbers of another unit: the many who belong to one employer would say in which
        bin its turnover is, however many they are."""
        for name, _ in box.sets:
            ref = refs[name]
            if isinstance(ref, MeasureRef):
                raise another_unit(ref.name, ref.dataset.name, node, self.sql)

    def nullable(self, node: exp.Expr, refs: Refs) -> bool:
        """Whether an identifier may be null, by itself or because a join found no partner."""
        ref = refs[key_of(node)] if isinstance(node, exp.Column) else None
        return isinstance(ref, OtherRef) and (ref.dataset.variable(ref.name).nullable or bool(ref.path))

    def _identifier(self, node: exp.Expr, refs: Refs, place: exp.Expr) -> OtherRef:
        if isinstance(node, exp.Column):
            ref = refs[key_of(node)]
            if isinstance(ref, OtherRef):
                return ref
        raise self._refused(place)

    def _declared(self, here: OtherRef, there: OtherRef) -> bool:
        """One of the two datasets declares the relationship, in either direction."""
        for source, target in ((here, there), (there, here)):
            for relationship in source.dataset.document.relationships.values():
                if (
                    relationship.to == target.dataset.name
                    and relationship.from_column in (source.name, _expression(source))
                    and relationship.to_column in (target.name, _expression(target))
                ):
                    return True
        return False

    def _refused(self, node: exp.Expr) -> RefusalError:
        return refuse(
            Code.JOIN_NOT_DECLARED,
            "This subquery does not follow a declared relationship under one box of conditions.",
            MEMBER_RULE,
            "Use EXISTS (SELECT 1 FROM other WHERE other.key = this.key AND …) with a key that the catalogue declares.",
            node,
            self.sql,
        )


def _expression(ref: OtherRef) -> str:
    return ref.dataset.variable(ref.name).expression or ref.name


def canonical(box: Box) -> str:
    """A text that is equal for equal boxes alone."""
    return ";".join(f"{name}={leaves.mask:x}/{leaves.size}" for name, leaves in box.sets)
