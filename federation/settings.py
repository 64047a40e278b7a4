"""A node's settings: ``node.yaml`` in its configuration directory, overridden by the environment.

Every setting can be given as ``FEDERATION_NAME``, nested ones as ``FEDERATION_LIMITS__RUN_SECONDS``. Unknown
names in the file are mistakes. Paths are relative to the configuration directory.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    SerializeAsAny,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError, PydanticKnownError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from catalogue.models import Name, Text
from connectors.registry import KindUnusable, SourceSettings, kind_names, kind_of
from federation.identity.principal import NodeRole

Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]


PublicKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]


class Environment(StrEnum):
    """What a node is for. ``production`` is the default, so that a forgotten line fails closed."""

    DEMO = "demo"
    TEST = "test"
    PRODUCTION = "production"


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Member(Section):
    """Somebody, or something, that acts for a body."""

    name: Text = Field(description="The name as people read it.")
    body: Name = Field(description="The body acted for.")
    roles: Annotated[tuple[NodeRole, ...], Field(min_length=1)] = Field(
        description="planner, analyst, custodian, auditor or administrator; several are possible."
    )


class Person(Member):
    """Somebody who may be chosen at the demo login."""

    person: Identifier = Field(description="The name under which the person logs in.")


class Program(Member):
    """A program with a secret of its own."""

    client_id: Identifier = Field(description="The name under which the program asks for a token.")
    secret_sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="SHA-256, in hexadecimal, of a random secret of at least 32 characters."
    )


class IdentitySettings(Section):
    """The built-in identity. It is for demonstrations and tests."""

    allow_builtin_identity: bool = Field(
        False, description="Let a node whose environment is production start with the built-in identity."
    )
    token_minutes: Annotated[int, Field(ge=1, le=1440)] = Field(
        60, description="How long an access token is valid, in minutes."
    )
    persons: tuple[Person, ...] = Field(
        (), description="Persons who may log in by name alone. Never in production."
    )
    programs: tuple[Program, ...] = Field((), description="Programs that log in with client credentials.")


class LimitSettings(Section):
    """Bounds on what one request, one run and one caller may use."""

    body_bytes: Annotated[int, Field(ge=1024)] = Field(
        262_144, description="Largest request body, in bytes; larger ones are answered 413."
    )
    requests_per_minute: Annotated[int, Field(ge=1)] = Field(
        600, description="Requests that one caller may make in a minute; more are answered 429."
    )
    compile_workers: Annotated[int, Field(ge=1, le=16)] = Field(
        2, description="Processes that compile queries."
    )
    compile_seconds: Annotated[float, Field(gt=0, le=60)] = Field(
        10.0, description="Time that one query may take to compile before its process is ended."
    )
    run_workers: Annotated[int, Field(ge=1, le=16)] = Field(2, description="Runs that execute at a time.")
    run_seconds: Annotated[float, Field(gt=0)] = Field(
        300.0, description="Time that one run may take at the source before it is stopped."
    )
    presentation_seconds: Annotated[float, Field(gt=0)] = Field(
        30.0, description="Time that the presentation of one run may take."
    )
    lease_seconds: Annotated[float, Field(ge=1)] = Field(
        30.0, description="How long a worker holds a run without a sign of life before another takes it."
    )
    wait_seconds: Annotated[float, Field(ge=0, le=120)] = Field(
        30.0, description="Longest time that a request may wait for a run to change."
    )
    request_days: Annotated[int, Field(ge=1)] = Field(
        365, description="Days for which an approval is valid, where its agreement does not end sooner."
    )
    decision_days: Annotated[int, Field(ge=1)] = Field(
        90,
        description="Days in which a request has to be decided on, or a returned one submitted again; then it lapses.",
    )


DEFAULT_KIND = "duckdb"
"""The kind of a source that names none."""


def _source(given: object) -> SourceSettings:
    """A source's settings, by the model of its kind; mistakes keep their place below the source."""
    if isinstance(given, SourceSettings):
        return given
    if not isinstance(given, Mapping):
        raise PydanticKnownError("dict_type")
    name = str(given.get("kind", DEFAULT_KIND))
    details = InitErrorDetails(type="literal_error", loc=("kind",), input=name)
    try:
        settings: type[SourceSettings] = kind_of(name).settings
    except KeyError:
        details["ctx"] = {"expected": " or ".join(f"'{kind}'" for kind in kind_names())}
    except KindUnusable as error:
        details["type"] = PydanticCustomError("kind_unusable", f"the kind {name} can't be used here: {error}")
    else:
        return settings.model_validate(dict(given))
    raise ValidationError.from_exception_data("source", [details])


