"""Attacks above the line: none of these may reach a file, a setting, the clock, chance or another relation.

What an attacker wants here is not cells, which are protected already, but the machine: its files and secrets, its
time and memory, and a way to make two runs of one approved query differ.
"""

from __future__ import annotations

import pytest
import sqlglot
from sqlglot import exp

from policies.presentation.allow import verify_with_duckdb
from policies.presentation.present import present
from policies.refusals import Code, RefusalError
from tests.support.presentations import table

CELLS = table(
    "cells_0",
    """
    k0    | k1    | a0*
    Leeds | North | 100
    York  | North | [c]
    """,
)
RELATIONS = {"cells_0": CELLS.relation}

FILES = [
    "SELECT * FROM 'people.parquet'",
    'SELECT * FROM "/etc/passwd"',
    "SELECT * FROM read_csv('people.csv')",
    "SELECT * FROM read_parquet(['people.parquet'])",
    "SELECT content FROM read_text('/etc/passwd')",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM sniff_csv('people.csv')",
    "SELECT * FROM parquet_metadata('people.parquet')",
    "SELECT k0 FROM cells_0 WHERE EXISTS (FROM read_csv('people.csv'))",
    "SELECT (SELECT max(content) FROM read_blob('/proc/self/environ')) AS v FROM cells_0",
    "WITH t AS (FROM 'people.csv') SELECT * FROM t",
    "SELECT * FROM cells_0 JOIN 'people.csv' USING (k0)",
]
ENGINE = [
    "SELECT current_setting('home_directory') AS v",
    "SELECT getvariable('secret') AS v",
    "SELECT getenv('HOME') AS v",
    "SELECT version() AS v",
    "SELECT current_user AS v",
    "SELECT current_query() AS v",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_tables()",
    "SELECT * FROM pragma_database_size()",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM pg_catalog.pg_tables",
    "SELECT * FROM sqlite_master",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('cells_0')",
    "SELECT \"query\"('SELECT 1') AS v",
    "SELECT json_serialize_sql('SELECT 1') AS v",
    "SELECT * FROM json_execute_serialized_sql('{}')",
    "SELECT write_log('x') AS v",
    "SELECT * FROM which_secret('s3://x', 's3')",
    "SELECT setseed(0.5) AS v",
    "SELECT error(k0) AS v FROM cells_0",
]
OTHER_RELATIONS = [
    "SELECT * FROM people",
    "SELECT * FROM main.cells_0",
    "SELECT * FROM memory.main.cells_0",
    "SELECT k0 FROM cells_0 UNION SELECT name FROM people",
    "SELECT k0 FROM cells_0 WHERE k0 IN (SELECT name FROM people)",
    "WITH people AS (SELECT 1 AS n) SELECT * FROM main.people",
    "SELECT * FROM (DESCRIBE cells_0)",
    "SELECT * FROM (SHOW TABLES)",
    "SELECT * FROM (SUMMARIZE cells_0)",
]
COMPANIONS = [
    "SELECT s_a0 FROM cells_0",
    "SELECT cells_0.s_a0 FROM cells_0",
    'SELECT "S_A0" FROM cells_0',
    "SELECT k0 FROM cells_0 WHERE s_a0 = 5",
    "SELECT cells_0 FROM cells_0",
    "SELECT COLUMNS('s_.*') FROM cells_0",
    "SELECT COLUMNS(*) FROM cells_0",
    "SELECT __fed_status_a0 FROM cells_0",
    "SELECT 0 AS __fed_status_a0 FROM cells_0",
    "WITH __fed_rows AS (SELECT 1 AS n) SELECT * FROM __fed_rows",
    'SELECT "__FED_status_a0" FROM (SELECT a0 + 1 AS a0 FROM cells_0) AS t',
    "SELECT t.__fed_status_v FROM (SELECT a0 + 1 AS v FROM cells_0) AS t",
    "SELECT lambda_.s_a0 FROM cells_0 AS lambda_",
]
CHANCE = [
    "SELECT random() AS v",
    "SELECT uuid() AS v",
    "SELECT gen_random_uuid() AS v",
    "SELECT nextval('s') AS v",
    "SELECT now() AS v",
    "SELECT current_date AS v",
    "SELECT get_current_timestamp() AS v",
    "SELECT age(TIMESTAMP '2020-01-01') AS v",
    "SELECT txid_current() AS v",
    "SELECT k0 FROM cells_0 USING SAMPLE 1",
    "SELECT k0 FROM cells_0 TABLESAMPLE 50%",
    "SELECT k0 FROM cells_0 ORDER BY random()",
    "SELECT reservoir_quantile(a0, 0.5) AS v FROM cells_0",
    "SELECT approx_count_distinct(k0) AS v FROM cells_0",
    "SELECT list_transform([1], lambda x: random()) AS v",
    "SELECT list_aggregate([1, 2], 'approx_count_distinct') AS v",
    "SELECT sum(a0) OVER (ORDER BY k0 ROWS BETWEEN random() PRECEDING AND CURRENT ROW) AS v FROM cells_0",
]
EXHAUSTION = [
    "SELECT repeat('x', 4000000000) AS v",
    "SELECT sleep_ms(100000) AS v",
    "SELECT pg_sleep(100) AS v",
    "SELECT * FROM repeat('x', 4000000000)",
    "SELECT * FROM test_all_types()",
]
# DuckDB would compute each of these while it describes the query, in the process of the node itself.
FOLDED = [
    "SELECT len(range(400000000)) AS v",
    "SELECT len(generate_series(1, 400000000)) AS v FROM cells_0",
    "SELECT length(lpad('x', 2000000000, 'y')) AS v",
    "SELECT length(rpad('x', 1000 * 1000 * 1000, 'y')) AS v",
    "SELECT lpad('x', 2e9::INT, 'y') AS v",
    "SELECT printf('%2000000000d', 1) AS v",
    "SELECT format('{:>2000000000}', 1) AS v",
    "SELECT bar(1, 0, 1, 2000000000) AS v",
    "SELECT list_resize([1], 400000000) AS v",
    "SELECT list_reduce(['x', 'x', 'x'], lambda a, b: a || a) AS v",
    "SELECT list_transform([1], lambda i: range(400000000)) AS v",
    "SELECT replace(replace('aaaa', 'a', 'aaaaaaaa'), 'a', 'aaaaaaaa') AS v",
    "SELECT hex(hex(hex(hex('x')))) AS v",
    "SELECT range(CAST('400000000' AS INT)) AS v",
    "SELECT range((SELECT 400000000)) AS v",
    "SELECT k0 FROM cells_0 WHERE len(range(400000000)) > 1",
    "SELECT k0 FROM cells_0 LIMIT len(range(400000000))",
    "SELECT i FROM range(len(range(400000000))) AS r(i)",
    "SELECT u FROM unnest(range(400000000)) AS t(u)",
    "SELECT sum(a0) OVER (ORDER BY k0 ROWS len(range(400000000)) PRECEDING) AS v FROM cells_0",
]
CONFUSION = [
    "SELECT main.random() AS v",
    "SELECT k0.upper() AS v FROM cells_0",
    "SELECT 'x'.repeat(4000000000) AS v",
    "SELECT k0 FROM cells_0 FOR UPDATE",
    "SELECT * FROM cells_0 POSITIONAL JOIN cells_0 AS b",
    "SELECT * FROM cells_0 AT (VERSION => 1)",
    "SELECT $secret AS v",
    "SELECT ? AS v",
    "SELECT k0 COLLATE NOCASE AS v FROM cells_0",
    "SELECT generate_subscripts([1], 1) AS v",
    "SELECT * FROM cells_0, LATERAL query('SELECT 1') AS t",
]


