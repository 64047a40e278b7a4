"""The signing key is made once, kept private, and never replaced silently."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from joserfc.jwk import OctKey, OKPKey

from federation.client.verify import VerificationError, verify_statement
from federation.release.keys import PLACE, RETIRED, SigningKey, rotate
from federation.release.statement import sign_statement
from federation.state.errors import PrivateFileError
from tests.support.statements import NOON, statement


def test_it_is_created_at_the_first_start_and_found_at_the_next(tmp_path: Path) -> None:
    directory = tmp_path / "secrets"
    made = SigningKey.load(directory, {}, first_start=True)
    found = SigningKey.load(directory, {}, first_start=False)
    assert made.public_jwks() == found.public_jwks()
    assert stat.S_IMODE((directory / PLACE.file_name).stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_lost_key_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(PrivateFileError, match="restore"):
        SigningKey.load(tmp_path, {}, first_start=False)


def test_the_environment_can_name_it(tmp_path: Path) -> None:
    jwk = OKPKey.generate_key("Ed25519")
    environment = {"FEDERATION_SIGNING_KEY": json.dumps(jwk.as_dict(private=True))}
    assert SigningKey.load(tmp_path, environment, first_start=False).key_id == jwk.thumbprint()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        "",
        "not json",
        "[]",
        "{}",
        json.dumps(OKPKey.generate_key("Ed25519").as_dict(private=False)),
        json.dumps(OKPKey.generate_key("X25519").as_dict(private=True)),
        json.dumps(OctKey.generate_key(256).as_dict()),
    ],
    ids=["empty", "no_json", "a_list", "no_key", "public_alone", "another_curve", "symmetric"],
)
def test_what_is_no_private_ed25519_key_is_refused_without_being_shown(tmp_path: Path, content: str) -> None:
    path = tmp_path / PLACE.file_name
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(PrivateFileError) as raised:
        SigningKey.load(tmp_path, {}, first_start=False)
    assert not content or content not in str(raised.value)


def test_what_others_can_read_is_no_secret(tmp_path: Path) -> None:
    SigningKey.load(tmp_path, {}, first_start=True)
    (tmp_path / PLACE.file_name).chmod(0o640)
    with pytest.raises(PrivateFileError, match="chmod 600"):
        SigningKey.load(tmp_path, {}, first_start=False)


def test_nothing_shows_the_private_part(tmp_path: Path) -> None:
    key = SigningKey.load(tmp_path, {}, first_start=True)
    private = json.loads((tmp_path / PLACE.file_name).read_text())["d"]
    assert private not in repr(key) + str(key) + json.dumps(key.public_jwks())
    assert "d" not in key.public_jwks()["keys"][0]


def test_a_key_is_rotated_and_what_it_signed_is_verified_as_before(tmp_path: Path) -> None:
    first = SigningKey.load(tmp_path, {}, first_start=True)
    token = sign_statement(statement(), first)
    old, new = rotate(tmp_path, NOON)
    rotate(tmp_path, NOON)
    now = SigningKey.load(tmp_path, {}, first_start=False)
    assert old == first.key_id != now.key_id != new
    published = now.public_jwks()
    assert [key["kid"] for key in published["keys"]] == [now.key_id, new, old]
    assert all("d" not in key for key in published["keys"])
    assert verify_statement(token, published).kid == old
    assert stat.S_IMODE((tmp_path / RETIRED).stat().st_mode) == 0o600
    fresh = sign_statement(statement(), now)
    with pytest.raises(VerificationError):
        verify_statement(fresh, first.public_jwks())


def test_a_rotation_that_was_cut_short_loses_nothing(tmp_path: Path) -> None:
    key = SigningKey.load(tmp_path, {}, first_start=True)
    before = (tmp_path / PLACE.file_name).read_bytes()
    rotate(tmp_path, NOON)
    (tmp_path / PLACE.file_name).write_bytes(before)
    found = SigningKey.load(tmp_path, {}, first_start=False)
    assert found.public_jwks() == key.public_jwks()
    rotate(tmp_path, NOON)
    assert len(SigningKey.load(tmp_path, {}, first_start=False).public_jwks()["keys"]) == 2


@pytest.mark.parametrize(
    "content", ["", "[]", '{"keys": [1]}', '{"keys": [{"kty": "oct", "k": "AA"}]}', "{}"]
)
def test_retired_keys_that_are_none_stop_the_node(tmp_path: Path, content: str) -> None:
    SigningKey.load(tmp_path, {}, first_start=True)
    (tmp_path / RETIRED).write_text(content)
    (tmp_path / RETIRED).chmod(0o600)
    with pytest.raises(PrivateFileError, match="JWK Set"):
        SigningKey.load(tmp_path, {}, first_start=False)


def test_there_is_nothing_to_rotate_where_there_is_no_key(tmp_path: Path) -> None:
    with pytest.raises(PrivateFileError):
        rotate(tmp_path, NOON)
    assert list(tmp_path.iterdir()) == []
