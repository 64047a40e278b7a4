"""Opening everything that a node keeps, in the one order that is safe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType

from federation.audit.chain import append, head
from federation.audit.events import AuditAction, AuditEvent, Detail, DetailValue
from federation.release.files import ReleaseStore
from federation.release.keys import SigningKey
from federation.state.database import Database
from federation.state.lock import NodeLock
from federation.state.releases import referenced_digests
from federation.state.secrets import NodeSecrets, load_secrets


@dataclass(frozen=True)
class NodeState:
    """What a node keeps, open and locked: use it in a ``with`` statement, or ``close`` it."""

    lock: NodeLock
    database: Database
    store: ReleaseStore
    secrets: NodeSecrets
    signing_key: SigningKey

    def close(self) -> None:
        self.database.close()
        self.lock.release()

    def __enter__(self) -> NodeState:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_state(
    directory: Path,
    environment: Mapping[str, str],
    *,
    node: str,
    version: str,
    now: datetime,
    database: str | None = None,
) -> NodeState:
    """Lock a state directory, bring its database up to date, load the secrets and clear away unfinished files.

    ``directory`` holds ``state.sqlite``, ``secrets/`` and ``files/``: one backup, for files that the database does
    not name are removed. The node's start is in the audit chain before
    it serves anybody. Secrets are created only while the chain is empty: at the first start.

    Args:
        environment: where secrets may be named instead of in files.
        database: the URL of another database than the directory's own.

    Raises:
        NodeAlreadyRunning: another process has the directory open.
        PrivateFileError: a secret is missing, damaged or readable by others.
        SchemaUnknown, StateUnavailable: the database cannot be used.
    """
    lock = NodeLock(directory).acquire()
    opened: Database | None = None
    try:
        opened = Database.open(directory / "state.sqlite" if database is None else database)
        with opened.read() as session:
            first_start = head(session).sequence == 0
        secrets = load_secrets(directory / "secrets", environment, first_start=first_start)
        signing_key = SigningKey.load(directory / "secrets", environment, first_start=first_start)
        store = ReleaseStore(directory / "files")
        details: dict[Detail, DetailValue] = {
            Detail.VERSION: version,
            Detail.KEY_ID: signing_key.key_id,
            Detail.KEY_EPOCH: secrets.key_epoch,
        }
        with opened.write() as session:
            append(session, AuditEvent("node", AuditAction.NODE_STARTED, node, now, details))
            store.sweep(referenced_digests(session))
    except BaseException:
        if opened is not None:
            opened.close()
        lock.release()
        raise
    return NodeState(lock, opened, store, secrets, signing_key)
