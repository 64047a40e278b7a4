"""What of a PostgreSQL source's set-up is wrong or unwise: encryption, and what its role may do beyond reading.

Names come as SQL writes them, so that a mend can be run as it stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from connectors.advice import Advice
from connectors.postgresql_session import Session

ROLE = """
SELECT quote_ident(current_user) AS role, r.rolsuper AS superuser, r.rolbypassrls AS bypasses,
  COALESCE((SELECT s.ssl FROM pg_stat_ssl AS s WHERE s.pid = pg_backend_pid()), false)
    OR inet_server_addr() IS NULL AS encrypted
FROM pg_roles AS r WHERE r.rolname = current_user
"""

TABLE = """
SELECT quote_ident(n.nspname) AS schema, quote_ident(c.relname) AS name,
  has_schema_privilege(n.oid, 'USAGE') AS enters, has_schema_privilege(n.oid, 'CREATE') AS creates,
  has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT') AS reads,
  has_table_privilege(c.oid, 'INSERT') OR has_table_privilege(c.oid, 'UPDATE')
    OR has_table_privilege(c.oid, 'DELETE') OR has_table_privilege(c.oid, 'TRUNCATE') AS writes
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = {root}
"""


def role_advice(session: Session) -> Iterator[Advice]:
    """What is unwise about the role and its connection."""
    (row,) = session.fetch(ROLE).to_pylist()
    role = row["role"]
    if row["superuser"]:
        yield Advice(
            False, f"the role {role} is a superuser", "log in as a role that can only read: docs/sources.md"
        )
    elif row["bypasses"]:
        yield Advice(False, f"the role {role} bypasses row security", f"ALTER ROLE {role} NOBYPASSRLS;")
    if not row["encrypted"]:
        yield Advice(
            False,
            "the connection is not encrypted",
            "set `sslmode: verify-full` and turn TLS on at the server",
        )


def table_advice(rows: Sequence[Mapping[str, object]], role: str, superuser: bool) -> Iterator[Advice]:
    """What the role may not do with a table but must, and may do but should not."""
    for row in rows:
        schema, table = row["schema"], f"{row['schema']}.{row['name']}"
        if not row["enters"]:
            yield Advice(
                True,
                f"the role {role} may not enter the schema {schema}",
                f"GRANT USAGE ON SCHEMA {schema} TO {role};",
            )
        if not row["reads"]:
            yield Advice(True, f"the role {role} may not read {table}", f"GRANT SELECT ON {table} TO {role};")
        if superuser:
            continue
        if row["writes"]:
            what = f"the role {role} may change {table}"
            yield Advice(False, what, f"REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON {table} FROM {role};")
        if row["creates"]:
            what = f"the role {role} may create in the schema {schema}"
            yield Advice(False, what, f"REVOKE CREATE ON SCHEMA {schema} FROM {role}, PUBLIC;")
