"""The secrets behind the noise: the key secret makes record keys, the noise secret looks up the p-table.

They are created once, at a node's first start, and never again by themselves: new secrets under an old key epoch
would answer old questions with fresh noise, which is what averaging needs.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from federation.state.errors import PrivateFileError
from federation.state.private import create_private, read_private

FILE_NAME = "node-secrets.json"
LENGTH = 32
_ENVIRONMENT = {
    "key_secret": "FEDERATION_KEY_SECRET",
    "noise_secret": "FEDERATION_NOISE_SECRET",
    "key_epoch": "FEDERATION_KEY_EPOCH",
}


class Secret:
    """32 bytes that no log, traceback, copy or pickle shows.

    >>> Secret(bytes(32))
    Secret(hidden)
    """

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        if len(value) != LENGTH:
            raise PrivateFileError(f"a secret has {LENGTH} bytes")
        self._value = value

    def reveal(self) -> bytes:
        """The bytes, for the one computation that needs them."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(hidden)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret does not leave its process")


@dataclass(frozen=True, slots=True)
class NodeSecrets:
    """A node's secrets. ``key_epoch`` names this pair in snapshots and in the ledger."""

    key_secret: Secret
    noise_secret: Secret
    key_epoch: int


def load_secrets(directory: Path, environment: Mapping[str, str], *, first_start: bool) -> NodeSecrets:
    """The secrets from the environment if it names them, else from ``directory``, where a first start creates them.

    The environment names all of FEDERATION_KEY_SECRET, FEDERATION_NOISE_SECRET (64 hexadecimal digits each) and
    FEDERATION_KEY_EPOCH (a whole number from 1), or none. Nodes of one federation may share the noise secret.

    Args:
        first_start: whether the node has done nothing yet (its audit chain is empty).

    Raises:
        PrivateFileError: the file is missing on a later start, can be read by others, or is damaged; or the
            environment names only part.
    """
    named = {field: environment[name] for field, name in _ENVIRONMENT.items() if name in environment}
    if named:
        return _parse(named, "the environment")
    path = directory / FILE_NAME
    content = read_private(path)
    if content is None:
        if not first_start:
            raise PrivateFileError(
                f"{path} is missing, and this node has used it: restore it from the backup"
            )
        create_private(path, _generate())
        content = read_private(path) or b""
    try:
        fields = json.loads(content)
    except ValueError:
        raise PrivateFileError(f"{path} is damaged: restore it from the backup") from None
    return _parse(fields, str(path))


def named_secret(name: str, directory: Path, environment: Mapping[str, str]) -> str:
    """A secret that somebody else made, such as a database password: from the variable ``FEDERATION_SECRET_NAME``
    if there is one, else from the file ``name`` in ``directory``, without the line break at its end.

    Raises:
        PrivateFileError: there is none, or others can read the file.
    """
    variable = f"FEDERATION_SECRET_{name.upper()}"
    if variable in environment:
        return environment[variable]
    content = read_private(directory / name)
    if content is None:
        raise PrivateFileError(
            f"there is no secret {name}: set {variable}, or write {directory / name} (mode 600)"
        )
    try:
        return content.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise PrivateFileError(f"{directory / name} is not UTF-8") from None


def _generate() -> bytes:
    fields = {
        "key_secret": secrets.token_hex(LENGTH),
        "noise_secret": secrets.token_hex(LENGTH),
        "key_epoch": 1,
    }
    return json.dumps(fields).encode()


def _parse(fields: Mapping[str, object], origin: str) -> NodeSecrets:
    try:
        parsed = NodeSecrets(
            Secret(bytes.fromhex(str(fields["key_secret"]))),
            Secret(bytes.fromhex(str(fields["noise_secret"]))),
            int(str(fields["key_epoch"])),
        )
    except (KeyError, ValueError, TypeError, PrivateFileError):
        parsed = None
    if parsed is None or parsed.key_epoch < 1:
        raise PrivateFileError(
            f"{origin} must give key_secret and noise_secret ({2 * LENGTH} hexadecimal digits each) and key_epoch"
        )
    return parsed
