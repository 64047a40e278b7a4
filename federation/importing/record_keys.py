"""Record keys: the one place where a unit's pseudonym becomes its key.

A record key is a pseudo-random integer in [0, M), M = 10^8, that a unit carries in every dataset of its custodian;
the keys of a cell's contributors, summed modulo M, pick the cell's noise (Fraser and Wooton, "A proposed method for
confidentialising tabular output to protect against differencing", UNECE work session on statistical data
confidentiality, Geneva 2005). Here it is HMAC-SHA256 (RFC 2104) of the pseudonym under the custodian's key secret,
its first eight bytes as a big-endian integer, modulo M: the bias is below 10^-11, and without the secret nobody can
compute or test a key.
"""

from __future__ import annotations

import hmac
import unicodedata
from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from catalogue.fragment import RECORD_KEY_MODULUS

MINIMUM_SECRET_BYTES = 32

_DOMAIN = b"record-key\x00"


class WeakSecret(ValueError):
    """A key secret too short to keep keys from being guessed."""


def record_key(pseudonym: str, secret: bytes) -> int:
    """The record key of one unit.

    Pseudonyms are compared as text without surrounding blanks, in Unicode's composed form: the number 42 and the
    text "42" are one unit, "042" is another.

    Raises WeakSecret for a secret under 32 bytes.

    >>> record_key("7529361", b"an example of thirty-two bytes..") == record_key(" 7529361", b"an example of "
    ... b"thirty-two bytes..")
    True
    """
    return int(record_keys([pseudonym], secret)[0].as_py())


def record_keys(pseudonyms: Iterable[str], secret: bytes) -> pa.Int32Array:
    """The record keys of many units, in order: about 2 microseconds each, so give every unit once.

    Raises WeakSecret for a secret under 32 bytes.
    """
    if len(secret) < MINIMUM_SECRET_BYTES:
        raise WeakSecret(f"a key secret needs at least {MINIMUM_SECRET_BYTES} bytes")
    digests = b"".join(
        [hmac.digest(secret, _DOMAIN + _canonical(pseudonym), "sha256") for pseudonym in pseudonyms]
    )
    leading = np.frombuffer(digests, dtype=">u8")[::4]
    return pa.array((leading % RECORD_KEY_MODULUS).astype(np.int32))


def _canonical(pseudonym: str) -> bytes:
    text = pseudonym.strip()
    return (text if text.isascii() else unicodedata.normalize("NFC", text)).encode()
