"""Status companions by rewriting: beside every output column that may be hidden goes a column with its status.

One pass over a bound query. A derived relation returns its columns, then the companions of those that may be
hidden; an expression takes the worst status of what it reads and is NULL where that hides it; an aggregate or a
window takes the worst over the same rows, filter and frame. Where a hidden value decides which rows survive, a
note counts them. A value that an outer join did not find is NULL, not hidden.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from policies.presentation.bind import DIALECT, has_aggregate
from policies.presentation.expressions import (
    Answer,
    Expressions,
    GroupKey,
    Use,
    guard,
    window_keys,
    worst,
)
from policies.presentation.model import NoteQuery, Relation
from policies.presentation.notes import NoteKind, Pending, note, statuses_of
from policies.presentation.refuse import refuse, untraceable
from policies.presentation.scope import ROWS, Columns, Cte, Scope, companion, named, quoted, unnamed
from policies.presentation.setops import combined
from policies.presentation.trees import (
    Rewritten,
    deduplicated,
    leaves,
    order_of_output,
    padded,
    reads,
    renamed,
    wrapped,
)
from policies.refusals import Code


def add_statuses(
    query: exp.Query, relations: Mapping[str, Relation]
) -> tuple[exp.Query, Columns, tuple[NoteQuery, ...]]:
    """``query`` (bound) with status companions, where each column's is, and the notes it calls for.

    Raises RefusalError(status_not_traceable) where no companion can be derived.
    """
    pass_ = _StatusPass(relations)
    rewritten = pass_.query(query, None)
    return rewritten.query, rewritten.columns, tuple(dict.fromkeys(pass_.notes))


class _StatusPass:
    def __init__(self, relations: Mapping[str, Relation]) -> None:
        self._relations: dict[str, Columns] = {
            name.lower(): {c.name.lower(): c.status for c in relation.columns}
            for name, relation in relations.items()
        }
        self._names = set(self._relations)
        self._answers: dict[int, tuple[exp.Query, Answer]] = {}
        self.notes: list[NoteQuery] = []

    # Queries ----------------------------------------------------------------------------------------------------

    def query(self, query: exp.Query, outer: Scope | None, nested: bool = False) -> Rewritten:
        """``nested`` in an expression: a correlated WHERE is then left for the expression to account for."""
        match query:
            case exp.Subquery():
                if not any(query.args.get(part) for part in ("order", "limit", "offset", "with_")):
                    return self.query(query.this, outer, nested)
                names: list[exp.Expr] = [exp.column(quoted(name)) for name in query.named_selects]
                derived = wrapped(query.this.copy(), names)
                for part in ("order", "limit", "offset", "with_"):
                    derived.set(part, query.args[part].copy() if query.args.get(part) else None)
                for projection in names:
                    projection.set("table", exp.to_identifier(ROWS))
                return self.query(derived, outer, nested)
            case exp.Select():
                return self._select(query, Scope.within(outer), nested)
            case exp.SetOperation():
                return self._set_operation(query, Scope.within(outer))
        raise untraceable(query, "this kind of query")

    def _definitions(self, query: exp.Query, scope: Scope) -> exp.With | None:
        with_ = query.args.get("with_")
        if with_ is None:
            return None
        emitted = []
        for cte in with_.expressions:
            name = self._unused(cte.alias)
            if (
                with_.args.get("recursive")
                and isinstance(cte.this, exp.SetOperation)
                and reads(cte.this, cte.alias)
            ):
                body, columns = self._recursive(cte, name, scope)
            else:
                rewritten = self.query(cte.this, scope)
                body, columns = rewritten.query, rewritten.columns
            new = cte.copy()
            new.set("this", body)
            alias = exp.TableAlias(this=quoted(name))
            columns = renamed(cte, columns, alias)
            new.set("alias", alias)
            new.meta["recursive"] = bool(with_.args.get("recursive"))
            emitted.append(new)
            scope.ctes[cte.alias.lower()] = Cte(name, columns)
            scope.definitions = (*scope.definitions, new)
        return exp.With(expressions=emitted, recursive=with_.args.get("recursive"))

    def _unused(self, name: str) -> str:
        unused, number = name, 2
        while unused.lower() in self._names:
            unused, number = f"{name}_{number}", number + 1
        self._names.add(unused.lower())
        return unused

    def _recursive(self, cte: exp.CTE, name: str, scope: Scope) -> tuple[exp.Query, Columns]:
        """A recursive CTE: a column that may be hidden in one round may be hidden in all, up to the fixed point."""
        body = cte.this
        if body.args.get("by_name") or not isinstance(body, exp.Union) or cte.args["alias"].columns:
            raise untraceable(cte, "this kind of recursive CTE")
        anchor = self.query(body.this, scope)
        names = list(anchor.columns)
        need = {i for i, status in enumerate(anchor.columns.values()) if status}
        while True:
            columns: Columns = {n: companion(n) if i in need else None for i, n in enumerate(names)}
            scope.ctes[cte.alias.lower()] = Cte(name, columns)
            before = len(self.notes)
            step = self.query(body.expression, scope)
            found = need | {i for i, status in enumerate(step.columns.values()) if status}
            if len(self.notes) > before:
                raise untraceable(cte, "a recursive CTE that chooses its rows by withheld values")
            if found == need:
                break
            need = found
        branches = [padded(each, need, names) for each in (anchor, step)]
        return exp.Union(
            this=branches[0], expression=branches[1], distinct=body.args.get("distinct")
        ), columns

    # Sources ----------------------------------------------------------------------------------------------------

    def _source(self, node: exp.Expr, scope: Scope) -> exp.Expr:
        """A relation of FROM or JOIN, rewritten and entered in ``scope``."""
        alias = node.alias.lower()
        match node:
            case exp.Table(this=exp.Identifier()):
                new = node.copy()
                found = scope.ctes.get(node.name.lower())
                if found is not None:
                    new.set("this", quoted(found.name))
                    columns = found.columns
                elif node.name.lower() in self._relations:
                    columns = self._relations[node.name.lower()]
                else:
                    raise refuse(
                        Code.UNKNOWN_TABLE,
                        node,
                        f"There is no relation {node.name!r} here.",
                        "Above the line a query reads its own CTEs and aggregates.",
                        "Use a CTE that the query defines before this place.",
                    )
                scope.sources[alias] = renamed(node, columns, new.args.get("alias"))
                return new
            case exp.Subquery() | exp.Lateral():
                rewritten = self.query(node.this, scope)
                lateral = isinstance(node, exp.Lateral)
                derived = node.copy()
                derived.set("this", exp.Subquery(this=rewritten.query) if lateral else rewritten.query)
                scope.sources[alias] = renamed(node, rewritten.columns, derived.args.get("alias"))
                return derived
            case exp.Table() | exp.Unnest() | exp.Values():
                expressions = Expressions(scope, self._answer)
                parts = [p for p in node.iter_expressions() if not isinstance(p, exp.TableAlias)]
                if any(expressions.statuses(part, False) for part in parts):
                    raise untraceable(node, "a table function")
                given = node.args.get("alias")
                scope.sources[alias] = dict.fromkeys(c.name.lower() for c in given.columns) if given else {}
                return node.copy()
        raise untraceable(node, "this kind of relation")

    def _join(self, join: exp.Join, scope: Scope, pending: list[Pending]) -> exp.Join:
        new = join.copy()
        new.set("this", self._source(join.this, scope))
        condition = join.args.get("on")
        if condition is None:
            return new
        expressions = Expressions(scope, self._answer)
        new.set("on", expressions.value(condition))
        counted = []
        for alias in dict.fromkeys(c.table for c in condition.find_all(exp.Column)):
            own = [c for c in condition.find_all(exp.Column) if c.table == alias]
            status = worst([s for c in own for s in expressions.statuses(c, False)])
            if status is not None and alias.lower() in scope.sources:
                counted.append((alias, status))
        if counted:
            pending.append(Pending(NoteKind.JOIN, tuple(counted)))
        return new

    # SELECT -----------------------------------------------------------------------------------------------------

    def _select(self, select: exp.Select, scope: Scope, nested: bool) -> Rewritten:
        new = exp.Select(expressions=[])
        new.set("with_", self._definitions(select, scope))
        pending: list[Pending] = []
        if (source := select.args.get("from_")) is not None:
            new.set("from_", exp.From(this=self._source(source.this, scope)))
        sources = {new.args["from_"].this.alias: new.args["from_"].this} if source is not None else {}
        joins = []
        for join in select.args.get("joins") or []:
            joins.append(self._join(join, scope, pending))
            sources[joins[-1].this.alias] = joins[-1].this
        new.set("joins", joins)
        rows = new.copy()
        rows.set("with_", None)

        expressions = Expressions(scope, self._answer)
        undecided = None
        if (where := select.args.get("where")) is not None:
            certain = (
                [c for c in where.this.flatten() if expressions.status(c) is None]
                if isinstance(where.this, exp.And)
                else []
            )
            status = expressions.status(where.this)
            new.set("where", exp.Where(this=expressions.value(where.this)))
            if status is not None:
                undecided = statuses_of(rows, status)
                if certain:
                    undecided.set("where", exp.Where(this=exp.and_(*(expressions.value(c) for c in certain))))
            rows.set("where", new.args["where"].copy())

        def pend(kind: NoteKind, base: exp.Select, status: exp.Expr | None) -> None:
            if status is not None:
                pending.append(Pending(kind, (), statuses_of(base, status)))

        parts = [
            *select.expressions,
            *(select.args[p] for p in ("having", "qualify", "order") if select.args.get(p)),
        ]
        if select.args.get("group") is not None or any(has_aggregate(part) for part in parts):
            keys, group, key_status = self._group(select, expressions)
            pend(NoteKind.GROUP, rows, key_status)
            expressions = Expressions(scope, self._answer, True, keys)
            new.set("group", group)
            rows.set("group", group.copy() if group is not None else None)
        if (having := select.args.get("having")) is not None:
            pend(NoteKind.HAVING, rows, expressions.status(having.this))
            new.set("having", exp.Having(this=expressions.condition(having.this)))
            rows.set("having", new.args["having"].copy())

        columns, values, statuses = self._projections(select, expressions)
        windows = [w for p in select.expressions for w in p.find_all(exp.Window) if w.parent_select is select]
        keys_read = [
            s for w in windows for k in window_keys(w) for s in expressions.statuses(k, expressions.grouped)
        ]
        pend(NoteKind.WINDOW, rows, worst(keys_read))
        if (qualify := select.args.get("qualify")) is not None:
            pend(NoteKind.QUALIFY, rows, expressions.status(qualify.this))
            new.set("qualify", exp.Qualify(this=expressions.condition(qualify.this)))
            rows.set("qualify", new.args["qualify"].copy())
        expressions.aliases = {name: statuses.get(name) for name in columns}
        new.set("expressions", values)

        distinct = select.args.get("distinct")
        order, order_status = self._order(select, expressions)
        picks = select.args.get("limit") is not None or select.args.get("offset") is not None
        if distinct is not None and distinct.args.get("on") is None and any(columns.values()):
            pend(NoteKind.DISTINCT, rows, worst([s for s in statuses.values() if s is not None]))
            new = deduplicated(new, columns)
            order = order_of_output(select, order)
        elif distinct is not None:
            new.set("distinct", distinct.copy())
            if (on := distinct.args.get("on")) is not None:
                pend(NoteKind.DISTINCT, rows, expressions.status(on))
                picks = True
        if picks:
            pend(NoteKind.LIMIT, rows, order_status)
        new.set("order", order)
        self._copy_limits(select, new)

        if scope.correlated and (pending or (undecided is not None and not nested)):
            raise untraceable(
                select, "a correlated subquery that joins, groups, ranks or limits by withheld values"
            )
        if not scope.correlated:
            if undecided is not None:
                self.notes.append(note(NoteKind.FILTER, scope.definitions, undecided))
                undecided = None
            self.notes.extend(p.note(scope, sources) for p in pending)
        return Rewritten(new, columns, undecided)

    def _projections(
        self, select: exp.Select, expressions: Expressions
    ) -> tuple[Columns, list[exp.Expr], dict[str, exp.Expr | None]]:
        columns: Columns = {}
        values: list[exp.Expr] = []
        statuses: dict[str, exp.Expr | None] = {}
        for projection in select.expressions:
            name = projection.alias_or_name
            bare = unnamed(projection)
            status, value = expressions.status(bare), expressions.value(bare)
            if bare.sql(DIALECT) not in expressions.keys:
                value = guard(value, status)
            unique, number = name.lower(), 1
            while unique in columns:
                unique, number = f"{name.lower()}_{number}", number + 1
            shown = name if unique == name.lower() else unique
            if status is not None and any(isinstance(n, exp.Unnest | exp.Explode) for n in projection.walk()):
                raise untraceable(projection, "UNNEST")
            columns[unique] = None if status is None else companion(unique)
            values.append(named(value, shown))
            statuses[unique] = status
        companions = [
            named(status, companion(name)) for name, status in statuses.items() if status is not None
        ]
        return columns, values + companions, statuses

    def _group(
        self, select: exp.Select, rows: Expressions
    ) -> tuple[dict[str, GroupKey], exp.Group | None, exp.Expr | None]:
        """The GROUP BY with its hidden keys guarded, those keys by their SQL, and their worst status per row."""
        group = select.args.get("group")
        if group is None:
            return {}, None, None
        sets = group.find(exp.Rollup, exp.Cube, exp.GroupingSets) is not None
        found: dict[str, GroupKey] = {}
        read: list[exp.Expr] = []
        for key in (leaf for each in group.iter_expressions() for leaf in leaves(each)):
            status = rows.status(key)
            if status is None:
                continue
            read.append(status)
            value = guard(rows.value(key), status)
            shown: exp.Expr = exp.Max(this=status.copy())
            if sets:
                total = exp.EQ(
                    this=exp.Grouping(expressions=[value.copy()]), expression=exp.Literal.number(1)
                )
                shown = exp.Case(ifs=[exp.If(this=total, true=exp.Literal.number(0))], default=shown)
            found[key.sql(DIALECT)] = GroupKey(value, shown)
        if not found:
            return {}, group.copy(), None
        guarded = Expressions(rows.scope, self._answer, True, found)
        new = exp.Group(
            **{
                part: [guarded.value(k) for k in value] if isinstance(value, list) else value
                for part, value in group.args.items()
            }
        )
        return found, new, worst(read)

    def _order(self, query: exp.Query, expressions: Expressions) -> tuple[exp.Order | None, exp.Expr | None]:
        order = query.args.get("order")
        if order is None:
            return None, None
        statuses = [s for o in order.expressions for s in expressions.statuses(o.this, expressions.grouped)]
        return exp.Order(expressions=[expressions.condition(o) for o in order.expressions]), worst(statuses)

    # Set operations ---------------------------------------------------------------------------------------------

    def _set_operation(self, query: exp.SetOperation, scope: Scope) -> Rewritten:
        with_ = self._definitions(query, scope)
        result = combined(query, self.query(query.this, scope), self.query(query.expression, scope))
        pending = []
        if result.compared is not None:
            pending.append(Pending(NoteKind.SET_OPERATION, (), result.compared))
        aliases: dict[str, exp.Expr | None] = {
            n: exp.column(quoted(s), table=ROWS) if s else None for n, s in result.columns.items()
        }
        order, status = self._order(query, Expressions(scope, self._answer, aliases=aliases))
        new = result.query
        if status is not None and (query.args.get("limit") or query.args.get("offset")):
            pending.append(Pending(NoteKind.LIMIT, (), statuses_of(wrapped(new.copy(), []), status)))
        if pending and scope.correlated:
            raise untraceable(query, "a correlated set operation")
        self.notes.extend(p.note(scope, {}) for p in pending)
        new.set("order", order)
        self._copy_limits(query, new)
        new.set("with_", with_)
        return Rewritten(new, result.columns)

    def _copy_limits(self, query: exp.Query, new: exp.Query) -> None:
        for part in ("limit", "offset"):
            if (clause := query.args.get(part)) is not None:
                if any(isinstance(n, exp.Query | exp.Column) for n in clause.walk()):
                    raise untraceable(clause, "a LIMIT that is not a number")
                new.set(part, clause.copy())

    # Subqueries of expressions ----------------------------------------------------------------------------------

    def _answer(self, query: exp.Query, use: Use, scope: Scope) -> Answer:
        cached = self._answers.get(id(query))
        if cached is None or cached[0] is not query:
            cached = (query, self._asked(query, use, scope))
            self._answers[id(query)] = cached
        return cached[1]

    def _asked(self, query: exp.Query, use: Use, scope: Scope) -> Answer:
        rewritten = self.query(query, scope, nested=True)
        statuses: list[exp.Expr] = []
        names = list(rewritten.columns)
        if use is not Use.EXISTENCE and len(names) == 1 and (name := rewritten.columns[names[0]]):
            status: exp.Expr = exp.column(quoted(name), table=ROWS)
            if use is Use.ANY_ROW:
                status = exp.Max(this=status)
            statuses.append(exp.Subquery(this=wrapped(rewritten.query.copy(), [status])))
        if rewritten.undecided is not None:
            largest = exp.Max(this=exp.column("__fed_status", table=ROWS))
            statuses.append(exp.Subquery(this=wrapped(rewritten.undecided, [largest])))
        value = rewritten.query
        if any(rewritten.columns.values()):
            if len(names) != 1 and use is not Use.EXISTENCE:
                raise untraceable(query, "a subquery of several columns")
            value = wrapped(value, [exp.column(quoted(names[0]), table=ROWS)])
        return Answer(value, tuple(statuses))
