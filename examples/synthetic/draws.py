"""Random numbers that depend on the seed, the table and the block alone, and record keys for synthetic units."""

from __future__ import annotations

import hashlib
from enum import IntEnum

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

from catalogue.fragment import RECORD_KEY_MODULUS

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

BLOCK_ROWS = 1 << 18


class Stream(IntEnum):
    """Independent sequences: what is drawn for one table never shifts another."""

    WORLD = 0
    PEOPLE = 1
    LEARNERS = 2
    VACANCIES = 3


class UnitKind(IntEnum):
    PERSON = 0
    EMPLOYER = 1


def generator(seed: int, stream: Stream, block: int = 0) -> np.random.Generator:
    """The generator of one block of rows: Philox, a counter-based generator (Salmon and others, SC 2011)."""
    sequence = np.random.SeedSequence(seed, spawn_key=(stream, block))
    return np.random.Generator(np.random.Philox(sequence))


def record_keys(seed: int, kind: UnitKind, numbers: Integers) -> Integers:
    """Record keys in [0, 10^8) for units by number, the same in every table and in whatever order they are made.

    A custodian derives keys by HMAC of a unit's pseudonym; invented units have no pseudonym to hide, so one pass
    of a block cipher over their numbers does, at hundreds of megabytes a second.

    >>> keys = record_keys(1, UnitKind.PERSON, np.arange(4))
    >>> bool((keys == record_keys(1, UnitKind.PERSON, np.arange(4))).all())
    True
    """
    secret = hashlib.sha256(b"synthetic record keys" + str(seed).encode()).digest()
    numbered = np.empty((len(numbers), 2), dtype="<u8")
    numbered[:, 0] = numbers
    numbered[:, 1] = kind
    encryptor = Cipher(algorithms.AES(secret), modes.ECB()).encryptor()
    blocks = np.frombuffer(encryptor.update(numbered.tobytes()), dtype="<u8")
    return (blocks[::2] % RECORD_KEY_MODULUS).astype(np.int64)


class Choice:
    """Draws categories from weights that differ by group.

    ``weights`` has shape (groups, categories), or (categories,) for a single group; rows need not sum to one.

    >>> fair = Choice(np.array([[1.0, 1.0], [0.0, 1.0]]))
    >>> fair.draw(np.array([0, 0, 1]), np.array([0.1, 0.9, 0.1])).tolist()
    [0, 1, 1]
    """

    def __init__(self, weights: Floats) -> None:
        table = np.atleast_2d(weights)
        cumulative = np.cumsum(table, axis=1)
        if not (cumulative[:, -1] > 0).all():
            raise ValueError("a group without weight")
        cumulative /= cumulative[:, -1:]
        self._size = table.shape[1]
        # Groups stand end to end, each on its own unit interval, so that one search serves them all.
        self._edges = (cumulative + np.arange(len(table))[:, None]).ravel()

    def draw(self, group: Integers | int, uniform: Floats) -> Integers:
        """Categories for ``uniform`` in [0, 1)."""
        found = np.searchsorted(self._edges, group + uniform, side="right")
        drawn: Integers = np.minimum(found - np.asarray(group) * self._size, self._size - 1)
        return drawn
