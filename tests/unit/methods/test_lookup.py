"""The look-up: keyed, separate for each domain, the same on every machine."""

from __future__ import annotations

import hashlib
import hmac
import struct

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from policies.methods.lookup import direct_uniform, noise_bits, noise_uniform

SECRET = bytes(range(32))
KEYS = np.arange(50_000, dtype=np.int64)
MODULUS = 10**8


def test_known_answers() -> None:
    """Fixed digits: a change of byte order, cipher or derivation would silently redraw every release's noise."""
    bits = noise_bits(SECRET, "units", np.array([0, 1, 99_999_999]))
    assert bits.tolist() == [503242902003605295, 8197119505626833503, 15365034935414676751]
    assert noise_bits(SECRET, "sum:pay", np.array([1]), index=250_000).tolist() == [863060405235921432]


def test_one_block_at_a_time_gives_the_same() -> None:
    subkey = hmac.new(SECRET, b"cell-key-noise/1\x00units", hashlib.sha256).digest()
    for key in (0, 7, 12_345_678):
        encryptor = Cipher(algorithms.AES(subkey), modes.ECB()).encryptor()
        block = encryptor.update(struct.pack("<QQ", key, 3))
        expected = struct.unpack("<Q", block[:8])[0]
        assert noise_bits(SECRET, "units", np.array([key]), index=3)[0] == expected


def test_u_is_uniform() -> None:
    u = noise_uniform(SECRET, "units", KEYS)
    assert u.min() >= 0
    assert u.max() < 1
    counts = np.histogram(u, bins=100, range=(0, 1))[0]
    assert ((counts - 500) ** 2 / 500).sum() < 150  # chi-square with 99 degrees of freedom: p < 0.001


@pytest.mark.parametrize(
    ("secret", "domain", "index"),
    [(bytes(32), "units", 0), (SECRET, "sum:pay", 0), (SECRET, "units", 1)],
)
def test_another_secret_domain_or_index_is_unrelated(secret: bytes, domain: str, index: int) -> None:
    one, other = noise_uniform(SECRET, "units", KEYS), noise_uniform(secret, domain, KEYS, index)
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.02
    assert not (one == other).any()


def test_sums_of_keys_say_nothing_about_sums_of_noise() -> None:
    a, b = KEYS[1:20_000], KEYS[20_001:40_000]
    noise = [noise_uniform(SECRET, "units", keys) for keys in (a, b, (a + b) % MODULUS)]
    assert abs(np.corrcoef((noise[0] + noise[1]) % 1, noise[2])[0, 1]) < 0.03


@given(st.lists(st.integers(0, MODULUS - 1), min_size=1, max_size=30), st.integers(0, 29))
def test_the_same_people_in_any_split_and_order_get_the_same_u(keys: list[int], at: int) -> None:
    whole = np.array([sum(keys) % MODULUS])
    split = np.array([(sum(keys[at:]) % MODULUS + sum(keys[:at]) % MODULUS) % MODULUS])
    assert noise_uniform(SECRET, "units", whole) == noise_uniform(SECRET, "units", split)


def test_any_shape_and_none() -> None:
    assert noise_uniform(SECRET, "units", KEYS.reshape(100, 500)).shape == (100, 500)
    assert noise_uniform(SECRET, "units", np.array([], dtype=np.int64)).shape == (0,)


def test_a_short_secret_and_a_negative_key_are_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        noise_bits(bytes(15), "units", KEYS)
    with pytest.raises(ValueError, match="at least 0"):
        noise_bits(SECRET, "units", np.array([-1]))


def test_the_direct_look_up_is_the_fraction_of_the_modulus() -> None:
    assert direct_uniform(np.array([0, 50, 4095, 4096]), 4096).tolist() == [0, 50 / 4096, 4095 / 4096, 0]
