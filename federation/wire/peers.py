"""The nodes that this one knows: by whose key a message was signed, and where it is answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from joserfc.jwk import OKPKey

from federation.settings import PeerSettings


@dataclass(frozen=True, slots=True)
class Peer:
    """Another node. ``key_id`` is the thumbprint of its signing key, ``exchange_key`` its public X25519 key.

    It is called at ``url``, or fetches what it is asked (``polls``), or neither: then it asks and is not asked.
    """

    name: str
    title: str
    url: str | None
    polls: bool
    key_id: str
    exchange_key: str


class Peers(Mapping[str, Peer]):
    """Peers by name, with the keys that verify what they sign."""

    def __init__(self, settings: Mapping[str, PeerSettings]) -> None:
        keys = {name: _public(peer.signing_key) for name, peer in settings.items()}
        self._keys = keys
        self._peers = {
            name: Peer(name, peer.title, peer.url, peer.polls, keys[name].thumbprint(), peer.exchange_key)
            for name, peer in settings.items()
        }
        self._by_key = {peer.key_id: peer for peer in self._peers.values()}

    def __getitem__(self, name: str) -> Peer:
        return self._peers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._peers)

    def __len__(self) -> int:
        return len(self._peers)

    def by_key(self, key_id: object) -> Peer | None:
        """The peer whose signing key has this id."""
        return self._by_key.get(key_id) if isinstance(key_id, str) else None

    def key_of(self, peer: Peer) -> OKPKey:
        """The public key that verifies what the peer signed."""
        return self._keys[peer.name]


def _public(x: str) -> OKPKey:
    return OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": x})
