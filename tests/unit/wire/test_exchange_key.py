"""The exchange key: made once, kept private, and the same secret for two and nobody else."""

from __future__ import annotations

import json
import pickle
import stat
from pathlib import Path

import pytest
from joserfc.jwk import OKPKey

from federation.state.errors import PrivateFileError
from federation.wire.exchange_key import PLACE, ExchangeKey


def test_it_is_created_at_the_first_start_and_found_at_the_next(tmp_path: Path) -> None:
    made = ExchangeKey.load(tmp_path / "secrets", {}, first_start=True)
    found = ExchangeKey.load(tmp_path / "secrets", {}, first_start=False)
    assert made.public == found.public
    assert stat.S_IMODE((tmp_path / "secrets" / PLACE.file_name).stat().st_mode) == 0o600
    with pytest.raises(PrivateFileError, match="restore"):
        ExchangeKey.load(tmp_path, {}, first_start=False)


def test_the_environment_can_name_it_and_it_must_be_one(tmp_path: Path) -> None:
    jwk = OKPKey.generate_key("X25519")
    named = {PLACE.variable: json.dumps(jwk.as_dict(private=True))}
    assert ExchangeKey.load(tmp_path, named, first_start=False).public == jwk.as_dict(private=False)["x"]
    other = OKPKey.generate_key("Ed25519")
    with pytest.raises(PrivateFileError, match="X25519"):
        ExchangeKey.load(
            tmp_path, {PLACE.variable: json.dumps(other.as_dict(private=True))}, first_start=False
        )


def test_two_have_one_secret_and_a_third_another() -> None:
    one, two, three = (ExchangeKey.generate() for _ in range(3))
    assert one.shared_secret(two.public) == two.shared_secret(one.public)
    assert one.shared_secret(three.public) != one.shared_secret(two.public)


@pytest.mark.parametrize("public", ["A" * 43, "", "AAAA", "é"])
def test_a_key_that_would_give_a_known_secret_is_none(public: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the library's, and its text is no promise
        ExchangeKey.generate().shared_secret(public)


def test_nothing_shows_the_private_part() -> None:
    key = ExchangeKey.generate()
    assert repr(key) == f"ExchangeKey({key.public})"
    with pytest.raises(TypeError):
        pickle.dumps(key)
