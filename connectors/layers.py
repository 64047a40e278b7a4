"""Aggregates of a fragment: which first pass over rows they need, and how groups of groups combine.

Two kinds of layer answer the same calls. A RowLayer adds up rows. An EntityLayer groups by an entity (unit,
second unit, holding) first, so that entities are counted once and totals are taken by entity, without DISTINCT.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import Enum

from sqlglot import exp

from catalogue.fragment import RECORD_KEY_MODULUS, Field
from connectors.expressions import case, cast, not_null, number
from connectors.rows import Rows

BITS = 63
"""As many as a number of 64 bits with a sign has places for."""


class Again(Enum):
    """How a first aggregate of groups combines into that of their union."""

    SUM = "SUM"
    MIN = "MIN"
    MAX = "MAX"
    ANY = "ANY_VALUE"
    OR = "BOOL_OR"
    BITS = "BIT_OR"
    TOP = "TOP"


def filtered(aggregate: exp.Expr, predicate: exp.Expr | None) -> exp.Expr:
    if predicate is None:
        return aggregate
    return exp.Filter(this=aggregate, expression=exp.Where(this=predicate.copy()))


def count(predicate: exp.Expr | None = None) -> exp.Expr:
    return filtered(exp.Count(this=exp.Star(), big_int=True), predicate)


def sum_(value: exp.Expr, predicate: exp.Expr | None = None) -> exp.Expr:
    return filtered(exp.Sum(this=value.copy()), predicate)


def largest(value: exp.Expr, k: int, by: exp.Expr, *, is_key: bool) -> exp.Expr:
    """A list of the k largest values, fewer where there are fewer. ``by`` tells entities apart, for an engine that
    has no such aggregate and takes several passes; ``is_key`` says that it is a random number."""
    aggregate = exp.Max(this=value.copy(), count=number(k))
    aggregate.meta["by"] = by.copy()
    aggregate.meta["is_key"] = is_key
    return aggregate


def top_of(lists: exp.Expr, k: int) -> exp.Expr:
    """The k largest elements of one list."""
    return exp.func("LIST_SLICE", exp.func("LIST_REVERSE_SORT", lists), number(1), number(k))


def bit_count(bits: exp.Expr) -> exp.Expr:
    return exp.func("BIT_COUNT", bits)


def wide(value: exp.Expr) -> exp.Expr:
    """128 bits for products of two scaled numbers."""
    return cast(value.copy(), "HUGEINT")


def magnitude(value: exp.Expr, signed: bool) -> exp.Expr:
    return exp.Abs(this=value.copy()) if signed else value.copy()


def whole(value: exp.Expr, to: str = "BIGINT") -> exp.Expr:
    return cast(exp.func("COALESCE", value, number(0)), to)


class Layer(ABC):
    """First aggregates by name (``aggregates``) and the output columns that follow from them (``outputs``)."""

    def __init__(self, name: str, rows: Rows) -> None:
        self.name = name
        self.rows = rows
        self.aggregates: dict[str, tuple[exp.Expr, Again, int]] = {}
        self.outputs: dict[str, exp.Expr] = {}

    def first(self, aggregate: exp.Expr, again: Again, k: int = 0) -> exp.Expr:
        """Take a first aggregate over rows, once however often it is asked for."""
        for name, known in self.aggregates.items():
            if known == (aggregate, again, k):
                return exp.column(name)
        name = f"a{len(self.aggregates)}"
        self.aggregates[name] = (aggregate, again, k)
        return exp.column(name)

    @staticmethod
    def combined(name: str, again: Again, k: int) -> exp.Expr:
        column = exp.column(name)
        if again is Again.TOP:
            some = not_null(column.copy())
            return top_of(exp.func("FLATTEN", filtered(exp.func("LIST", column), some)), k)
        return exp.func(again.value, column)

    @abstractmethod
    def units(self, output: str, predicate: exp.Expr | None) -> None:
        """The number of contributors."""

    @abstractmethod
    def key_sum(self, output: str, predicate: exp.Expr | None) -> None:
        """The sum of contributors' record keys, modulo RECORD_KEY_MODULUS."""

    @abstractmethod
    def weights(self, output: str, squares: str, predicate: exp.Expr | None) -> None:
        """The contributors' weights, summed, and their squares."""

    @abstractmethod
    def top(self, output: str, value: exp.Expr, k: int, signed: bool) -> None:
        """The k largest absolute totals, as a list."""

    @abstractmethod
    def exists(self) -> exp.Expr:
        """True of a group that has rows; only a group by nothing can be without."""


