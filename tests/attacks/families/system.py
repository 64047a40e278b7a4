"""The machine and the engine: files, settings, other tables, statements that are not questions."""

from __future__ import annotations

from policies.refusals import Code
from tests.attacks.framework import Attack, Inference
from tests.attacks.rules import ran

X = Inference.ACCESS


def reach(name: str, sql: str, code: Code) -> Attack:
    return Attack(name, X, (sql,), ran, refused=code)


FILES = [
    reach("a file of the machine", "SELECT COUNT(*) FROM read_text('/etc/passwd')", Code.UNSUPPORTED_SYNTAX),
    reach("a listing of files", "SELECT COUNT(*) FROM glob('/etc/*')", Code.UNSUPPORTED_SYNTAX),
    reach(
        "a file beside an aggregate",
        "SELECT COUNT(*), (SELECT max(content) FROM read_text('/etc/hostname')) FROM people",
        Code.UNSUPPORTED_SYNTAX,
    ),
    reach("COPY to a file", "COPY (SELECT 1) TO '/dev/null' (FORMAT csv)", Code.NOT_ONE_SELECT),
    reach("the settings", "SELECT COUNT(*) FROM duckdb_settings()", Code.UNSUPPORTED_SYNTAX),
    reach("one setting", "SELECT COUNT(*), current_setting('threads') FROM people", Code.UNKNOWN_FUNCTION),
    reach("the version", "SELECT COUNT(*), version() FROM people", Code.UNKNOWN_FUNCTION),
    reach("a change of a setting", "SET threads = 2", Code.NOT_ONE_SELECT),
    reach("a reset", "RESET threads", Code.NOT_ONE_SELECT),
    reach("ATTACH", "ATTACH ':memory:' AS other", Code.NOT_ONE_SELECT),
    reach("USE", "USE memory", Code.NOT_ONE_SELECT),
    reach("PRAGMA", "PRAGMA version", Code.NOT_ONE_SELECT),
    reach("CALL", "CALL pragma_version()", Code.NOT_ONE_SELECT),
    reach("EXPLAIN ANALYZE", "EXPLAIN ANALYZE SELECT COUNT(*) FROM people", Code.NOT_ONE_SELECT),
    reach("a macro", "CREATE MACRO f(x) AS x + 1", Code.NOT_ONE_SELECT),
    reach("a table made from rows", "CREATE TEMP TABLE mine AS SELECT * FROM people", Code.NOT_ONE_SELECT),
    reach("a view over rows", "CREATE TEMP VIEW mine AS SELECT * FROM people", Code.NOT_ONE_SELECT),
    reach("a prepared statement", "PREPARE q AS SELECT pay FROM people", Code.NOT_ONE_SELECT),
    reach("a variable", "SET VARIABLE v = (SELECT max(pay) FROM people)", Code.NOT_ONE_SELECT),
    reach("a query in a text", "SELECT COUNT(*) FROM query('SELECT * FROM people')", Code.UNSUPPORTED_SYNTAX),
    reach("a table by a text", "SELECT COUNT(*) FROM query_table('people')", Code.UNSUPPORTED_SYNTAX),
    reach("the information schema", "SELECT COUNT(*) FROM information_schema.tables", Code.UNKNOWN_TABLE),
    reach("the catalogue of PostgreSQL", "SELECT COUNT(*) FROM pg_catalog.pg_class", Code.UNKNOWN_TABLE),
    reach("the engine's own tables", "SELECT COUNT(*) FROM duckdb_tables()", Code.UNSUPPORTED_SYNTAX),
    reach(
        "the statistics of a table",
        "SELECT COUNT(*) FROM pragma_table_info('people')",
        Code.UNSUPPORTED_SYNTAX,
    ),
    reach("a table with its schema", "SELECT COUNT(*) FROM main.people", Code.UNSUPPORTED_SYNTAX),
    reach("SHOW", "SHOW TABLES", Code.NOT_ONE_SELECT),
    reach("INSTALL", "SELECT COUNT(*) FROM duckdb_extensions()", Code.UNSUPPORTED_SYNTAX),
]
SAMPLES = [
    Attack(
        "a sample of a table",
        X,
        ("SELECT COUNT(*) FROM people TABLESAMPLE 10%",),
        ran,
        refused=Code.UNSUPPORTED_SYNTAX,
    ),
    Attack(
        "a sample by rows",
        X,
        ("SELECT COUNT(*) FROM people TABLESAMPLE reservoir(1 ROWS)",),
        ran,
        refused=Code.UNSUPPORTED_SYNTAX,
    ),
    Attack(
        "a sample that repeats",
        X,
        ("SELECT COUNT(*) FROM people TABLESAMPLE bernoulli(50%) REPEATABLE (42)",),
        ran,
        refused=Code.UNSUPPORTED_SYNTAX,
    ),
    Attack(
        "a sample at the end",
        X,
        ("SELECT COUNT(*) FROM people USING SAMPLE 1",),
        ran,
        refused=Code.UNSUPPORTED_SYNTAX,
    ),
    Attack(
        "a sample of a subquery",
        X,
        ("SELECT AVG(pay) FROM (SELECT * FROM people) q TABLESAMPLE 1 ROWS",),
        ran,
        refused=Code.UNSUPPORTED_SYNTAX,
    ),
    Attack(
        "a random subset",
        X,
        ("SELECT COUNT(*) FROM people WHERE random() < 0.5",),
        ran,
        refused=Code.UNKNOWN_FUNCTION,
    ),
    Attack(
        "a random group",
        X,
        ("SELECT COUNT(*) FROM people GROUP BY (random() * 10)::INT",),
        ran,
        refused=Code.UNKNOWN_FUNCTION,
    ),
    Attack(
        "a random order",
        X,
        ("SELECT area, COUNT(*) FROM people GROUP BY area ORDER BY random() LIMIT 1",),
        ran,
        refused=Code.UNKNOWN_FUNCTION,
    ),
    Attack(
        "a new identifier for each row",
        X,
        ("SELECT COUNT(*) FROM people WHERE uuid()::VARCHAR > 'a'",),
        ran,
        refused=Code.UNKNOWN_FUNCTION,
    ),
    Attack(
        "a sequence", X, ("SELECT COUNT(*), txid_current() FROM people",), ran, refused=Code.UNKNOWN_FUNCTION
    ),
    Attack("a seed", X, ("SELECT COUNT(*), setseed(0.5) FROM people",), ran, refused=Code.UNKNOWN_FUNCTION),
]
