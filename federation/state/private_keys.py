"""Private keys of a node, each a JSON Web Key (RFC 8037) in a file that only its owner can read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from federation.state.errors import PrivateFileError
from federation.state.private import create_private, read_private


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """Where a key is kept. ``variable`` of the environment goes before the file; ``used`` is what it was used for."""

    curve: Literal["Ed25519", "X25519"]
    file_name: str
    variable: str
    used: str

    def load(self, directory: Path, environment: Mapping[str, str], *, first_start: bool) -> OKPKey:
        """The key from the environment if it names it, else from ``directory``, where a first start creates it.

        Raises:
            PrivateFileError: it is missing on a later start, can be read by others, or is no private key of the curve.
        """
        if self.variable in environment:
            return self.parse(environment[self.variable].encode(), self.variable)
        path = directory / self.file_name
        content = read_private(path)
        if content is None:
            if not first_start:
                raise PrivateFileError(
                    f"{path} is missing, and this node has {self.used} with it: restore it"
                )
            fresh = OKPKey.generate_key(self.curve)
            create_private(path, json.dumps(fresh.as_dict(private=True)).encode())
            content = read_private(path) or b""
        return self.parse(content, str(path))

    def parse(self, content: bytes, origin: str) -> OKPKey:
        """The key in a JSON Web Key.

        Raises:
            PrivateFileError: it is no private key of the curve.
        """
        try:
            key = OKPKey.import_key(json.loads(content))
        except (JoseError, ValueError, TypeError, KeyError):
            key = None
        if key is None or not key.is_private or key.curve_name != self.curve:
            raise PrivateFileError(f"{origin} must hold a private {self.curve} key as JSON Web Key")
        return key
