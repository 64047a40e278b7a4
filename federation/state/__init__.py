"""What a node remembers: requests, decisions, runs, releases, the ledger and idempotency keys.

Pure rules: ``lifecycle`` (tables of transitions), ``authority`` (who may decide), ``validity`` (does an approval
hold now), ``standing`` (rules that decide in advance). I/O: ``database`` (engine, transactions, migrations), ``lock``
(one node per directory), ``secrets``, and the repositories ``requests``, ``runs``, ``releases`` and ``idempotency``,
whose functions take the caller's session, the time, and for every change of state the audit event that records it.
"""
