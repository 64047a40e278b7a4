"""The composition root: puts a node together. The only place that names a concrete connector."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from catalogue.fragment import Fragment, SourceError, SourceFault
from connectors.duckdb import DuckDBConnector
from connectors.protocol import Connector, Finding, FindingKind
from connectors.sources import DatabaseSource, FileSource
from federation.audit.chain import append, head
from federation.audit.events import AuditAction, AuditEvent, Detail
from federation.configuration import Configuration, read_configuration, read_settings
from federation.holders.local import LocalHolder
from federation.holders.verification import related_to
from federation.identity.builtin import BuiltinIdentity, Client
from federation.identity.principal import Principal
from federation.identity.tokens import AccessTokens
from federation.release.files import ReleaseStore
from federation.release.keys import SigningKey
from federation.runs.answering import Answering
from federation.sandbox.model import Limits
from federation.sandbox.pool import Sandbox
from federation.service.compiling import CompilerPool
from federation.service.node import Node
from federation.service.verification import StoredVerifications
from federation.settings import Settings, SourceSettings
from federation.state.database import Database
from federation.state.idempotency import forget_before
from federation.state.lock import NodeLock
from federation.state.releases import referenced_digests
from federation.state.secrets import load_secrets
from policies.protect import NoiseKey

DATABASE = "node.sqlite"
SANDBOX_MEMORY = 1 << 30
KEYS_KEPT = timedelta(days=7)
"""How long an Idempotency-Key is remembered, at least."""


def build_node(
    directory: Path,
    *,
    environment: Mapping[str, str] | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Node:
    """Put a node together from its configuration directory. ``Node.close`` takes it apart again.

    Args:
        environment: where secrets may be named; the process's own where none is given.

    Raises:
        CatalogueError: the configuration has mistakes.
        NodeAlreadyRunning: another process serves the same state directory.
        PrivateFileError: a secret is missing, damaged or readable by others.
        StateError: the database can't be used.
    """
    configuration = read_configuration(directory)
    with ExitStack() as stack:
        return _assemble(configuration, os.environ if environment is None else environment, clock, stack)


def check_data(configuration: Configuration) -> Iterator[tuple[str, tuple[Finding, ...]]]:
    """Hold the data of each dataset in turn against the catalogue. A finding holds no value."""
    datasets = configuration.catalogue.datasets
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="federation-check-")))
        connectors: dict[str, Connector] = {}
        for name, source in configuration.settings.sources.items():
            connectors[name] = _connector(configuration, source, folder)
            stack.callback(connectors[name].close)
        for name, dataset in datasets.items():
            deadline = time.monotonic() + configuration.settings.limits.run_seconds
            connector, related = connectors[dataset.document.source.connector], related_to(dataset, datasets)
            try:
                found = connector.verify(dataset, related, deadline=deadline, cancel=threading.Event())
            except SourceError as error:
                found = (_unread(name, error),)
            yield name, found


def _unread(dataset: str, error: SourceError) -> Finding:
    """A source that does not answer, as a finding."""
    missing = error.fault in (SourceFault.MISSING, SourceFault.UNREACHABLE)
    kind = FindingKind.MISSING_TABLE if missing else FindingKind.UNREADABLE
    return Finding(kind, dataset, "", error.detail)


def import_secret(directory: Path, environment: Mapping[str, str] | None = None) -> bytes:
    """The secret that record keys are made with; a directory that nobody has served yet is given one.

    Raises:
        CatalogueError: ``node.yaml`` has mistakes.
        PrivateFileError: the secret is missing, damaged or readable by others.
    """
    settings = read_settings(directory)
    state, secrets = (
        (Path("state"), Path("secrets")) if settings is None else (settings.state_dir, settings.secrets_dir)
    )
    first_start = not (directory / state / DATABASE).exists()
    found = load_secrets(
        directory / secrets, os.environ if environment is None else environment, first_start=first_start
    )
    return found.key_secret.reveal()


def _assemble(
    configuration: Configuration,
    environment: Mapping[str, str],
    clock: Callable[[], datetime],
    stack: ExitStack,
) -> Node:
    settings, catalogue = configuration.settings, configuration.catalogue
    state = configuration.path(settings.state_dir)
    lock = NodeLock(state).acquire()
    stack.callback(lock.release)
    database = Database.open(state / DATABASE)
    stack.callback(database.close)
    with database.read() as session:
        first_start = head(session).sequence == 0
        named = referenced_digests(session)
    secrets_dir = configuration.path(settings.secrets_dir)
    secrets = load_secrets(secrets_dir, environment, first_start=first_start)
    signing_key = SigningKey.load(secrets_dir, environment, first_start=first_start)
    files = ReleaseStore(state)
    files.sweep(named)
    connectors = {name: _connector(configuration, source, state) for name, source in settings.sources.items()}
    for connector in connectors.values():
        stack.callback(connector.close)
    noise = NoiseKey(secrets.noise_secret.reveal(), secrets.key_epoch)
    sandbox = stack.enter_context(Sandbox())
    compiler = CompilerPool(catalogue, settings.limits.compile_workers, settings.limits.compile_seconds)
    stack.callback(compiler.close)
    identity = _identity(settings)
    details = {Detail.VERSION: catalogue.version, Detail.KEY_ID: signing_key.key_id}
    with database.write() as session:
        forget_before(session, clock() - KEYS_KEPT)
        append(session, AuditEvent("node", AuditAction.NODE_STARTED, settings.node, clock(), details))
    limits = _presentation_limits(settings)
    return Node(
        settings=settings,
        catalogue=catalogue,
        database=database,
        compiler=compiler,
        answering=Answering(
            holder=LocalHolder(connectors, catalogue, noise, StoredVerifications(database, clock)),
            present=partial(sandbox.run_presentation, limits=limits),
            lookups=lambda name: catalogue.codelists[name].table,
        ),
        files=files,
        signing_key=signing_key,
        key_epoch=secrets.key_epoch,
        authenticator=identity,
        token_issuer=identity,
        clock=clock,
        render=partial(_render, connectors),
        close=stack.pop_all().close,
    )


def _connector(configuration: Configuration, source: SourceSettings, state: Path) -> Connector:
    database, directory = source.database, source.directory
    place = (
        FileSource(configuration.path(directory))
        if database is None
        else DatabaseSource(configuration.path(database))
    )
    spill = state / "spill"
    spill.mkdir(mode=0o700, exist_ok=True)
    return DuckDBConnector(
        place, memory_limit=source.memory_limit, threads=source.threads, temp_directory=spill
    )


def _render(connectors: Mapping[str, Connector], fragment: Fragment) -> str:
    """The statements for a fragment's source; a source that is away does not keep a question from being read."""
    try:
        return ";\n\n".join(connectors[fragment.table.connector].explain(fragment))
    except SourceError as error:
        return f"-- the source cannot be asked how it would read this ({error.fault})"


def _presentation_limits(settings: Settings) -> Limits:
    seconds = settings.limits.presentation_seconds
    return Limits(deadline_seconds=seconds, cpu_seconds=math.ceil(seconds), memory_bytes=SANDBOX_MEMORY)


def _identity(settings: Settings) -> BuiltinIdentity:
    identity = settings.identity
    tokens = AccessTokens.with_new_key(
        settings.public_url, f"{settings.public_url}/v1", identity.token_minutes * 60
    )
    programs = {
        program.client_id: Client(
            program.client_id,
            program.secret_sha256,
            Principal(program.client_id, program.name, program.body, frozenset(program.roles)),
        )
        for program in identity.programs
    }
    persons = {
        person.person: Principal(person.person, person.name, person.body, frozenset(person.roles))
        for person in identity.persons
    }
    return BuiltinIdentity(tokens, programs, persons)