Source = Annotated[SerializeAsAny[SourceSettings], PlainValidator(_source)]


class PeerSettings(Section):
    """Another node of the federation, as its keeper describes it (`federation peers show` there)."""

    title: Text = Field(description="The node's name as people read it.")
    url: str | None = Field(
        None, description="Where it is asked; HTTPS, or a loopback address. None: it asks and is not asked."
    )
    polls: bool = Field(
        False, description="It sits behind a firewall and fetches what it is asked from here."
    )
    signing_key: PublicKey = Field(description="Its public Ed25519 key: `x` of the JSON Web Key.")
    exchange_key: PublicKey = Field(description="Its public X25519 key: `x` of the JSON Web Key.")
    asks_for: tuple[Name, ...] = Field(
        (), description="The bodies for which it may ask here: it vouches for who asks. None: it may not ask."
    )

    @model_validator(mode="after")
    def _reached(self) -> PeerSettings:
        if self.url is not None and self.polls:
            raise ValueError("give url or polls: a node is called, or fetches what it is asked")
        if self.url is not None and not is_safe_url(self.url):
            raise ValueError("url must be HTTPS, or HTTP on a loopback address")
        return self


class FederationSettings(Section):
    """The other nodes that this one speaks with."""

    peers: dict[Name, PeerSettings] = Field(
        default_factory=dict, description="Other nodes by the short name that they have themselves."
    )
    poll: tuple[Name, ...] = Field(
        (), description="Peers from which this node fetches what it is asked, as it cannot be called."
    )
    message_bytes: Annotated[int, Field(ge=65_536)] = Field(
        67_108_864, description="Largest message between nodes, in bytes."
    )
    clock_skew_seconds: Annotated[int, Field(ge=0, le=600)] = Field(
        30, description="By how much the clocks of two nodes may differ."
    )

    @model_validator(mode="after")
    def _distinct(self) -> FederationSettings:
        for key in ("signing_key", "exchange_key"):
            keys = [getattr(peer, key) for peer in self.peers.values()]
            if len(set(keys)) < len(keys):
                raise ValueError(f"two peers have the same {key}: a key tells who speaks")
        for name in self.poll:
            if name not in self.peers or self.peers[name].url is None:
                raise ValueError(f"poll: {name} must be among peers, with its url")
        return self


class Tls(StrEnum):
    """How the line to a mail server is kept private."""

    IMPLICIT = "implicit"
    STARTTLS = "starttls"
    NONE = "none"


class SmtpSettings(Section):
    """The server that takes the node's e-mail."""

    host: Text = Field(description="Its name or address.")
    port: Annotated[int, Field(ge=1, le=65535)] = Field(465, description="Its port.")
    tls: Tls = Field(Tls.IMPLICIT, description="implicit, starttls or none; none on this machine alone.")
    sender: Annotated[str, StringConstraints(pattern=r"^[^\s@<>]+@[^\s@<>]+$")] = Field(
        description="The address that e-mail comes from."
    )
    user: str | None = Field(None, description="Who logs in there; nobody where none is named.")
    password: Name | None = Field(None, description="The name of the secret that goes with it.")

    @model_validator(mode="after")
    def _private(self) -> SmtpSettings:
        if self.tls is Tls.NONE and not _is_loopback(self.host):
            raise ValueError("tls: none sends e-mail in the open: give implicit or starttls")
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password go together")
        return self


class NoticeSettings(Section):
    """How people are told what happened, and reminded of what is about to end."""

    smtp: SmtpSettings | None = Field(None, description="Where e-mail is sent by; none is without it.")
    domains: tuple[Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]+$")], ...] = Field(
        (), description="E-mail goes to addresses of these domains alone."
    )
    remind_days: Annotated[int, Field(ge=1, le=365)] = Field(
        14, description="Days before something ends that people are reminded of it."
    )


