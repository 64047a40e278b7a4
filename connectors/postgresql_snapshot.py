"""Whether PostgreSQL's tables are still what they were: the identity of what a table or view holds.

It covers every relation behind the table: what a view reads, resolved through views, and the parts of a partitioned
table; of each its file (which changes when it is rewritten, truncated or refreshed), its columns, a view's
definition, and the server's counters of rows inserted, updated and deleted. A session hands its counts over when
it is idle, at most every second, so that the counters lag by about as much; a crash of the server resets them, which
only makes identities differ. What a *function* inside a view reads is not seen, nor is a foreign table: the latter
is refused.
"""

from __future__ import annotations

import hashlib

import pyarrow as pa

from catalogue.fragment import SourceError, SourceFault, Table

BEHIND = """
WITH RECURSIVE behind(oid) AS (
  SELECT {root}::oid
  UNION
  SELECT next.oid FROM behind AS b CROSS JOIN LATERAL (
    SELECT i.inhrelid AS oid FROM pg_inherits AS i WHERE i.inhparent = b.oid
    UNION ALL
    SELECT d.refobjid FROM pg_rewrite AS w
    JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
      AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> b.oid
    WHERE w.ev_class = b.oid
      AND (SELECT k.relkind FROM pg_class AS k WHERE k.oid = b.oid) = 'v'
  ) AS next
)
SELECT c.oid::bigint AS oid, c.relkind::text AS kind, pg_relation_filenode(c.oid)::bigint AS file,
  CASE WHEN c.relkind = 'v' THEN md5(pg_get_viewdef(c.oid)) END AS definition,
  (SELECT md5(string_agg(format('%s %s %s %s', a.attnum, a.attname, a.atttypid, a.atttypmod), ',' ORDER BY a.attnum))
   FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
  pg_stat_get_tuples_inserted(c.oid) AS inserted, pg_stat_get_tuples_updated(c.oid) AS updated,
  pg_stat_get_tuples_deleted(c.oid) AS deleted
FROM behind AS b JOIN pg_class AS c ON c.oid = b.oid
ORDER BY c.oid
"""

FOREIGN = "f"


def identity(table: Table, behind: pa.Table) -> bytes:
    """The identity of one table from what BEHIND gave. Raises SourceError for what cannot be told to be the same."""
    rows = behind.to_pylist()
    if not rows:
        raise SourceError(SourceFault.MISSING, f"dataset {table.dataset}: there is no such table")
    if any(row["kind"] == FOREIGN for row in rows):
        detail = (
            f"dataset {table.dataset}: a foreign table cannot be told to be unchanged; copy it into a table"
        )
        raise SourceError(SourceFault.SCHEMA, detail)
    return hashlib.sha256(repr([tuple(row.values()) for row in rows]).encode()).digest()


def combined(server: str, identities: dict[Table, bytes]) -> str:
    """One identity for several tables of one database, in any order."""
    total = hashlib.sha256(server.encode())
    for table, found in sorted(identities.items(), key=lambda item: item[0].location):
        total.update(hashlib.sha256(table.location.encode()).digest() + found)
    return total.hexdigest()