class RowLayer(Layer):
    """Aggregates over rows; outputs are taken over groups of first aggregates. ``singles`` are the same outputs
    for a group of one, which needs no second aggregation."""

    def __init__(self, name: str, rows: Rows) -> None:
        super().__init__(name, rows)
        self.singles: dict[str, exp.Expr] = {}
        self.count_all = self.first(count(), Again.SUM)

    def sum_of(self, aggregate: exp.Expr) -> exp.Expr:
        return sum_(self.first(aggregate, Again.SUM))

    def total(self, output: str, aggregate: exp.Expr, to: str) -> None:
        self.outputs[output] = whole(self.sum_of(aggregate), to)
        self.singles[output] = whole(self.first(aggregate, Again.SUM), to)

    def extreme(self, output: str, value: exp.Expr, again: Again) -> None:
        column = self.first(exp.func(again.value, value.copy()), again)
        self.outputs[output] = cast(exp.func(again.value, column), "HUGEINT")
        self.singles[output] = cast(column.copy(), "HUGEINT")

    def units(self, output: str, predicate: exp.Expr | None) -> None:
        self.total(output, count(predicate), "BIGINT")

    def key_sum(self, output: str, predicate: exp.Expr | None) -> None:
        keys = self.first(sum_(self.rows.record_key(), predicate), Again.SUM)
        self.outputs[output] = whole(exp.Mod(this=sum_(keys), expression=number(RECORD_KEY_MODULUS)))
        self.singles[output] = whole(exp.Mod(this=keys, expression=number(RECORD_KEY_MODULUS)))

    def weights(self, output: str, squares: str, predicate: exp.Expr | None) -> None:
        weight = self.rows.weight()
        self.total(output, sum_(weight, predicate), "HUGEINT")
        square = exp.Mul(this=wide(weight), expression=weight.copy())
        self.total(squares, sum_(square, predicate), "HUGEINT")

    def top(self, output: str, value: exp.Expr, k: int, signed: bool) -> None:
        key = self.rows.record_key()
        column = self.first(largest(magnitude(value, signed), k, key, is_key=True), Again.TOP, k)
        self.outputs[output] = self.combined(column.name, Again.TOP, k)
        self.singles[output] = column.copy()

    def bits(self, output: str, entity: Field, predicate: exp.Expr | None) -> None:
        """A set of bits, one for each entity by its hash, null where there is none: at least as many entities as
        bits, for two may share one. Linear counting without the estimate (Whang et al. 1990)."""
        place = cast(
            exp.Mod(this=exp.func("HASH", self.rows.raw(entity)), expression=number(BITS)), "INTEGER"
        )
        bit = exp.BitwiseLeftShift(this=cast(number(1), "BIGINT"), expression=place)
        some = self.rows.name(case(not_null(self.rows.raw(entity)), bit))
        column = self.first(filtered(exp.func("BIT_OR", some), predicate), Again.BITS)
        self.outputs[output] = self.combined(column.name, Again.BITS, 0)
        self.singles[output] = column.copy()

    def exists(self) -> exp.Expr:
        return exp.GT(this=sum_(self.count_all), expression=number(0))


class EntityLayer(Layer):
    """Aggregates by entity: first by (keys, entity), then over entities."""

    def __init__(self, name: str, rows: Rows, entity: Field, *, drop_null: bool) -> None:
        super().__init__(name, rows)
        self.entity = entity
        column = rows.entity(entity)
        self.entity_column = column.name
        if drop_null:
            present = not_null(rows.columns[column.name].copy())
            rows.filters.append(present)

    def met(self, predicate: exp.Expr | None) -> exp.Expr | None:
        """Whether any row of the entity meets the predicate."""
        if predicate is None:
            return None
        return self.first(exp.func("BOOL_OR", predicate.copy()), Again.OR)

    def units(self, output: str, predicate: exp.Expr | None) -> None:
        self.outputs[output] = whole(count(self.met(predicate)))

    def key_sum(self, output: str, predicate: exp.Expr | None) -> None:
        key = self.first(exp.func("ANY_VALUE", self.rows.record_key()), Again.ANY)
        total = sum_(key, self.met(predicate))
        self.outputs[output] = whole(exp.Mod(this=exp.paren(total), expression=number(RECORD_KEY_MODULUS)))

    def weights(self, output: str, squares: str, predicate: exp.Expr | None) -> None:
        weight, met = self.first(exp.func("MAX", self.rows.weight()), Again.MAX), self.met(predicate)
        self.outputs[output] = whole(sum_(weight, met), "HUGEINT")
        square = exp.Mul(this=wide(weight), expression=weight.copy())
        self.outputs[squares] = whole(sum_(square, met), "HUGEINT")

    def top(self, output: str, value: exp.Expr, k: int, signed: bool) -> None:
        total = self.first(sum_(value), Again.SUM)
        entity = exp.column("entity")
        self.outputs[output] = largest(magnitude(total, signed), k, entity, is_key=False)

    def exists(self) -> exp.Expr:
        return exp.GT(this=count(), expression=number(0))


def joined_top(lists: Sequence[str], k: int) -> exp.Expr:
    """The k largest of several lists of totals."""
    some = [case(not_null(exp.column(name)), exp.column(name), exp.Array()) for name in lists]
    return some[0] if len(some) == 1 else top_of(exp.func("LIST_CONCAT", *some), k)
