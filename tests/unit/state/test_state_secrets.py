"""Key secret and noise secret: made once, never shown, never replaced silently."""

from __future__ import annotations

import copy
import json
import pickle
import stat
from pathlib import Path

import pytest

from federation.state.errors import PrivateFileError
from federation.state.private import create_private, read_private
from federation.state.secrets import FILE_NAME, NodeSecrets, Secret, load_secrets


def revealed(secrets: NodeSecrets) -> tuple[bytes, bytes, int]:
    return secrets.key_secret.reveal(), secrets.noise_secret.reveal(), secrets.key_epoch


def test_they_are_created_at_the_first_start_and_found_at_the_next(tmp_path: Path) -> None:
    made = load_secrets(tmp_path, {}, first_start=True)
    assert revealed(made) == revealed(load_secrets(tmp_path, {}, first_start=False))
    key, noise, epoch = revealed(made)
    assert (len(key), len(noise), epoch) == (32, 32, 1)
    assert key != noise
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


def test_lost_secrets_are_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(PrivateFileError, match="restore"):
        load_secrets(tmp_path, {}, first_start=False)
    assert list(tmp_path.iterdir()) == []


def test_the_environment_names_all_or_none(tmp_path: Path) -> None:
    environment = {
        "FEDERATION_KEY_SECRET": "01" * 32,
        "FEDERATION_NOISE_SECRET": "02" * 32,
        "FEDERATION_KEY_EPOCH": "3",
    }
    assert revealed(load_secrets(tmp_path, environment, first_start=True)) == (b"\1" * 32, b"\2" * 32, 3)
    for missing in environment:
        part = {name: value for name, value in environment.items() if name != missing}
        with pytest.raises(PrivateFileError):
            load_secrets(tmp_path, part, first_start=True)


@pytest.mark.parametrize("wrong", ["", "zz" * 32, "01" * 31, "01" * 33])
def test_what_is_no_secret_is_refused_without_being_shown(tmp_path: Path, wrong: str) -> None:
    create_private(
        tmp_path / FILE_NAME,
        json.dumps({"key_secret": wrong, "noise_secret": "02" * 32, "key_epoch": 1}).encode(),
    )
    with pytest.raises(PrivateFileError) as raised:
        load_secrets(tmp_path, {}, first_start=False)
    assert not wrong or wrong not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"1"])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    create_private(tmp_path / FILE_NAME, content)
    with pytest.raises(PrivateFileError):
        load_secrets(tmp_path, {}, first_start=True)


def test_what_others_can_read_is_no_secret(tmp_path: Path) -> None:
    load_secrets(tmp_path, {}, first_start=True)
    (tmp_path / FILE_NAME).chmod(0o604)
    with pytest.raises(PrivateFileError, match="chmod 600"):
        load_secrets(tmp_path, {}, first_start=False)


def test_a_secret_in_use_is_never_overwritten(tmp_path: Path) -> None:
    create_private(tmp_path / "s", b"first")
    with pytest.raises(PrivateFileError):
        create_private(tmp_path / "s", b"second")
    assert read_private(tmp_path / "s") == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


def test_no_text_copy_or_pickle_shows_a_secret() -> None:
    value = bytes(range(32))
    secrets = NodeSecrets(Secret(value), Secret(value), 1)
    assert repr(secrets) == "NodeSecrets(key_secret=Secret(hidden), noise_secret=Secret(hidden), key_epoch=1)"
    assert f"{secrets.key_secret} {secrets.key_secret!s}" == "Secret(hidden) Secret(hidden)"
    for leave in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            leave(secrets.key_secret)
