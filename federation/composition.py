"""The composition root: puts a node together."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import make_url

from catalogue.catalogue import Catalogue
from catalogue.fragment import Fragment, SourceError, SourceFault
from catalogue.held import Local
from catalogue.models import Mode
from connectors.advice import Advice
from connectors.expressions import columns_of
from connectors.key_table import KeyTable
from connectors.negotiation import agree
from connectors.protocol import Connector, Finding, FindingKind
from connectors.registry import Surroundings, kind_of
from connectors.verify import source_table
from federation.audit.chain import append, head
from federation.audit.events import AuditAction, AuditEvent, Detail
from federation.configuration import Configuration, read_configuration, read_settings
from federation.holders.asking import Asking
from federation.holders.joint import JointHolder
from federation.holders.local import LocalHolder
from federation.holders.masked import MaskedHolder
from federation.holders.remote import PartsHolder, RemoteHolder
from federation.holders.routing import Gatherer, RoutingHolder
from federation.holders.verification import related_to
from federation.identity.assembly import build_identity
from federation.masked.node import JointNode
from federation.notices.mail import SmtpMailer
from federation.release.files import ReleaseStore
from federation.release.keys import SigningKey
from federation.runs.answering import Answering
from federation.sandbox.model import Limits
from federation.sandbox.pool import Sandbox
from federation.service.cells import answer_cells
from federation.service.compiling import CompilerPool
from federation.service.node import Node
from federation.service.told_recalls import learn_of_recall
from federation.service.verification import StoredVerifications
from federation.settings import Settings
from federation.state.database import Database
from federation.state.errors import PrivateFileError
from federation.state.idempotency import forget_before
from federation.state.lock import NodeLock
from federation.state.releases import referenced_digests
from federation.state.secrets import load_secrets, named_secret
from federation.wire.channel import MessageKind
from federation.wire.exchange_key import ExchangeKey
from federation.wire.wire import Wire, build_wire
from policies.cell_question import CellQuestion
from policies.cell_sql import cell_sql
from policies.plan import CellQuery
from policies.protect import NoiseKey

DATABASE = "node.sqlite"
SANDBOX_MEMORY = 1 << 30
LEFT_BEHIND = timedelta(days=1)
"""A file that no release names is another server's for as long as this: no run takes longer."""
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
    """Hold the data of each dataset of this node in turn against the catalogue. A finding holds no value.

    Raises:
        PrivateFileError: a source's secret is missing or readable by others.
    """
    datasets = configuration.catalogue.datasets
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="federation-check-")))
        connectors: dict[str, Connector] = {}
        for name in configuration.settings.sources:
            connectors[name] = _open(configuration, name, folder, os.environ)
            stack.callback(connectors[name].close)
        for name, dataset in datasets.items():
            if not isinstance(dataset.held, Local):
                continue
            deadline = time.monotonic() + configuration.settings.limits.run_seconds
            connector, related = connectors[dataset.held.connector], related_to(dataset, datasets)
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


def check_source(configuration: Configuration, name: str) -> tuple[Advice, ...]:
    """What of a source's set-up is wrong or unwise, for the datasets that it holds."""
    tables = [
        source_table(dataset)
        for dataset in configuration.catalogue.datasets.values()
        if dataset.document.source.connector == name
    ]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="federation-check-")))
        try:
            connector = _open(configuration, name, folder, os.environ)
        except PrivateFileError as error:
            return (Advice(True, str(error), "write the secret where the node finds it"),)
        stack.callback(connector.close)
        return connector.check(tables)


def key_statements(configuration: Configuration, dataset: str) -> str | None:
    """The statements that give a dataset record keys, in the dialect of its source; None for one held elsewhere."""
    bound = configuration.catalogue.datasets[dataset]
    if not isinstance(bound.held, Local):
        return None
    settings = configuration.settings.sources[bound.held.connector]
    table = KeyTable(dataset, bound.held.location, columns_of(bound.document.unit.expression)[0])
    return kind_of(settings.kind).key_statements(settings, table)


