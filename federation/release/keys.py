"""The key with which a node signs: Ed25519 (RFC 8032), kept as a JWK (RFC 8037) that only its owner can read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from federation.client.verify import ALGORITHM
from federation.state.errors import PrivateFileError
from federation.state.private import create_private, read_private

FILE_NAME = "signing-key.json"
ENVIRONMENT = "FEDERATION_SIGNING_KEY"


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
        if ENVIRONMENT in environment:
            return cls._parse(environment[ENVIRONMENT].encode(), ENVIRONMENT)
        path = directory / FILE_NAME
        content = read_private(path)
        if content is None:
            if not first_start:
                raise PrivateFileError(f"{path} is missing, and this node has signed with it: restore it")
            fresh = OKPKey.generate_key("Ed25519")
            create_private(path, json.dumps(fresh.as_dict(private=True)).encode())
            content = read_private(path) or b""
        return cls._parse(content, str(path))

    @classmethod
    def _parse(cls, content: bytes, origin: str) -> SigningKey:
        try:
            return cls(OKPKey.import_key(json.loads(content)))
        except (JoseError, ValueError, TypeError, KeyError, PrivateFileError):
            raise PrivateFileError(f"{origin} must hold a private Ed25519 key as JSON Web Key") from None

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
