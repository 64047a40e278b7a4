"""The running service: holders, presentation, release, ledger, approvals, identity, API, client and CLI."""
