"""The small catalogue of ``tests.support.catalogue_files`` as a fixture."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.catalogue_files import FILES, Write


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes the catalogue with ``replace`` = {file: (old, new)} and ``files`` over it; returns the directory."""

    def write_files(
        replace: dict[str, tuple[str, str]] | None = None, files: dict[str, str | bytes] | None = None
    ) -> Path:
        contents: dict[str, str | bytes] = dict(FILES)
        for name, (old, new) in (replace or {}).items():
            assert old in FILES[name], f"{old!r} is not in {name}"
            contents[name] = FILES[name].replace(old, new, 1)
        for name, content in (contents | (files or {})).items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return tmp_path

    return write_files