class DatabaseSettings(Section):
    """A PostgreSQL database that holds the node's state, for production and for several servers of one node."""

    url: str = Field(
        description="Where it is, as postgresql://user@host:port/name; options as of libpq. Never with a password."
    )
    password: Name | None = Field(None, description="The name of the secret that is the user's password.")

    @model_validator(mode="after")
    def _sound(self) -> DatabaseSettings:
        try:
            url = urlsplit(self.url)
        except ValueError:
            url = urlsplit("")
        if url.scheme != "postgresql":
            raise ValueError("url must begin with postgresql://")
        if url.password is not None or "password=" in url.query:
            raise ValueError("url must not have the password: name the secret that it is as password")
        return self


class Settings(BaseSettings):
    """All settings of a node."""

    model_config = SettingsConfigDict(
        env_prefix="FEDERATION_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    node: Name = Field(description="Short name of the node, unique in its federation.")
    title: Text = Field(description="The node's name as people read it.")
    environment: Environment = Field(
        Environment.PRODUCTION, description="demo, test or production; production refuses unsafe settings."
    )
    host: str = Field("127.0.0.1", description="Address that the node listens on.")
    port: Annotated[int, Field(ge=1, le=65535)] = Field(8642, description="Port that the node listens on.")
    public_url: str = Field(
        "", description="Address under which users reach the node; HTTPS, or a loopback address."
    )
    state_dir: Path = Field(Path("state"), description="Folder for the database, releases and ledger cells.")
    database: DatabaseSettings | None = Field(
        None, description="PostgreSQL for the node's state; without it SQLite in state_dir, for one server."
    )
    secrets_dir: Path = Field(
        Path("secrets"), description="Folder for the node's keys; readable by it alone."
    )
    sources: dict[Name, Source] = Field(
        default_factory=lambda: {DEFAULT_KIND: _source({})},
        description="Connectors by the name that datasets use for them.",
    )
    identity: IdentitySettings = Field(
        default_factory=lambda: IdentitySettings.model_validate({}), description="The built-in identity."
    )
    limits: LimitSettings = Field(
        default_factory=lambda: LimitSettings.model_validate({}), description="Bounds on use."
    )
    notices: NoticeSettings = Field(
        default_factory=lambda: NoticeSettings.model_validate({}),
        description="How people are told what happened.",
    )
    federation: FederationSettings = Field(
        default_factory=lambda: FederationSettings.model_validate({}),
        description="Other nodes that this one speaks with.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # the signature is the library's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file, whose content comes in as arguments."""
        return env_settings, init_settings

    @model_validator(mode="before")
    @classmethod
    def _default_public_url(cls, data: dict[str, Any]) -> dict[str, Any]:
        if not data.get("public_url"):
            host, port = data.get("host", "127.0.0.1"), data.get("port", 8642)
            return {**data, "public_url": f"http://{host}:{port}"}
        return data

    @model_validator(mode="after")
    def _safe(self) -> Settings:
        if not is_safe_url(self.public_url):
            raise ValueError("public_url must be HTTPS, or HTTP on a loopback address")
        names = [person.person for person in self.identity.persons]
        names += [program.client_id for program in self.identity.programs]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"identity: {', '.join(twice)} stands for more than one person or program")
        if self.node in self.federation.peers:
            raise ValueError(f"federation: {self.node} is this node itself and no peer of it")
        if self.environment is Environment.PRODUCTION:
            if not self.identity.allow_builtin_identity:
                raise ValueError(
                    "the built-in identity is for demonstrations and tests: a production node does not start "
                    "with it unless identity.allow_builtin_identity is true"
                )
            if self.identity.persons:
                raise ValueError("identity.persons log in without a password: not in production")
        return self


def is_safe_url(text: str) -> bool:
    """Whether what is sent there can be read by nobody on the way: HTTPS, or HTTP that stays on this machine."""
    try:
        url = urlsplit(text)
        host = url.hostname or ""
    except ValueError:
        return False
    return bool(host) and (url.scheme == "https" or (url.scheme == "http" and _is_loopback(host)))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
