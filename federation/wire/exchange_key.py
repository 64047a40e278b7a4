"""The key with which two nodes agree on a secret past the hub: X25519 (RFC 7748), kept as a JWK (RFC 8037)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from joserfc.jwk import OKPKey

from federation.state.errors import PrivateFileError
from federation.state.private_keys import KeyPlace

PLACE = KeyPlace("X25519", "exchange-key.json", "FEDERATION_EXCHANGE_KEY", "agreed with other nodes")


class ExchangeKey:
    """A private key of a node. ``public`` is what its peers are told: ``x`` of the JSON Web Key."""

    def __init__(self, key: OKPKey) -> None:
        private = key.private_key
        if not isinstance(private, X25519PrivateKey):
            raise PrivateFileError("an exchange key is a private X25519 key")
        self._private = private
        self.public = base64.urlsafe_b64encode(private.public_key().public_bytes_raw()).decode().rstrip("=")

    @classmethod
    def generate(cls) -> ExchangeKey:
        """A fresh key that is stored nowhere."""
        return cls(OKPKey.generate_key("X25519"))

    @classmethod
    def load(cls, directory: Path, environment: Mapping[str, str], *, first_start: bool) -> ExchangeKey:
        """The key from FEDERATION_EXCHANGE_KEY (a private JWK) if set, else from ``directory``.

        A first start creates it there; a later one without it fails, for the peers hold its public part.

        Raises:
            PrivateFileError: it is missing, can be read by others, or is no private X25519 JWK.
        """
        return cls(PLACE.load(directory, environment, first_start=first_start))

    def shared_secret(self, public: str) -> bytes:
        """The 32 bytes that this node and the owner of ``public`` alone can compute.

        They are not uniform: derive keys from them (RFC 5869), bound to what they are for.

        Raises:
            ValueError: ``public`` is no X25519 key, or one with which the secret would be known to all.
        """
        raw = base64.urlsafe_b64decode(public + "=" * (-len(public) % 4))
        return self._private.exchange(X25519PublicKey.from_public_bytes(raw))

    def __repr__(self) -> str:
        return f"ExchangeKey({self.public})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key does not leave its process")
