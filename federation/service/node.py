"""A running node: its parts, put together once by the composition root and handed to every use case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import BoundedSemaphore

from catalogue.catalogue import Catalogue
from federation.holders.joint import JointHolder
from federation.holders.local import LocalHolder
from federation.holders.routing import RoutingHolder
from federation.identity.builtin import BuiltinIdentity
from federation.identity.code_flow import CodeFlow
from federation.identity.delegations import Delegations
from federation.identity.principal import Authenticator
from federation.identity.sessions import Sessions
from federation.notices.mail import Mailer
from federation.release.files import ReleaseStore
from federation.release.keys import SigningKey
from federation.release.proof import FileVerifier
from federation.runs.answering import Answering
from federation.service.compiling import CompilerPool
from federation.service.release_cache import ReleaseCache
from federation.settings import Settings
from federation.state.database import Database
from federation.wire.wire import Wire
from policies.plan import CellQuery

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Node:
    """``directory`` holds the configuration; ``clock`` gives the time with its zone; ``token_issuer`` is there with the
    built-in identity alone, ``login`` with a provider alone; ``sessions`` are those of the pages;
    ``delegations`` say who acts for whom; ``wire`` is how it
    speaks with other nodes; ``mailer`` sends e-mail, where it does; ``render`` gives the SQL that a fragment's source
    would be sent; ``local`` answers from this node's own data, and ``dry_runs`` bounds how many look at it at a time
    to decide; ``close`` lets go of all, sources first and the lock last."""

    directory: Path
    settings: Settings
    catalogue: Catalogue
    database: Database
    compiler: CompilerPool
    answering: Answering
    local: LocalHolder
    dry_runs: BoundedSemaphore
    joint: JointHolder
    holders: RoutingHolder
    files: ReleaseStore
    signing_key: SigningKey
    key_epoch: int
    authenticator: Authenticator
    token_issuer: BuiltinIdentity | None
    sessions: Sessions
    delegations: Delegations
    login: CodeFlow | None
    wire: Wire
    mailer: Mailer | None
    clock: Clock
    render: Callable[[CellQuery], tuple[str, ...]]
    close: Callable[[], None]
    release_cache: ReleaseCache = field(default_factory=ReleaseCache)
    file_verifier: FileVerifier = field(default_factory=FileVerifier)
