"""Nodes that exchange real envelopes within one process: signed, verified, recorded; only the network is left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from connectors.protocol import CancelSignal
from federation.release.keys import SigningKey
from federation.settings import PeerSettings
from federation.state.database import Database
from federation.wire.asking import SignedChannel
from federation.wire.channel import NodeUnavailable, Unavailability
from federation.wire.correspondence import Correspondence, Written
from federation.wire.desk import Desk
from federation.wire.envelope import MessageRefused
from federation.wire.exchange_key import ExchangeKey
from federation.wire.peers import Peer, Peers

LARGEST = 1 << 26
SKEW = timedelta(seconds=30)


def public_part(key: SigningKey) -> str:
    """``x`` of the key's JSON Web Key, as a peer's settings give it."""
    x: str = key.public_jwks()["keys"][0]["x"]
    return x


@dataclass
class Party:
    """One node: what it writes with, and where what others write to it arrives."""

    name: str
    correspondence: Correspondence
    desk: Desk
    exchange_key: ExchangeKey

    @property
    def database(self) -> Database:
        return self.correspondence.database


@dataclass
class LoopbackFederation:
    """Nodes that all know each other. ``tamper`` may change a token on its way back; ``away`` names who is silent."""

    parties: dict[str, Party]
    away: set[str] = field(default_factory=set)
    tamper: Callable[[str, str], str] = lambda _, token: token

    def channel(self, name: str) -> SignedChannel:
        """The channel of one of them to the others."""
        return SignedChannel(self.parties[name].correspondence, lambda _: self)

    def carry(self, peer: Peer, message: Written, *, deadline: float, cancel: CancelSignal) -> str:
        if peer.name in self.away:
            raise NodeUnavailable(peer.name, Unavailability.AWAY)
        try:
            return self.tamper(peer.name, self.parties[peer.name].desk.receive(message.token))
        except MessageRefused as refused:
            raise NodeUnavailable(peer.name, Unavailability.REFUSED, str(refused.fault)) from None

    def close(self) -> None:
        for party in self.parties.values():
            with suppress(Exception):
                party.database.close()


def loopback(
    directory: Path,
    names: tuple[str, ...],
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    databases: Mapping[str, Database] | None = None,
    signing: Mapping[str, SigningKey] | None = None,
    exchange: Mapping[str, ExchangeKey] | None = None,
) -> LoopbackFederation:
    """Nodes of these names, each with a database of its own under ``directory`` unless one is given."""
    signing = {name: SigningKey.generate() for name in names} | dict(signing or {})
    exchange = {name: ExchangeKey.generate() for name in names} | dict(exchange or {})
    described = {
        name: PeerSettings(
            title=name.title(),
            url="http://127.0.0.1:1",
            signing_key=public_part(signing[name]),
            exchange_key=exchange[name].public,
        )
        for name in names
    }
    parties = {}
    for name in names:
        database = (databases or {}).get(name) or Database.open(directory / f"{name}.sqlite")
        peers = Peers({other: described[other] for other in names if other != name})
        correspondence = Correspondence(name, signing[name], peers, database, clock, SKEW, LARGEST)
        parties[name] = Party(name, correspondence, Desk(correspondence), exchange[name])
    return LoopbackFederation(parties)
