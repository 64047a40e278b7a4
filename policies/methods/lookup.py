"""From a cell's key to the number that looks up its noise.

The key of a cell is the sum of its units' record keys modulo M. Sums are linear, so noise looked up with them
directly, once learned by averaging, gives equations between keys; and a count and a sum over the same people would
share their noise. Hence a pseudo-random function of (noise secret, what is perturbed, key) stands in between:
HMAC-SHA256 (RFC 2104, FIPS 198-1) derives one key per domain, and AES-256 (FIPS 197) of one block per cell gives
the digits: a block cipher is a pseudo-random permutation, and blocks never repeat within a domain unless the
question is the same.

The direct look-ups of other tools are here too, for comparison with their outputs in tests and nowhere else.
"""

from __future__ import annotations

import hashlib
import hmac

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import ECB

MINIMUM_SECRET_BYTES = 16

_PURPOSE = b"cell-key-noise/1\x00"
_MANTISSA = 53


def noise_bits(
    secret: bytes, domain: str, cell_key: npt.NDArray[np.int64], index: int = 0
) -> npt.NDArray[np.uint64]:
    """64 pseudo-random bits per cell, the same on every machine.

    ``secret`` is the custodian's noise secret, of at least 16 bytes. ``domain`` says what is perturbed, such as
    ``"units"`` or ``"sum:pay"``; other domains give unrelated bits. ``cell_key`` int64, at least 0, any shape.
    ``index`` (0 to 2**64-1) separates several numbers for one cell, such as quantiles.

    The block of a cell is its key and the index, each as 8 bytes, least significant first; the result is the first
    8 bytes of the cipher text in the same order. Raises ValueError for a short secret or a negative key.

    >>> bits = noise_bits(bytes(32), "units", np.array([5, 5, 6]))
    >>> bool(bits[0] == bits[1]), bool(bits[0] == bits[2])
    (True, False)
    """
    if len(secret) < MINIMUM_SECRET_BYTES:
        raise ValueError(f"a noise secret has at least {MINIMUM_SECRET_BYTES} bytes")
    if cell_key.size and cell_key.min() < 0:
        raise ValueError("a cell key is at least 0")
    blocks = np.empty((cell_key.size, 2), dtype="<u8")
    blocks[:, 0] = cell_key.ravel()
    blocks[:, 1] = index
    subkey = hmac.new(secret, _PURPOSE + domain.encode(), hashlib.sha256).digest()
    # ECB is the cipher itself: here each block is an input of the function, not a part of a message.
    encryptor = Cipher(AES256(subkey), ECB()).encryptor()
    text = encryptor.update(blocks.tobytes()) + encryptor.finalize()
    bits = np.frombuffer(text, dtype="<u8").reshape(-1, 2)[:, 0]
    return bits.astype(np.uint64).reshape(cell_key.shape)


def noise_uniform(
    secret: bytes, domain: str, cell_key: npt.NDArray[np.int64], index: int = 0
) -> npt.NDArray[np.float64]:
    """The number u in [0, 1) that looks up a p-table: the top 53 of the ``noise_bits``, all that float64 can hold."""
    bits = noise_bits(secret, domain, cell_key, index)
    return (bits >> np.uint64(64 - _MANTISSA)).astype(np.float64) / 2.0**_MANTISSA


def direct_uniform(cell_key: npt.NDArray[np.int64], modulus: int) -> npt.NDArray[np.float64]:
    """Reference look-up, for tests only: the key itself as a fraction of the modulus.

    The R package cellKey uses the fractional part of a sum of keys with eight decimals, which is a sum modulo 10**8;
    the ONS uses integers modulo 256 or 4096.
    """
    return (cell_key % modulus).astype(np.float64) / modulus
