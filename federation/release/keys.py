"""The key with which a node signs: Ed25519 (RFC 8032), kept as a JWK (RFC 8037) that only its owner can read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from federation.client.verify import ALGORITHM
from federation.state.errors import PrivateFileError
from federation.state.private import read_private, replace_private
from federation.state.private_keys import KeyPlace

PLACE = KeyPlace("Ed25519", "signing-key.json", "FEDERATION_SIGNING_KEY", "signed")


RETIRED = "retired-keys.json"
"""Beside the signing key: the public keys of those before it, a JWK Set. Take out one that was stolen."""


class SigningKey:
    """A private signing key. Its ``key_id`` is the JWK thumbprint (RFC 7638)."""

    def __init__(self, key: OKPKey, retired: Sequence[Mapping[str, Any]] = ()) -> None:
        if not key.is_private or key.curve_name != "Ed25519":
            raise PrivateFileError("a signing key is a private Ed25519 key")
        self._key = key
        self._retired = tuple(retired)
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
        key = PLACE.load(directory, environment, first_start=first_start)
        return cls(key, retired_keys(directory / RETIRED))

    @property
    def public_x(self) -> str:
        """The public key as others' settings give it: ``x`` of the JSON Web Key."""
        return str(self._key.as_dict(private=False)["x"])

    def sign(self, payload: bytes, typ: str) -> str:
        """``payload`` as a JWS in compact serialisation whose header names algorithm, key and type."""
        header = {"alg": ALGORITHM, "kid": self.key_id, "typ": typ}
        return jws.serialize_compact(header, payload, self._key, algorithms=[ALGORITHM])

    def public_jwks(self) -> dict[str, Any]:
        """The JWK Set (RFC 7517) with which others verify what this key, and those before it, signed."""
        before = [key for key in self._retired if key["kid"] != self.key_id]
        return {"keys": [_public(self._key), *before]}

    def __repr__(self) -> str:
        return f"SigningKey({self.key_id})"


def retired_keys(path: Path) -> list[dict[str, Any]]:
    """The public keys with which the node signed before.

    Raises:
        PrivateFileError: the file is none of a JWK Set, or others may change it.
    """
    content = read_private(path)
    if content is None:
        return []
    try:
        keys = json.loads(content)["keys"]
        found = [{**OKPKey.import_key(key).as_dict(private=False), **_kept(key)} for key in keys]
    except (JoseError, ValueError, TypeError, KeyError):
        raise PrivateFileError(f"{path} must hold a JWK Set of public keys") from None
    return found


def rotate(directory: Path, now: datetime) -> tuple[str, str]:
    """Retire the signing key in ``directory`` and make a fresh one. What was signed stays verifiable.

    The public key is kept before the private one is replaced, so that whenever this is cut short nothing is lost.

    Returns:
        The ids of the retired key and of the fresh one.

    Raises:
        PrivateFileError: there is no key in the directory, or a file there is damaged or readable by others.
    """
    key = PLACE.load(directory, {}, first_start=False)
    before = [each for each in retired_keys(directory / RETIRED) if each["kid"] != key.thumbprint()]
    retired = {**_public(key), "retired_at": now.isoformat(timespec="seconds")}
    replace_private(directory / RETIRED, json.dumps({"keys": [retired, *before]}).encode())
    fresh = OKPKey.generate_key("Ed25519")
    replace_private(directory / PLACE.file_name, json.dumps(fresh.as_dict(private=True)).encode())
    return key.thumbprint(), fresh.thumbprint()


def _public(key: OKPKey) -> dict[str, Any]:
    return {**key.as_dict(private=False), "kid": key.thumbprint(), "use": "sig", "alg": ALGORITHM}


def _kept(key: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of a retired key beside the key itself."""
    return {"kid": str(key["kid"]), "use": "sig", "alg": ALGORITHM, "retired_at": str(key["retired_at"])}
