"""The settings of identity: an OpenID Connect provider, or the built-in identity; and who acts for whom."""

from __future__ import annotations

from datetime import date
from itertools import combinations
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from catalogue.models import Name, Text
from federation.addresses import is_safe_url
from federation.identity.principal import NodeRole
from federation.sections import Identifier, Section

Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"
]
"""Signatures with a private key alone: with a shared secret, whoever can check a token could make one."""

OWN_PARAMETERS = frozenset(
    {
        *(
            "client_assertion",
            "client_assertion_type",
            "client_id",
            "client_secret",
            "code",
            "code_challenge",
        ),
        *("code_challenge_method", "code_verifier", "device_code", "grant_type", "nonce", "redirect_uri"),
        *("refresh_token", "request", "request_uri", "response_mode", "response_type", "scope", "state"),
        *("auth", "authorization_response", "body", "headers", "method", "url"),
    }
)
"""What a request says by itself, or its sender needs for itself."""

Subject = Annotated[str, StringConstraints(min_length=1, max_length=240)]


class Member(Section):
    """Somebody, or something, that acts for a body."""

    name: Text = Field(description="The name as people read it.")
    body: Name = Field(description="The body acted for.")
    roles: Annotated[tuple[NodeRole, ...], Field(min_length=1)] = Field(
        description="planner, analyst, custodian, reviewer, auditor or administrator; several are possible."
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


class ClaimNames(Section):
    """Which claims of a token say who somebody is: a name, or steps into objects with dots between them."""

    subject: Text = Field("sub", description="The claim that identifies a person for good.")
    name: Text = Field("name", description="The claim with the name as people read it.")
    body: Text = Field(description="The claim that says for which body somebody acts.")
    roles: Text = Field(description="The claim with one role or a list of them.")


class ProviderSettings(Section):
    """An OpenID Connect provider, which alone says who somebody is."""

    issuer: str = Field(
        description="The provider's issuer, exactly as it names itself; HTTPS, or a loopback address."
    )
    client_id: Text = Field(description="The name under which the provider knows the node's pages.")
    secret: Name | None = Field(
        None, description="Name of the secret of the node's pages. None: the provider knows them without one."
    )
    device_client_id: Text | None = Field(
        None, description="The name of the command line and notebooks at the provider, for the device flow."
    )
    audience: Text = Field(description="What an access token must be meant for: the node's API.")
    algorithms: Annotated[tuple[Algorithm, ...], Field(min_length=1)] = Field(
        ("RS256", "PS256", "ES256", "EdDSA", "Ed25519"), description="Signatures that are accepted."
    )
    token_type: Literal["at+jwt", "JWT"] = Field(
        "at+jwt",
        description="The type in the header of an access token; JWT for a provider from before RFC 9068.",
    )
    scopes: tuple[Text, ...] = Field(("openid", "profile"), description="The scopes that are asked for.")
    parameters: dict[str, str] = Field(
        default_factory=dict,
        description="What else the provider wants to be told in every request, such as resource or audience.",
    )
    clock_skew_seconds: Annotated[int, Field(ge=0, le=300)] = Field(
        30, description="By how much the clocks of provider and node may differ."
    )
    claims: ClaimNames = Field(description="Which claims say who somebody is.")
    bodies: Annotated[dict[str, Name], Field(min_length=1)] = Field(
        description="Body by value of the claim; who has another value is not admitted."
    )
    roles: Annotated[dict[str, NodeRole], Field(min_length=1)] = Field(
        description="Role by value of the claim; another value gives none."
    )

    @model_validator(mode="after")
    def _sound(self) -> ProviderSettings:
        if not is_safe_url(self.issuer):
            raise ValueError("issuer must be HTTPS, or HTTP on a loopback address")
        if "openid" not in self.scopes:
            raise ValueError("scopes must hold openid")
        taken = sorted(OWN_PARAMETERS & set(self.parameters))
        if taken:
            raise ValueError(f"parameters must leave {', '.join(taken)} to the node")
        if self.audience in (self.client_id, self.device_client_id):
            raise ValueError(
                "audience must be the API's own: with a client's id, an ID token would pass for an access token"
            )
        return self


class DelegationSettings(Section):
    """Who may act for a body other than their own, by which instrument, and when."""

    delegation: Name = Field(description="Short name, which the audit trail holds.")
    subject: Subject = Field(description="Who: the subject of a person or program.")
    body: Name = Field(description="The body acted for.")
    roles: Annotated[tuple[NodeRole, ...], Field(min_length=1)] = Field(
        description="The roles in which; those of one's own body do not come along."
    )
    instrument: Text = Field(description="What gives the permission: a deed, a minute, a letter.")
    from_: date = Field(alias="from", description="First day (UTC).")
    until: date = Field(description="Last day (UTC).")

    @model_validator(mode="after")
    def _in_order(self) -> DelegationSettings:
        if self.until < self.from_:
            raise ValueError("until must not be before from")
        return self


class IdentitySettings(Section):
    """Who people and programs are: by a provider, or by the built-in identity for demonstrations and tests."""

    provider: ProviderSettings | None = Field(
        None, description="The OpenID Connect provider. None: the built-in identity."
    )
    allow_builtin_identity: bool = Field(
        False, description="Let a node whose environment is production start with the built-in identity."
    )
    token_minutes: Annotated[int, Field(ge=1, le=1440)] = Field(
        60, description="How long an access token of the built-in identity is valid, in minutes."
    )
    session_idle_minutes: Annotated[int, Field(ge=1, le=1440)] = Field(
        30, description="How long a session at the pages may lie unused, in minutes."
    )
    session_hours: Annotated[int, Field(ge=1, le=168)] = Field(
        10, description="How long a session at the pages lasts at most, in hours."
    )
    persons: tuple[Person, ...] = Field(
        (), description="Persons who may log in by name alone. Never in production."
    )
    programs: tuple[Program, ...] = Field((), description="Programs that log in with client credentials.")
    delegations: tuple[DelegationSettings, ...] = Field(
        (), description="Who may act for a body other than their own."
    )

    @model_validator(mode="after")
    def _one_identity(self) -> IdentitySettings:
        builtin = self.allow_builtin_identity or self.persons or self.programs
        if self.provider is not None and builtin:
            raise ValueError(
                "give a provider, or the built-in identity with persons and programs: not both at once"
            )
        names = [person.person for person in self.persons]
        names += [program.client_id for program in self.programs]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} stands for more than one person or program")
        return self

    @model_validator(mode="after")
    def _one_delegation_at_a_time(self) -> IdentitySettings:
        for one, other in combinations(self.delegations, 2):
            if one.delegation == other.delegation:
                raise ValueError(f"there are two delegations {one.delegation}")
            same = (one.subject, one.body) == (other.subject, other.body)
            if same and one.from_ <= other.until and other.from_ <= one.until:
                raise ValueError(
                    f"the delegations {one.delegation} and {other.delegation} overlap: end one before the other begins"
                )
        return self
