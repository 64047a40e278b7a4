"""Puts a node's identity together from its settings: with a provider, or with the built-in one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx

from federation.identity.builtin import BuiltinIdentity, Client
from federation.identity.code_flow import CodeFlow
from federation.identity.delegations import Delegations
from federation.identity.principal import Authenticator, Principal
from federation.identity.provider import FETCH_SECONDS, Provider
from federation.identity.provider_tokens import ProviderTokens
from federation.identity.sessions import Sessions
from federation.identity.settings import IdentitySettings, Member
from federation.identity.tokens import AccessTokens
from federation.state.database import Database


@dataclass(frozen=True, slots=True)
class Identity:
    """What a node knows people by. ``issuer`` is there with the built-in identity alone, ``login`` with a provider."""

    authenticator: Authenticator
    issuer: BuiltinIdentity | None
    login: CodeFlow | None
    sessions: Sessions
    delegations: Delegations
    close: Callable[[], None]


def build_identity(
    settings: IdentitySettings,
    public_url: str,
    database: Database,
    secret: Callable[[str], str],
    clock: Callable[[], datetime],
) -> Identity:
    """The identity of a node at ``public_url``; ``secret`` gives a secret by its name.

    Raises:
        PrivateFileError: the secret of the pages is missing or readable by others.
    """
    sessions = _sessions(settings, database)
    delegations = Delegations(settings.delegations)
    if settings.provider is None:
        builtin = _builtin(settings, public_url, delegations)
        return Identity(builtin, builtin, None, sessions, delegations, lambda: None)
    named = settings.provider.secret
    own = None if named is None else secret(named)
    http = httpx.Client(timeout=httpx.Timeout(FETCH_SECONDS))
    tokens = ProviderTokens(
        settings.provider, Provider(settings.provider.issuer, http), delegations, lambda: clock().timestamp()
    )
    login = CodeFlow(tokens, database, public_url.rstrip("/"), own)
    return Identity(tokens, None, login, sessions, delegations, http.close)


def _sessions(settings: IdentitySettings, database: Database) -> Sessions:
    # A session that was written in another form than today's is over, like one of other settings.
    terms = hashlib.sha256(f"sessions/2 {settings.model_dump_json()}".encode()).hexdigest()
    idle, longest = timedelta(minutes=settings.session_idle_minutes), timedelta(hours=settings.session_hours)
    return Sessions(database, idle, longest, terms)


def _builtin(settings: IdentitySettings, public_url: str, delegations: Delegations) -> BuiltinIdentity:
    tokens = AccessTokens.with_new_key(public_url, f"{public_url}/v1", settings.token_minutes * 60)
    programs = {
        program.client_id: Client(
            program.client_id, program.secret_sha256, _principal(program.client_id, program)
        )
        for program in settings.programs
    }
    persons = {person.person: _principal(person.person, person) for person in settings.persons}
    return BuiltinIdentity(tokens, programs, persons, delegations)


def _principal(subject: str, member: Member) -> Principal:
    return Principal(subject, member.name, member.body, frozenset(member.roles))
