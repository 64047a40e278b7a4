"""Pairwise masks: what one node adds the other takes away, so that only the sum over all nodes can be read.

Each pair of nodes shares a secret (X25519, RFC 7748) that nobody else knows, the hub included. From it and from the
session, HKDF-SHA256 (RFC 5869) derives a key for each purpose, and ChaCha20 (RFC 8439) the masks: uniform 64-bit
numbers. A value plus masks is uniform too, and says nothing without the masks of every other node. After Bonawitz et
al. (2017), "Practical Secure Aggregation", without its recovery from drop-outs: here a drop-out voids the session.

The same session, cells and purpose give the same masks, so a message that is asked for again is the same message.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from federation.wire.exchange_key import ExchangeKey

Words = npt.NDArray[np.uint64]

ONE_TIME_NONCE = bytes(12)
"""Every key is derived for one message alone, so its nonce may be constant."""


class Purpose(StrEnum):
    """What masks or a key are for; each has unrelated ones."""

    KEYS = "keys"
    SEALED_KEYS = "sealed keys"
    VALUES = "values"
    COMMITMENT = "commitment"


class MaskError(Exception):
    """A message of another node cannot be opened, or does not fit. Says nothing of its content."""


@dataclass(frozen=True)
class Seat:
    """A node's place in a session. ``exchange_keys`` are the public keys of all nodes in the order of the roster,
    ``position`` is this node's among them; ``binding`` is what all nodes must agree on: the digests of session and
    cells."""

    own: ExchangeKey = field(repr=False)
    exchange_keys: Sequence[str]
    position: int
    binding: bytes

    def masked(self, values: npt.NDArray[np.int64], purpose: Purpose) -> Words:
        """``values`` plus this node's masks, modulo 2^64: over all nodes the masks cancel.

        >>> keys = [ExchangeKey.generate() for _ in range(3)]
        >>> seats = [Seat(key, [each.public for each in keys], i, b"session") for i, key in enumerate(keys)]
        >>> parts = [seat.masked(np.array([i, 10]), Purpose.VALUES) for i, seat in enumerate(seats)]
        >>> unmasked(parts).tolist()
        [3, 30]
        """
        total = values.astype(np.int64).view(np.uint64).copy()
        for other in range(len(self.exchange_keys)):
            if other < self.position:
                total -= self._stream(other, purpose, values.size)
            elif other > self.position:
                total += self._stream(other, purpose, values.size)
        return total

    def seal(self, words: Words, reader: int) -> bytes:
        """Words that only the node at ``reader`` can read, and whose sender it can tell."""
        key = self._key(reader, Purpose.SEALED_KEYS, sender=self.position)
        return ChaCha20Poly1305(key).encrypt(ONE_TIME_NONCE, words.astype("<u8").tobytes(), self.binding)

    def open(self, sealed: bytes, sender: int, length: int) -> Words:
        """What the node at ``sender`` sealed for this one.

        Raises:
            MaskError: it was sealed by another, for another session, or altered.
        """
        key = self._key(sender, Purpose.SEALED_KEYS, sender=sender)
        try:
            text = ChaCha20Poly1305(key).decrypt(ONE_TIME_NONCE, sealed, self.binding)
        except InvalidTag:
            raise MaskError("a sealed message does not belong to this session") from None
        if len(text) != 8 * length:
            raise MaskError("a sealed message has another length")
        return np.frombuffer(text, dtype="<u8").astype(np.uint64)

    def _stream(self, other: int, purpose: Purpose, length: int) -> Words:
        encryptor = Cipher(ChaCha20(self._key(other, purpose), bytes(16)), mode=None).encryptor()
        return np.frombuffer(encryptor.update(bytes(8 * length)), dtype="<u8").astype(np.uint64)

    def _key(self, other: int, purpose: Purpose, sender: int | None = None) -> bytes:
        """The key of this node and ``other``, the same on both sides."""
        first, second = sorted((self.position, other))
        info = ["federation-masked/1", purpose, self.exchange_keys[first], self.exchange_keys[second]]
        if sender is not None:
            info.append(str(sender))
        try:
            secret = self.own.shared_secret(self.exchange_keys[other])
        except ValueError:
            raise MaskError("an exchange key of the roster is not one") from None
        return HKDF(SHA256(), 32, salt=self.binding, info="\0".join(info).encode()).derive(secret)


def commitment(own: ExchangeKey, context: bytes, *vectors: npt.NDArray[np.int64]) -> str:
    """What binds a node to its numbers in one ``context`` and shows them to nobody: HMAC-SHA256 with a key of its own.

    Other numbers have another one, and it is part of the session. So masks never cover other numbers than before,
    though data changed behind the same snapshot, or a secret or an expression of the catalogue under the same data.

    >>> key = ExchangeKey.generate()
    >>> one, same, other = (commitment(key, b"x", np.array([n])) for n in (1, 1, 2))
    >>> one == same, one == other
    (True, False)
    """
    info = f"federation-masked/1\0{Purpose.COMMITMENT}".encode()
    # With its own public key a node shares a secret with itself alone.
    secret = HKDF(SHA256(), 32, salt=None, info=info).derive(own.shared_secret(own.public))
    found = hmac.new(secret, hashlib.sha256(context).digest(), hashlib.sha256)
    for vector in vectors:
        found.update(vector.size.to_bytes(8, "little") + vector.astype("<i8").tobytes())
    return f"sha256:{found.hexdigest()}"


def unmasked(parts: Sequence[Words]) -> npt.NDArray[np.int64]:
    """The sum of what all nodes masked, which is the sum of their values.

    Raises:
        MaskError: the parts have different lengths.
    """
    if len({part.size for part in parts}) != 1:
        raise MaskError("the parts have different lengths")
    total = np.zeros(parts[0].size, dtype=np.uint64)
    for part in parts:
        total += part
    return total.view(np.int64)