def import_secret(directory: Path, environment: Mapping[str, str] | None = None) -> bytes:
    """The secret that record keys are made with; a directory that nobody has served yet is given one.

    Raises:
        CatalogueError: ``node.yaml`` has mistakes.
        PrivateFileError: the secret is missing, damaged or readable by others.
    """
    settings = read_settings(directory)
    named = os.environ if environment is None else environment
    secrets = Path("secrets") if settings is None else settings.secrets_dir
    first_start = not _was_served(directory, settings, named)
    return load_secrets(directory / secrets, named, first_start=first_start).key_secret.reveal()


def own_keys(
    directory: Path, settings: Settings, environment: Mapping[str, str] | None = None
) -> tuple[SigningKey, ExchangeKey]:
    """The keys whose public parts peers are told; a directory that nobody has served yet is given them.

    Raises:
        PrivateFileError: a key is missing, damaged or readable by others.
    """
    secrets_dir = directory / settings.secrets_dir
    named = os.environ if environment is None else environment
    first_start = not _was_served(directory, settings, named)
    return (
        SigningKey.load(secrets_dir, named, first_start=first_start),
        ExchangeKey.load(secrets_dir, named, first_start=first_start),
    )


@contextmanager
def wire_alone(configuration: Configuration) -> Iterator[Wire]:
    """What a node speaks with, beside the node itself or without it: to ask peers, not to answer them.

    Raises:
        StateError: a key or the database can't be used.
    """
    # All secrets at once: what is recorded here would make the node take its first start for a later one.
    import_secret(configuration.directory)
    signing_key, exchange_key = own_keys(configuration.directory, configuration.settings)
    database = _database(configuration.directory, configuration.settings, os.environ)
    try:
        yield build_wire(
            configuration.settings, signing_key, exchange_key, database, lambda: datetime.now(UTC)
        )
    finally:
        database.close()


def _assemble(
    configuration: Configuration,
    environment: Mapping[str, str],
    clock: Callable[[], datetime],
    stack: ExitStack,
) -> Node:
    settings, catalogue = configuration.settings, configuration.catalogue
    state = configuration.path(settings.state_dir)
    alone = settings.database is None
    if alone:
        stack.callback(NodeLock(state).acquire().release)
    database = _database(configuration.directory, settings, environment)
    stack.callback(database.close)
    with database.read() as session:
        first_start = head(session).sequence == 0
        named = referenced_digests(session)
    secrets_dir = configuration.path(settings.secrets_dir)
    secrets = load_secrets(secrets_dir, environment, first_start=first_start)
    signing_key = SigningKey.load(secrets_dir, environment, first_start=first_start)
    exchange_key = ExchangeKey.load(secrets_dir, environment, first_start=first_start)
    files = ReleaseStore(state)
    files.sweep(named, math.inf if alone else time.time() - LEFT_BEHIND.total_seconds())
    connectors: dict[str, Connector] = {}
    for name in settings.sources:
        connectors[name] = _open(configuration, name, state, environment)
        stack.callback(connectors[name].close)
    noise = NoiseKey(secrets.noise_secret.reveal(), secrets.key_epoch)
    sandbox = stack.enter_context(Sandbox())
    compiler = CompilerPool(catalogue, settings.limits.compile_workers, settings.limits.compile_seconds)
    stack.callback(compiler.close)
    secret = partial(named_secret, directory=secrets_dir, environment=environment)
    identity = build_identity(settings.identity, settings.public_url, database, secret, clock)
    stack.callback(identity.close)
    details = {Detail.VERSION: catalogue.version, Detail.KEY_ID: signing_key.key_id}
    with database.write() as session:
        forget_before(session, clock() - KEYS_KEPT)
        append(session, AuditEvent("node", AuditAction.NODE_STARTED, settings.node, clock(), details))
    limits = _presentation_limits(settings)
    wire = build_wire(settings, signing_key, exchange_key, database, clock)
    local = LocalHolder(connectors, catalogue, noise, StoredVerifications(database, clock))
    asking = Asking(wire.channel, wire.peers)
    parted: dict[Mode, Gatherer] = {
        Mode.PROTECTED_PARTS: PartsHolder(asking),
        Mode.MASKED_SUMS: MaskedHolder(asking, settings.federation.peers, catalogue),
    }
    node = Node(
        directory=configuration.directory,
        settings=settings,
        catalogue=catalogue,
        database=database,
        compiler=compiler,
        answering=Answering(
            holder=local,
            present=partial(sandbox.run_presentation, limits=limits),
            lookups=lambda name: catalogue.codelists[name].table,
        ),
        local=local,
        dry_runs=threading.BoundedSemaphore(settings.limits.run_workers),
        joint=JointHolder(local, catalogue),
        holders=RoutingHolder(catalogue, local, RemoteHolder(asking), parted),
        files=files,
        signing_key=signing_key,
        key_epoch=secrets.key_epoch,
        authenticator=identity.authenticator,
        token_issuer=identity.issuer,
        sessions=identity.sessions,
        delegations=identity.delegations,
        login=identity.login,
        wire=wire,
        mailer=_mailer(configuration, environment),
        clock=clock,
        render=partial(_render, connectors, catalogue),
        close=stack.pop_all().close,
    )
    wire.desk.register(MessageKind.CELLS, partial(answer_cells, node))
    wire.desk.register(MessageKind.RECALL, partial(learn_of_recall, node))
    for kind, handler in JointNode(node, noise).handlers().items():
        wire.desk.register(kind, handler)
    return node


