"""The style of the pages is what was pinned, or it is not used."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from federation.web import assets


def tarball(folder: Path) -> Path:
    """A package like the real one, with the typeface and a crest in its style."""
    files = {
        "dist/govuk/govuk-frontend.min.css": b"@font-face{font-family:GDS Transport;src:url(/assets/x.woff2)}"
        b"p{font-family:GDS Transport,arial}h1{background:url(/assets/crest.svg)}/*# sourceMappingURL=a.map */",
        "dist/govuk/govuk-frontend.min.js": b"export{}\n//# sourceMappingURL=b.map",
    }
    place = folder / "package.tgz"
    with tarfile.open(place, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return place


def integrity(place: Path) -> str:
    return f"sha512-{base64.b64encode(hashlib.sha512(place.read_bytes()).digest()).decode()}"


def test_another_package_than_was_pinned_is_not_unpacked(tmp_path: Path) -> None:
    place = tarball(tmp_path)
    with pytest.raises(assets.AssetsUnavailable, match="not the package that was pinned"):
        assets.unpacked(place)
    pinned = integrity(place)
    place.write_bytes(place.read_bytes() + b"\0")
    with pytest.raises(assets.AssetsUnavailable):
        assets.unpacked(place, pinned)


def test_the_typeface_and_the_crest_of_another_site_are_left_out(tmp_path: Path) -> None:
    place = tarball(tmp_path)
    files = assets.unpacked(place, integrity(place))
    assert files[assets.STYLE] == b"p{font-family:arial}h1{background:none}"
    assert files[assets.SCRIPT] == b"export{}\n"