@pytest.mark.parametrize(
    "sql", [*FILES, *ENGINE, *OTHER_RELATIONS, *COMPANIONS, *CHANCE, *EXHAUSTION, *FOLDED, *CONFUSION]
)
def test_it_is_refused_before_anything_runs(sql: str) -> None:
    try:
        query = sqlglot.parse_one(sql, dialect="duckdb")
    except sqlglot.ParseError:
        return  # never becomes a query
    with pytest.raises(RefusalError) as raised:
        present(query, RELATIONS, ["v"] * max(1, len(getattr(query, "selects", []))))
    for refusal in raised.value.refusals:
        assert refusal.rule
        assert refusal.remedy


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT lpad(k0, 10, ' ') AS v FROM cells_0",
        "SELECT lpad('7', 3, '0') AS v",
        "SELECT i AS v FROM range(1000000) AS r(i)",
        "SELECT range(1, 13) AS v",
        "SELECT generate_series(DATE '2020-01-01', DATE '2024-12-01', INTERVAL 1 MONTH) AS v",
        "SELECT replace(upper(k0), 'A', 'B') AS v FROM cells_0",
        "SELECT printf('%05.1f%%', a0) AS v FROM cells_0",
        "SELECT list_transform([a0, 1], lambda x: x + 1) AS v FROM cells_0",
        "SELECT list_reduce([a0, 1], lambda x, y: x + y) AS v FROM cells_0",
    ],
)
def test_honest_uses_of_the_same_functions_are_accepted(sql: str) -> None:
    assert present(sqlglot.parse_one(sql, dialect="duckdb"), RELATIONS, ["v"]).sql  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE cells_0",
        "COPY cells_0 TO 'x.csv'",
        "ATTACH 'x.db'",
        "PRAGMA database_list",
        "SET threads = 8",
        "CREATE TABLE t AS SELECT 1",
        "INSERT INTO cells_0 VALUES (1)",
        "CALL pragma_version()",
        "INSTALL httpfs",
    ],
)
def test_only_a_select_is_presented(sql: str) -> None:
    with pytest.raises(RefusalError) as raised:
        present(sqlglot.parse_one(sql, dialect="duckdb"), RELATIONS, ["v"])  # type: ignore[arg-type]
    assert raised.value.refusals[0].code is Code.NOT_ONE_SELECT


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE cells_0",
        "FROM query('SELECT 1')",
        "SELECT * FROM other",
        "SELECT * FROM main.cells_0",
        "SELECT COLUMNS('a.*') FROM cells_0",
        "SELECT random()",
        "SELECT list_transform([1], lambda x: random())",
        "SELECT sum(a0) FILTER (WHERE random() > 0.5) FROM cells_0",
        "SELECT k0 FROM cells_0 ORDER BY uuid()",
        "SELECT k0 FROM cells_0 LIMIT (SELECT random())",
        "SELECT $1",
        "SELECT k0 FROM cells_0 USING SAMPLE 10%",
        "VALUES (current_setting('x'))",
        "PIVOT cells_0 ON k1 USING sum(a0)",
        "DROP TABLE cells_0",
        "not sql at all",
    ],
)
def test_the_engines_own_parse_is_held_against_the_same_list(sql: str) -> None:
    """The second gate stands by itself: SQL that never went through the first is refused by it as well."""
    with pytest.raises(RefusalError):
        verify_with_duckdb(sql, RELATIONS, exp.select("1"))
