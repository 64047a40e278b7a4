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
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from catalogue.fragment import SourceError, SourceFault, Table
from connectors.postgresql_session import Session

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

FOREIGN, VIEW = "f", "v"


@dataclass(frozen=True, slots=True)
class State:
    """What one table is now: equal as long as nobody changed it. ``stored`` says that no view is behind it."""

    identity: bytes
    stored: bool


def state_of(table: Table, behind: pa.Table) -> State:
    """The state of one table from what BEHIND gave. Raises SourceError for what cannot be told to be the same."""
    rows = behind.to_pylist()
    if not rows:
        raise SourceError(SourceFault.MISSING, f"dataset {table.dataset}: there is no such table")
    if any(row["kind"] == FOREIGN for row in rows):
        detail = (
            f"dataset {table.dataset}: a foreign table cannot be told to be unchanged; copy it into a table"
        )
        raise SourceError(SourceFault.SCHEMA, detail)
    identity = hashlib.sha256(repr([tuple(row.values()) for row in rows]).encode()).digest()
    return State(identity, all(row["kind"] != VIEW for row in rows))


def combined(server: str, states: Mapping[Table, State]) -> str:
    """One identity for several tables of one database, in any order."""
    total = hashlib.sha256(server.encode())
    for table, found in sorted(states.items(), key=lambda item: item[0].location):
        total.update(hashlib.sha256(table.location.encode()).digest() + found.identity)
    return total.hexdigest()


class FiniteColumns:
    """Which decimal columns hold no NaN, asked once for each state of a stored table.

    A declared precision keeps no NaN out, and a test of every value at each of its uses costs a tenth of a mean. Of a
    view nothing is asked: reading one may cost more than the test.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[bytes, dict[str, bool]]] = {}

    def of(
        self, session: Session, table: Table, place: str, state: State, columns: Iterable[str]
    ) -> frozenset[str]:
        """Those of ``columns``, of numeric types, that hold none in this state; ``place`` is the table in SQL."""
        if not state.stored:
            return frozenset()
        identity, known = self._known.get(table.location, (b"", {}))
        known = dict(known) if identity == state.identity else {}
        wanted = list(columns)
        unknown = [column for column in wanted if column not in known]
        if unknown:
            names = ['"' + column.replace('"', '""') + '"' for column in unknown]
            tests = [
                f"COALESCE(bool_or({name} = 'NaN'::numeric), false) AS c{i}" for i, name in enumerate(names)
            ]
            (row,) = session.fetch(f"SELECT {', '.join(tests)} FROM {place}").to_pylist()
            known |= dict(zip(unknown, (not held for held in row.values()), strict=True))
            self._known[table.location] = (state.identity, known)
        return frozenset(column for column in wanted if known[column])
