"""From SQL to a cleared plan: the passes in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time

import duckdb
from sqlglot import exp

from catalogue.catalogue import BoundDataset, Catalogue
from catalogue.codelists import CodeListKind
from catalogue.fragment import tables_of
from catalogue.models import Role
from catalogue.purposes import PurposeMatch, match_purpose
from policies.compiler import leaf_engine
from policies.compiler.digest import plan_digest
from policies.compiler.elsewhere import check_askable
from policies.compiler.errors import did_you_mean, in_order, refuse, unknown_table
from policies.compiler.limits import is_exact
from policies.compiler.ordering import expand_order_by_all
from policies.compiler.parameters import bind_parameters, unread_parameters
from policies.compiler.parse import parse
from policies.compiler.pivot import expand_pivots
from policies.compiler.queries import Environment, QueryCompiler
from policies.compiler.question import question
from policies.compiler.scope import NAMES
from policies.compiler.weighted import bind_weighted
from policies.context import Context
from policies.plan import AppliedRule, AtomKind, CellQuery, ClearedPlan, Stage
from policies.presentation.allow import check
from policies.presentation.clock import bind_clock
from policies.presentation.model import Column, Presentation, Relation
from policies.presentation.present import present
from policies.refusals import Code, Refusal, RefusalError

Tables = Mapping[str, Mapping[str, str]]
MAXIMUM_FAULTS = 20


@dataclass(frozen=True)
class _Read:
    """A query whose terms, parameters, names and constructs are in order. ``typed`` is the tree of the text."""

    typed: exp.Query
    tree: exp.Query
    tables: Tables
    names: list[str]
    clock: datetime


def compile_plan(sql: str, context: Context, *, unread: bool = False) -> ClearedPlan:
    """Compile one query for one body under one agreement. ``unread`` allows parameters that the query has not.

    Raises RefusalError, decided without data: with everything that is wrong with terms, parameters, names and
    constructs, and where those are in order with the first thing that protection forbids.
    """
    plan = _compiled(sql, context, unread=unread)
    for query in (*(stage.query for stage in plan.stages), *plan.queries):
        check_askable(
            query, context, lambda written: _compiled(written, _without_values(context), unread=False).queries
        )
    return plan


def _without_values(context: Context) -> Context:
    """The terms of a question without what fills its parameters and stages: those are in its boxes by now."""
    return replace(context, parameters={}, domains={}, stage_values=())


def _compiled(sql: str, context: Context, *, unread: bool) -> ClearedPlan:
    read_ = _read(sql, context, unread=unread)
    tree, tables, names, clock = read_.tree, read_.tables, read_.names, read_.clock
    compiler = QueryCompiler(sql, context, tables, names=tuple(names))
    query = compiler.presented(tree, Environment(), tree)
    # A CTE that only a stage reads, or nothing, is no part of what runs.
    query = _without_unread_ctes(query)
    read = {table.name for table in query.find_all(exp.Table)}
    compiler.queries = [each for each in compiler.queries if each.relation in read]
    _check_datasets(compiler, context, tree)
    presentation = _present(query, compiler.queries, compiler.lookups, names, clock, context.catalogue)
    stages = tuple(
        Stage(
            draft.query,
            _present(draft.presentation, [draft.query], set(), ["stage"], clock, context.catalogue),
            next((atom.measure for atom in draft.query.atoms if atom.measure), ""),
        )
        for draft in compiler.stages
    )
    hidden = any(draft.hidden for draft in compiler.stages)
    queries = tuple(replace(each, withheld=hidden) for each in compiler.queries)
    everything = (*queries, *(stage.query for stage in stages))
    if not everything:
        raise refuse(
            Code.ROW_LEVEL,
            "This asks nothing of any dataset.",
            "A request is an aggregate over a dataset of the catalogue.",
            "Select COUNT(*), SUM, AVG or MEDIAN from a dataset.",
            tree,
            sql,
        )
    _check_together(everything, context.catalogue, tree, sql)
    return ClearedPlan(
        sql=sql,
        queries=queries,
        presentation=presentation,
        lookups=tuple(sorted(compiler.lookups)),
        rules=tuple(_rules(everything, compiler.effects, context)),
        question=" ".join(dict.fromkeys(question(each, context.catalogue) for each in everything)),
        digest=plan_digest(
            read_.typed.sql(dialect="duckdb"),
            presentation.sql,
            everything,
            context,
        )
        if not context.stage_values
        # What the stages answered is not part of what was approved.
        else _compiled(sql, replace(context, stage_values=()), unread=unread).digest,
        stages=stages,
        parameters=dict(context.parameters),
    )


def _read(sql: str, context: Context, *, unread: bool) -> _Read:
    """What can be judged by itself is judged even where something else is wrong, so that all is told at once."""
    faults = _terms_faults(context)
    try:
        parsed = parse(sql)
    except RefusalError as error:
        raise RefusalError(*faults, *error.refusals) from None
    given, wrong = bind_parameters(parsed.tree, context, sql)
    faults += wrong if unread else [*wrong, *unread_parameters(parsed.tree, context)]
    try:
        given = expand_order_by_all(given, sql)
    except RefusalError as error:
        faults += error.refusals
    clock = datetime.combine(context.today, time(), UTC)
    timed = tree = bind_clock(given, clock)
    tables = _tables(timed, context.catalogue)
    unknown = _unknown_tables(timed, tables, context.catalogue, sql)
    faults += unknown.values()
    names: list[str] = []
    try:
        if unknown:
            if timed.find(exp.Pivot) is None:
                check(timed, {name: Relation(name, ()) for name in (*tables, *unknown)})
        else:
            tree = bind_weighted(expand_pivots(timed, sql, context, tables), sql)
            check(tree, {name: Relation(name, ()) for name in tables})
            # A name follows the text as typed; the text is bound to empty tables for it, and never executed.
            typed = given if tree == timed else tree
            as_typed = sql if typed == parsed.tree else typed.sql(dialect="duckdb")
            names = _output_names(as_typed, typed, tables, tree, sql)
    except RefusalError as error:
        faults += error.refusals
    if faults:
        raise RefusalError(*dict.fromkeys(faults))
    return _Read(parsed.tree, tree, tables, names, clock)


def _terms_faults(context: Context) -> list[Refusal]:
    agreement = context.agreement
    if agreement is None or context.body not in agreement.bodies:
        remedy = "Ask the custodian for an agreement that covers this body, dataset and purpose."
        return [_terms(Code.NO_AGREEMENT, "This body has no agreement for the request.", remedy)]
    faults = []
    if not agreement.start <= context.today <= agreement.end:
        when = f"It runs from {agreement.start} to {agreement.end}."
        message = f"“{agreement.title}” is not in force. {when}"
        faults.append(_terms(Code.AGREEMENT_EXPIRED, message, "Ask for its renewal."))
    if match_purpose(agreement, context.purpose) is PurposeMatch.NOT_PERMITTED:
        allowed = "; ".join(agreement.purposes)
        message = (
            f"“{agreement.title}” does not permit this purpose."
            if context.purpose.strip()
            else "No purpose is stated."
        )
        faults.append(_terms(Code.PURPOSE_NOT_PERMITTED, message, f"State one of its purposes: {allowed}."))
    return faults


def _without_unread_ctes(query: exp.Query) -> exp.Query:
    with_ = query.args.get("with_")
    if with_ is None:
        return query
    kept: list[exp.CTE] = []
    readers = query.copy()
    readers.set("with_", None)
    read = {table.name.lower() for table in readers.find_all(exp.Table)}
    for cte in reversed(with_.expressions):
        if cte.alias.lower() in read:
            kept.insert(0, cte)
            read |= {table.name.lower() for table in cte.this.find_all(exp.Table)}
    query.set("with_", exp.With(expressions=kept) if kept else None)
    return query


def _terms(code: Code, message: str, remedy: str) -> Refusal:
    rule = "Data is used only under an agreement in force, for a purpose that it permits."
    return Refusal(code, message, rule, remedy)


def _check_datasets(compiler: QueryCompiler, context: Context, tree: exp.Expr) -> None:
    agreement = context.agreement
    assert agreement is not None
    queries = [*compiler.queries, *(stage.query for stage in compiler.stages)]
    used = {table.dataset for query in queries for table in tables_of(query.fragment)}
    missing = sorted(used - set(agreement.datasets))
    if missing:
        raise refuse(
            Code.NO_AGREEMENT,
            f"“{agreement.title}” does not cover {', '.join(missing)}.",
            "Data is used only under an agreement in force, for a purpose that it permits.",
            "Leave the dataset out, or ask its custodian for an agreement.",
            tree,
            compiler.sql,
        )


def _check_together(queries: Iterable[CellQuery], catalogue: Catalogue, tree: exp.Expr, sql: str) -> None:
    """Bounds over all cell queries on one dataset: they cut the same people."""
    by_dataset: dict[str, list[CellQuery]] = {}
    for query in queries:
        by_dataset.setdefault(query.dataset, []).append(query)
    for name, members in by_dataset.items():
        profile = catalogue.profile_of(name)
        assert profile is not None
        partitions = sum(member.partitions for member in members)
        if partitions > profile.limits.maximum_partitions:
            raise refuse(
                Code.TOO_MANY_PARTITIONS,
                f"This asks for {partitions} partitions; this dataset allows {profile.limits.maximum_partitions}.",
                "Many splits of the same people, each with noise of its own, would average the noise away.",
                "Ask for fewer tables of one dataset in one query.",
                tree,
                sql,
            )
        if len(members) > 1 and is_exact(profile):
            raise refuse(
                Code.MARGIN_WITH_PARTS,
                "This asks for several tables of a dataset that publishes exact values.",
                "The rules of this dataset publish exact values, so a hidden cell could be found by subtraction.",
                "Ask for one table at a time.",
                tree,
                sql,
            )


def _unknown_tables(tree: exp.Query, tables: Tables, catalogue: Catalogue, sql: str) -> dict[str, Refusal]:
    """Every table that is neither of the catalogue nor a CTE, with the nearest names."""
    ctes = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    return {
        table.name.lower(): unknown_table(
            table, [*catalogue.datasets, *catalogue.codelists, *ctes], sql
        ).refusals[0]
        for table in tree.find_all(exp.Table)
        if isinstance(table.this, exp.Identifier) and table.name.lower() not in ctes | tables.keys()
    }


def _tables(tree: exp.Query, catalogue: Catalogue) -> Tables:
    """The columns of every dataset and code list that the query names, typed as DuckDB would see them."""
    names = {
        table.name.lower() for table in tree.find_all(exp.Table) if isinstance(table.this, exp.Identifier)
    }
    tables: dict[str, Mapping[str, str]] = {}
    for name in sorted(names):
        if name in catalogue.datasets:
            tables[name] = _dataset_columns(catalogue.datasets[name])
        elif name in catalogue.codelists:
            tables[name] = codelist_types(catalogue, name)
    return tables


def _dataset_columns(dataset: BoundDataset) -> dict[str, str]:
    columns = {}
    for name, variable in dataset.document.variables.items():
        dimension = dataset.dimension_of(name)
        if variable.role is Role.MEASURE:
            columns[name] = f"DECIMAL(18,{variable.decimals})"
        elif variable.role is Role.WEIGHT:
            columns[name] = "DECIMAL(18,6)"
        elif variable.role is Role.DIMENSION and dimension is not None and dimension.codelist is not None:
            leaf = dataset.level_of(name) == dimension.codelist.leaf_level.name
            integers = dimension.codelist.kind is CodeListKind.INTEGERS and leaf
            columns[name] = "BIGINT" if integers else "VARCHAR"
        else:
            columns[name] = "VARCHAR"
    return columns


def codelist_types(catalogue: Catalogue, name: str) -> dict[str, str]:
    """The columns of a code list as an open table."""
    table = catalogue.codelists[name].table
    return {field.name: "BIGINT" if str(field.type) == "int64" else "VARCHAR" for field in table.schema}


def _output_names(text: str, typed: exp.Query, tables: Tables, tree: exp.Query, sql: str) -> list[str]:
    """The names that DuckDB gives to the typed query, which also says whether the query holds together at all.

    DuckDB tells one mistake at a time: a column that is unknown stands as NULL when it is asked for the next.
    """
    found: list[Refusal] = []
    lacking: set[str] = set()
    while True:
        try:
            names = [name for name, _ in leaf_engine.describe(text, tables, tree)]
        except (duckdb.Error, RefusalError) as error:
            refusal, name = _binding_refusal(error, tree, sql, tables)
            if refusal.code is not Code.UNKNOWN_COLUMN or not name or name in lacking:
                # What follows from the NULLs is no mistake of the query.
                raise RefusalError(*(in_order(found) or [refusal])) from None
            found.append(refusal)
            lacking.add(name)
            if len(found) == MAXIMUM_FAULTS:
                raise RefusalError(*in_order(found)) from None
            text = typed.transform(_nulls, lacking).sql(dialect="duckdb")
        else:
            if found:
                raise RefusalError(*in_order(found))
            return names


def _nulls(node: exp.Expr, names: set[str]) -> exp.Expr:
    return exp.null() if isinstance(node, exp.Column) and node.name.lower() in names else node


def _binding_refusal(
    error: duckdb.Error | RefusalError, tree: exp.Query, sql: str, tables: Tables
) -> tuple[Refusal, str]:
    """DuckDB's own words on a query over empty tables (they tell of names and types, never of data), and the
    column that they are about."""
    if isinstance(error, RefusalError):
        return error.refusals[0], ""
    first = str(error).splitlines()[0]
    message = first.split(": ", 1)[-1] if ": " in first else first
    code = Code.UNSUPPORTED_SYNTAX
    rule, remedy = "The query must hold together in DuckDB's SQL.", "Mend the query as the message says."
    node: exp.Expr = tree
    quoted = ""
    if "does not exist" in message and "Table" in message:
        code = Code.UNKNOWN_TABLE
        found = next(
            (t for t in tree.find_all(exp.Table) if f"name {t.name} " in message.replace("!", " ")), None
        )
        node = found if found is not None else tree
    elif "eferenced column" in message or "does not have a column" in message:
        code, rule = Code.UNKNOWN_COLUMN, NAMES
        quoted = message.split('"')[1] if '"' in message else ""
        node = next((c for c in tree.find_all(exp.Column) if c.name.lower() == quoted.lower()), tree)
        remedy = did_you_mean(quoted, {column for columns in tables.values() for column in columns})
        message = f"There is no column “{quoted}” here" if quoted else message
    elif "must appear in the GROUP BY" in message:
        code = Code.ROW_LEVEL
        remedy = "Add it to GROUP BY, or aggregate it."
        quoted = message.split('"')[1] if '"' in message else ""
        node = next((c for c in tree.find_all(exp.Column) if c.name.lower() == quoted.lower()), tree)
        message = f"“{quoted}” is neither grouped nor aggregated"
    elif "mbiguous" in message:
        code = Code.AMBIGUOUS_COLUMN
        quoted = message.split('"')[1] if '"' in message else ""
        node = next((c for c in tree.find_all(exp.Column) if c.name.lower() == quoted.lower()), tree)
        remedy = "Put the table's name and a full stop before the column."
    return refuse(code, message.rstrip(".") + ".", rule, remedy, node, sql).refusals[0], quoted.lower()


def _present(
    query: exp.Query,
    queries: Iterable[CellQuery],
    lookups: Iterable[str],
    names: list[str],
    clock: datetime,
    catalogue: Catalogue,
) -> Presentation:
    relations = {each.relation: cells_relation(each) for each in queries}
    for name in lookups:
        columns = codelist_types(catalogue, name)
        relations[name] = Relation(
            name, tuple(Column(column, None, kind) for column, kind in columns.items())
        )
    return present(query, relations, names, clock=clock)


def cells_relation(query: CellQuery) -> Relation:
    """The relation that the protected cells of a query make."""
    keys = [Column(key.name, None, key.type) for key in query.keys]
    atoms = [
        Column(
            atom.column,
            atom.status,
            "BIGINT" if atom.kind is AtomKind.UNITS and not atom.weighted else f"DECIMAL(38,{atom.decimals})",
        )
        for atom in query.atoms
    ]
    return Relation(query.relation, (*keys, Column("grouping", None, "BIGINT"), *atoms))


def _rules(
    queries: Sequence[CellQuery], effects: Iterable[tuple[str, str]], context: Context
) -> Iterable[AppliedRule]:
    """Which rule put in what, once each, in the order of the pipeline."""
    agreement = context.agreement
    assert agreement is not None
    for row_filter in agreement.row_filters:
        yield AppliedRule(
            "row_filter", f"{row_filter.variable} is one of {', '.join(map(str, row_filter.codes))}"
        )
    yield from (AppliedRule(rule, effect) for rule, effect in dict.fromkeys(effects))
    for name in dict.fromkeys(query.profile for query in queries):
        profile = context.catalogue.profiles[name]
        frequency = profile.frequency
        yield AppliedRule(
            "contributors",
            "whoever is behind a number is counted too: there have to be enough",
        )
        if frequency.minimum_second_units:
            yield AppliedRule(
                "second_unit",
                "a second kind of unit is counted too: there have to be enough",
            )
        if profile.cell_keys is not None:
            yield AppliedRule(
                "cell_keys",
                "counts get a little noise; the same people always get the same",
            )
        atoms = [atom for query in queries if query.profile == name for atom in query.atoms]
        totals = any(atom.kind not in (AtomKind.UNITS, AtomKind.QUANTILE) for atom in atoms)
        if totals and (profile.dominance.p_percent or profile.dominance.dominance_k_percent):
            yield AppliedRule(
                "dominance",
                "the largest contributions to a total are read: none may be worked out",
            )
    if any(query.guards for query in queries):
        yield AppliedRule(
            "complement", "where codes were picked by hand, what is left out has to be enough too"
        )
    yield AppliedRule("dense_grid", "every combination of codes has a row, whether anybody is there or not")