def _database(directory: Path, settings: Settings, environment: Mapping[str, str]) -> Database:
    """The node's state: PostgreSQL where the settings name it, else SQLite."""
    given = settings.database
    if given is None:
        return Database.open(directory / settings.state_dir / DATABASE)
    url = make_url(given.url).set(drivername="postgresql+psycopg")
    if given.password is not None:
        url = url.set(password=named_secret(given.password, directory / settings.secrets_dir, environment))
    return Database.open(url)


def _was_served(directory: Path, settings: Settings | None, environment: Mapping[str, str]) -> bool:
    """Whether the node of a directory has done anything yet; its secrets are made before that alone."""
    if settings is None or settings.database is None:
        state = Path("state") if settings is None else settings.state_dir
        return (directory / state / DATABASE).exists()
    database = _database(directory, settings, environment)
    try:
        with database.read() as session:
            return head(session).sequence > 0
    finally:
        database.close()


def _mailer(configuration: Configuration, environment: Mapping[str, str]) -> SmtpMailer | None:
    settings = configuration.settings
    smtp = settings.notices.smtp
    if smtp is None:
        return None
    directory = configuration.path(settings.secrets_dir)
    password = None if smtp.password is None else named_secret(smtp.password, directory, environment)
    return SmtpMailer(smtp, password, settings.node, settings.title, settings.public_url)


def _open(configuration: Configuration, name: str, state: Path, environment: Mapping[str, str]) -> Connector:
    settings = configuration.settings
    secret = partial(
        named_secret, directory=configuration.path(settings.secrets_dir), environment=environment
    )
    source = settings.sources[name]
    return kind_of(source.kind).open(source, Surroundings(configuration.directory, state, secret))


def _render(connectors: Mapping[str, Connector], catalogue: Catalogue, query: CellQuery) -> tuple[str, ...]:
    """What is sent for a cell query: statements to this node's source, or SQL to the nodes that hold the data."""
    dataset = catalogue.datasets[query.dataset]
    if isinstance(dataset.held, Local):
        fragments = (query.fragment, *(guard.fragment for guard in query.guards))
        return tuple(_statements(connectors, fragment) for fragment in fragments)
    return (cell_sql(CellQuestion.of(query), dataset, dataset.held.location).sql,)


def _statements(connectors: Mapping[str, Connector], fragment: Fragment) -> str:
    """The statements for a fragment's source, for whoever decides; a source that is away or cannot do what is asked
    does not keep a question from being read, and says so in its place."""
    connector = connectors[fragment.table.connector]
    try:
        agree(connector, (fragment,))
        return ";\n\n".join(connector.explain(fragment))
    except SourceError as error:
        return f"-- the source cannot be asked how it would read this ({error.fault})"


def _presentation_limits(settings: Settings) -> Limits:
    seconds = settings.limits.presentation_seconds
    return Limits(deadline_seconds=seconds, cpu_seconds=math.ceil(seconds), memory_bytes=SANDBOX_MEMORY)
