"""A node's settings: ``node.yaml`` in its configuration directory, overridden by the environment.

Every setting can be given as ``FEDERATION_NAME``, nested ones as ``FEDERATION_LIMITS__RUN_SECONDS``. Unknown
names in the file are mistakes. Paths are relative to the configuration directory.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
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
from federation.addresses import is_loopback, is_safe_url
from federation.identity.settings import IdentitySettings
from federation.sections import Section

PublicKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]


class Environment(StrEnum):
    """What a node is for. ``production`` is the default, so that a forgotten line fails closed."""

    DEMO = "demo"
    TEST = "test"
    PRODUCTION = "production"


class LimitSettings(Section):
    """Bounds on what one request, one run and one caller may use."""

    body_bytes: Annotated[int, Field(ge=1024)] = Field(
        262_144, description="Largest request body, in bytes; larger ones are answered 413."
    )
    upload_bytes: Annotated[int, Field(ge=65_536)] = Field(
        8_388_608, description="Largest file that the page for verifying answers takes, in bytes."
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
        None,
        description="Where it is asked and told; HTTPS, or a loopback address. None: its keys alone are known.",
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
        if self.asks_for and self.url is None and not self.polls:
            raise ValueError(
                "a node that asks is told of recalls: give its url, or polls where it cannot be called"
            )
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
        if self.tls is Tls.NONE and not is_loopback(self.host):
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


class MapSettings(Section):
    """A map for answers by area: one tile an area, or boundaries."""

    codelist: Name = Field(description="The code list of the areas.")
    level: Name = Field(description="The level of it that the map shows.")
    tiles: Path | None = Field(
        None, description="A CSV file with `code`, `column` and `row`: one square tile for each area."
    )
    boundaries: Path | None = Field(
        None, description="A GeoJSON file (RFC 7946) with a polygon for each area. Give this or `tiles`."
    )
    code: Text = Field("code", description="The property of the GeoJSON that holds the area's code.")
    attribution: Text = Field(description="What the licence of the file asks to have said below the map.")

    @model_validator(mode="after")
    def _one(self) -> MapSettings:
        if (self.tiles is None) == (self.boundaries is None):
            raise ValueError("give tiles or boundaries: a map is drawn from one of them")
        return self


class PagesSettings(Section):
    """The node's pages in a browser."""

    maps: tuple[MapSettings, ...] = Field(
        (), description="Maps for answers by area; the first that fits an answer is drawn."
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
        default_factory=lambda: IdentitySettings.model_validate({}),
        description="Who people and programs are.",
    )
    limits: LimitSettings = Field(
        default_factory=lambda: LimitSettings.model_validate({}), description="Bounds on use."
    )
    notices: NoticeSettings = Field(
        default_factory=lambda: NoticeSettings.model_validate({}),
        description="How people are told what happened.",
    )
    pages: PagesSettings = Field(
        default_factory=lambda: PagesSettings.model_validate({}), description="The pages in a browser."
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
        if self.node in self.federation.peers:
            raise ValueError(f"federation: {self.node} is this node itself and no peer of it")
        if self.environment is Environment.PRODUCTION and self.identity.provider is None:
            if not self.identity.allow_builtin_identity:
                raise ValueError(
                    "the built-in identity is for demonstrations and tests: give identity.provider; a production node "
                    "does not start without unless identity.allow_builtin_identity is true"
                )
            if self.identity.persons:
                raise ValueError("identity.persons log in without a password: not in production")
        return self
