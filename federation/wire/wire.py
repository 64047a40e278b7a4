"""Everything with which a node speaks to others, put together from its settings."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from federation.release.keys import SigningKey
from federation.settings import Settings
from federation.state.database import Database
from federation.wire.asking import Carrier, SignedChannel
from federation.wire.channel import Channel, MessageKind, Sender
from federation.wire.correspondence import Correspondence
from federation.wire.desk import Desk
from federation.wire.exchange_key import ExchangeKey
from federation.wire.http import HttpCarrier
from federation.wire.mailbox import Mailbox
from federation.wire.peers import Peer, Peers
from federation.wire.poller import Poller


@dataclass(frozen=True)
class Wire:
    """``channel`` asks peers, ``desk`` answers them; ``mailbox`` and ``pollers`` are the two ends of polling."""

    peers: Peers
    exchange_key: ExchangeKey
    correspondence: Correspondence
    channel: Channel
    desk: Desk
    mailbox: Mailbox
    pollers: tuple[Poller, ...]

    def start(self) -> None:
        """Begin to fetch what hubs ask."""
        for poller in self.pollers:
            poller.start()

    def stop(self) -> None:
        """Tell what is being answered to end, and fetch nothing any more."""
        self.desk.stop()
        for poller in self.pollers:
            poller.stop()


def build_wire(
    settings: Settings,
    signing_key: SigningKey,
    exchange_key: ExchangeKey,
    database: Database,
    clock: Callable[[], datetime],
) -> Wire:
    """The wire of a node. It answers pings; who adds an ability registers its handler at ``desk``."""
    federation = settings.federation
    peers = Peers(federation.peers)
    skew = timedelta(seconds=federation.clock_skew_seconds)
    correspondence = Correspondence(
        settings.node, signing_key, peers, database, clock, skew, federation.message_bytes
    )
    mailbox, http = Mailbox(), HttpCarrier(federation.message_bytes)

    def carrier(peer: Peer) -> Carrier | None:
        return mailbox if peer.polls else http if peer.url is not None else None

    desk = Desk(correspondence)

    def ping(sender: Sender, _: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"exchange_key": exchange_key.public, "yours": peers[sender.node].exchange_key}

    desk.register(MessageKind.PING, ping)
    return Wire(
        peers=peers,
        exchange_key=exchange_key,
        correspondence=correspondence,
        channel=SignedChannel(correspondence, carrier),
        desk=desk,
        mailbox=mailbox,
        pollers=tuple(Poller(correspondence, desk, peers[name]) for name in federation.poll),
    )


def ask_for_keys(wire: Wire, node: str, *, deadline: float) -> bool:
    """Ping a peer; whether each of the two has the exchange key of the other as it is.

    Raises:
        NodeUnavailable: it gave no answer.
        StateError: question or answer could not be recorded.
    """
    answer = wire.channel.ask(node, MessageKind.PING, {}, deadline=deadline, cancel=threading.Event())
    theirs = answer.get("exchange_key") == wire.peers[node].exchange_key
    return theirs and answer.get("yours") == wire.exchange_key.public
