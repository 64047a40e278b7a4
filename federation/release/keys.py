"""The key with which a node signs: Ed25519 (RFC 8032), kept as a JWK (RFC 8037) that only its owner can read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from joserfc import jws
from joserfc.jwk import OKPKey

from federation.client.verify import ALGORITHM
from federation.state.errors import PrivateFileError
from federation.state.private_keys import KeyPlace

PLACE = KeyPlace("Ed25519", "signing-key.json", "FEDERATION_SIGNING_KEY", "signed")


class SigningKey:
    """A private signing key. Its ``key_id`` is the JWK thumbprint (RFC 7638)."""

    def __init__(self, key: OKPKey) -> None:
        if not key.is_private or key.curve_name != "Ed25519":
            raise PrivateFileError("a signing key is a private Ed25519 key")
        self._key = key
        self.key_id = key.thumbprint()

    @classmethod
    def generate(cls) -> SigningKey:
        """A fresh key that is stored nowhere."""
        return cls(OKPKey.generate_key("Ed25519"))

    @classmethod
    def load(cls, directory: Path, environment: Mapping[str, str], *, first_start: bool) -> SigningKey:
        """The key from FEDERATION_SIGNING_KEY (a private JWK) if set, else from ``directory``.

        A first start creates it there; a later one without it fails, for releases signed before could no longer be
        verified with the node's public keys.

        Raises:
            PrivateFileError: it is missing, can be read by others, or is no private Ed25519 JWK.
        """
        return cls(PLACE.load(directory, environment, first_start=first_start))

    @property
    def public_x(self) -> str:
        """The public key as others' settings give it: ``x`` of the JSON Web Key."""
        return str(self._key.as_dict(private=False)["x"])

    def sign(self, payload: bytes, typ: str) -> str:
        """``payload`` as a JWS in compact serialisation whose header names algorithm, key and type."""
        header = {"alg": ALGORITHM, "kid": self.key_id, "typ": typ}
        return jws.serialize_compact(header, payload, self._key, algorithms=[ALGORITHM])

    def public_jwks(self) -> dict[str, Any]:
        """The JWK Set (RFC 7517) with which others verify what this key signed."""
        public = {**self._key.as_dict(private=False), "kid": self.key_id, "use": "sig", "alg": ALGORITHM}
        return {"keys": [public]}

    def __repr__(self) -> str:
        return f"SigningKey({self.key_id})"
